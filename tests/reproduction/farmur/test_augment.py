"""Random crops and mirror images: every one is a window of the padded image, and all occur."""

import numpy as np
import pytest
import torch

from robfair import AdversarialClassifier
from robfair.reproduction.farmur._augment import PADDING, Augmented, crop_and_mirror
from robfair.training import Noise, TradesObjective


def windows(image):
    """All crops of the padded image and of its mirror image, as bytes."""
    found = {}
    for mirrored, source in ((False, image), (True, image[:, :, ::-1])):
        padded = np.pad(source, [(0, 0), (PADDING, PADDING), (PADDING, PADDING)])
        for down in range(2 * PADDING + 1):
            for right in range(2 * PADDING + 1):
                crop = padded[:, down : down + image.shape[1], right : right + image.shape[2]]
                found[crop.tobytes()] = (mirrored, down, right)
    return found


def test_each_sample_is_a_crop_of_its_own_image():
    image = np.random.default_rng(0).uniform(size=(2, 5, 6)).astype(np.float32)
    X = torch.from_numpy(np.stack([image] * 3000))
    moved = crop_and_mirror(X, Noise(0))
    assert moved.shape == X.shape
    known = windows(image)
    seen = {known[sample.tobytes()] for sample in moved.numpy()}
    assert len(seen) == 2 * (2 * PADDING + 1) ** 2
    assert torch.equal(moved, crop_and_mirror(X, Noise(0)))
    assert not torch.equal(moved, crop_and_mirror(X, Noise(1)))


def test_losses_are_those_of_the_moved_samples():
    """A network that sees only how much of an image is left: moved images have lost pixels."""

    passed = []

    class Mean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(1, 2)

        def forward(self, X):
            passed.append(X.detach())
            return self.layer(X.mean(dim=(1, 2, 3))[:, None])

    X = np.ones((8, 1, 4, 4), dtype=np.float32)
    y = np.arange(8) % 2
    objective = Augmented(TradesObjective())
    clf = AdversarialClassifier(
        module=Mean, objective=objective, eps=0.001, n_steps=1, max_epochs=1, random_state=0
    )
    clf.fit(X, y, groups=y)
    trained = [seen for seen in passed if len(seen) == 8]
    assert len(trained) >= 3  # the clean samples, the attack's and the attacked ones
    for seen in trained:
        assert seen.mean() < 0.95
    differences = (trained[0] - trained[-1]).abs().max().item()
    assert differences == pytest.approx(0.001, abs=1e-3)  # moved in the same way

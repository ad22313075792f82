"""Properties of all networks of the papers: weights, gradients, state, classes and training."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from networks import images, n_weights, seeded
from robfair import AdversarialClassifier
from robfair.models import alexnet, lenet5, resnet18, utkface_network

SHAPES = {
    lenet5: (1, 28, 28),
    alexnet: (1, 28, 28),
    resnet18: (3, 32, 32),
    utkface_network: (3, 48, 48),
}
every_network = pytest.mark.parametrize("make", SHAPES)


@every_network
def test_docstring_states_the_number_of_weights(make):
    assert f"{n_weights(make()):,} weights" in " ".join(make.__doc__.split())


@every_network
def test_gradients_reach_every_weight_and_every_pixel(make):
    network = seeded(make)
    x = images(SHAPES[make]).requires_grad_()
    loss = F.cross_entropy(network(x), torch.arange(4))
    gradient, *gradients = torch.autograd.grad(loss, [x, *network.parameters()])
    assert all(g.abs().sum() > 0 for g in gradients)
    assert (gradient != 0).double().mean() > 0.9


@pytest.mark.slow
@every_network
def test_state_goes_round(make):
    x = images(SHAPES[make])
    first, second = seeded(make, 0).eval(), seeded(make, 1).eval()
    assert not torch.equal(first(x), second(x))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(x), second(x))
    same = seeded(make, 0).eval()
    assert torch.equal(first(x), same(x))


@every_network
def test_number_of_classes(make):
    assert make(n_classes=3).eval()(images(SHAPES[make])).shape == (4, 3)


@pytest.mark.slow
def test_estimators_train_them():
    """Dropout and batch normalisation included: clones, seeds and TRADES are theirs to handle."""
    X = images((3, 8, 8), n=16).numpy()
    y = np.arange(16) % 2
    options = {"max_epochs": 1, "batch_size": 8, "eps": 0.03, "n_steps": 1, "random_state": 0}
    for make, params in ((resnet18, {}), (utkface_network, {"module__image_size": 8})):
        clf = AdversarialClassifier(
            module=make, net_params={"module__n_classes": 2, **params}, **options
        ).fit(X, y)
        assert clf.predict(X).shape == (16,)

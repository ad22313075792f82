"""Networks of other libraries, as the guide says: run where the library is installed."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from robfair import boundary_distance
from robfair.datasets import make_group_margins

DATA = make_group_margins(40, random_state=0)
X, Y = DATA.X.astype(np.float32), DATA.y


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 2))


@pytest.mark.slow
def test_lightning():
    lightning = pytest.importorskip("pytorch_lightning")

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = network()

        def forward(self, x):
            return self.net(x)

    expected = boundary_distance(network(), X).distance
    assert_allclose(boundary_distance(Module(), X).distance, expected)


@pytest.mark.slow
@pytest.mark.parametrize("last", [None, "softmax"])
def test_keras_on_torch(last, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    layers = [keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2, activation=last)]
    model = keras.Sequential([keras.layers.Input((10,)), *layers])
    module = network()
    for layer, linear in zip(layers, (module[0], module[2]), strict=True):
        layer.set_weights([linear.weight.detach().numpy().T, linear.bias.detach().numpy()])
    expected = boundary_distance(module, X).distance
    assert_allclose(boundary_distance(model, X).distance, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_an_image_classifier_of_hugging_face():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    images = {"image_size": 8, "patch_size": 4, "num_labels": 4, "intermediate_size": 16}
    # Without so wide a start one class is predicted everywhere.
    config = transformers.ViTConfig(**sizes, **images, initializer_range=0.3)
    model = transformers.ViTForImageClassification(config).eval()
    found = boundary_distance(model, torch.randn(6, 3, 8, 8).numpy())
    with torch.no_grad():
        after = model(torch.from_numpy(found.adversarial)).logits.argmax(1).numpy()
    assert (after != found.predicted).all()

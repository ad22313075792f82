"""Networks of other libraries, as the guide says: run where the library is installed."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from robfair import ThreatModel, audit, boundary_distance
from robfair.datasets import make_group_margins
from robfair.models import Standardize

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


def check_pixels(backbone, mean, std, normalize):
    """Audit a model behind its transform; what is found there fools it behind `normalize`."""
    scale = Standardize(np.reshape(mean, (3, 1, 1)), np.reshape(std, (3, 1, 1)))
    network = nn.Sequential(scale, backbone).eval()
    images = torch.rand(24, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    pixels = {"threat_model": ThreatModel(bounds=(0, 1))}
    with torch.no_grad():
        labels = backbone(normalize(images)).argmax(1).numpy()
    groups = np.arange(24) % 2
    result = audit(network, images.numpy(), labels, sensitive_features=groups, n_check=0, **pixels)
    assert (result.by_group["accuracy"] == 1).all()
    found = boundary_distance(network, images.numpy(), **pixels)
    assert_allclose(found.distance, result.distances.distance)
    with torch.no_grad():
        after = backbone(normalize(torch.from_numpy(found.adversarial))).argmax(1).numpy()
    assert (after != labels).all()


@pytest.mark.slow
def test_timm():
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    # Too small to train, and too deep a start would predict one class alone.
    sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 3}
    backbone = timm.create_model("vit_tiny_patch16_224", num_classes=3, **sizes).eval()
    expected = timm.data.resolve_model_data_config(backbone)
    *_, normalize = timm.data.create_transform(**expected, is_training=False).transforms
    check_pixels(backbone, expected["mean"], expected["std"], normalize)


@pytest.mark.slow
def test_torchvision():
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    backbone = torchvision.models.resnet18(num_classes=3).eval()
    expected = torchvision.models.ResNet18_Weights.DEFAULT.transforms()
    normalize = torchvision.transforms.Normalize(expected.mean, expected.std)
    check_pixels(backbone, expected.mean, expected.std, normalize)

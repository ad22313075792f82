"""LeNet-5, AlexNet, ResNet-18 and the classifier of faces: what their docstrings say is true."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from robfair import AdversarialClassifier
from robfair.models import alexnet, lenet5, resnet18, utkface_network

SHAPES = {
    lenet5: (1, 28, 28),
    alexnet: (1, 28, 28),
    resnet18: (3, 32, 32),
    utkface_network: (3, 48, 48),
}
every_network = pytest.mark.parametrize("make", SHAPES)


def seeded(make, seed=0, **kwargs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(**kwargs)


def images(shape, n=4):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(1))


def n_weights(module):
    return sum(p.numel() for p in module.parameters())


def conv(n_in, n_out, k):
    return n_out * (n_in * k * k + 1)


def dense(n_in, n_out):
    return n_out * (n_in + 1)


def test_number_of_weights():
    assert n_weights(lenet5()) == (
        conv(1, 6, 5) + conv(6, 16, 5) + dense(400, 120) + dense(120, 84) + dense(84, 10)
    )
    assert n_weights(alexnet()) == (
        conv(1, 32, 3) + conv(32, 64, 3) + conv(64, 128, 3) + conv(128, 256, 3) + conv(256, 256, 3)
        + dense(256 * 9, 1024) + dense(1024, 512) + dense(512, 10)
    )  # fmt: skip
    # 3 x 3 without bias; two numbers per channel in batch normalisation; 1 x 1 on three shortcuts.
    widths = [64, 64, 64, 64, 64, 128, 128, 128, 128, *[256] * 4, *[512] * 4]
    convolutions = 9 * (3 * 64 + sum(a * b for a, b in pairwise(widths)))
    shortcuts = 64 * 128 + 128 * 256 + 256 * 512
    channels = sum(widths) + 128 + 256 + 512
    assert len(widths) == 17
    assert n_weights(resnet18()) == convolutions + shortcuts + 2 * channels + dense(512, 10)
    assert n_weights(utkface_network()) == (
        conv(3, 32, 7) + conv(32, 64, 5) + dense(64 * 11 * 11, 256) + dense(256, 5)
    )


@every_network
def test_docstring_states_the_number_of_weights(make):
    assert f"{n_weights(make()):,} weights" in " ".join(make.__doc__.split())


def test_published_image_size_of_utkface():
    """The published code writes 153664 inputs of the dense layer for 200 x 200."""
    sizes = {n: utkface_network(image_size=n)[9].in_features for n in (200, 48, 7, 6)}
    assert sizes == {200: 153_664, 48: 64 * 11 * 11, 7: 64, 6: 64}
    for n in (6, 7, 49):
        assert utkface_network(3, image_size=n)(torch.zeros(2, 3, n, n)).shape == (2, 3)
    with pytest.raises(ValueError, match=r"at least 6, .* got 5"):
        utkface_network(image_size=5)


def test_lenet5_computes_what_its_docstring_says():
    network = seeded(lenet5)
    w = list(network.parameters())
    x = images(SHAPES[lenet5])
    h = (x - 0.1307) / 0.3081
    h = F.max_pool2d(F.relu(F.conv2d(h, w[0], w[1], padding=2)), 2)
    h = F.max_pool2d(F.relu(F.conv2d(h, w[2], w[3])), 2).flatten(1)
    for i in (4, 6):
        h = F.relu(F.linear(h, w[i], w[i + 1]))
    torch.testing.assert_close(network(x), F.linear(h, w[8], w[9]))
    assert len(w) == 10


def test_alexnet_computes_what_its_docstring_says():
    network = seeded(alexnet).eval()
    w = list(network.parameters())
    x = images(SHAPES[alexnet])
    h = (x - 0.1307) / 0.3081
    pools = [nn.MaxPool2d(2), nn.MaxPool2d(2), nn.Identity(), nn.Identity(), nn.MaxPool2d(3, 2)]
    for i, pool in enumerate(pools):
        h = pool(F.relu(F.conv2d(h, w[2 * i], w[2 * i + 1], padding=1)))
    h = h.flatten(1)
    for i in (10, 12):
        h = F.relu(F.linear(h, w[i], w[i + 1]))
    torch.testing.assert_close(network(x), F.linear(h, w[14], w[15]))
    assert [part.p for part in network if isinstance(part, nn.Dropout)] == [0.5, 0.5]


def test_resnet18_computes_what_its_docstring_says():
    """A recomputation from the state by name, with batch normalisation by the batch."""
    network = seeded(resnet18)
    x = images((3, 16, 16))
    state = {name: value.clone() for name, value in network.state_dict().items()}

    def normalised(h, name):
        mean, var = (
            h.mean(dim=(0, 2, 3), keepdim=True),
            h.var(dim=(0, 2, 3), keepdim=True, correction=0),
        )
        shape = (1, -1, 1, 1)
        weight, bias = (state[f"{name}.{k}"].reshape(shape) for k in ("weight", "bias"))
        return (h - mean) / (var + 1e-5).sqrt() * weight + bias

    mean, scale = torch.tensor([[0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]])
    h = (x - mean.reshape(3, 1, 1)) / scale.reshape(3, 1, 1)
    h = F.relu(normalised(F.conv2d(h, state["1.weight"], padding=1), "2"))
    for block in range(4, 12):
        stride = 2 if block in (6, 8, 10) else 1
        first, second = (state[f"{block}.residual.{k}.weight"] for k in (0, 3))
        r = F.relu(normalised(F.conv2d(h, first, stride=stride, padding=1), f"{block}.residual.1"))
        r = normalised(F.conv2d(r, second, padding=1), f"{block}.residual.4")
        if stride == 2:
            projection = state[f"{block}.shortcut.0.weight"]
            h = normalised(F.conv2d(h, projection, stride=2), f"{block}.shortcut.1")
        h = F.relu(r + h)
    assert h.shape == (4, 512, 2, 2)
    expected = F.linear(h.mean(dim=(2, 3)), state["14.weight"], state["14.bias"])
    torch.testing.assert_close(network(x), expected, atol=1e-4, rtol=1e-4)


def test_utkface_network_computes_what_its_docstring_says():
    network = seeded(utkface_network).eval()
    w = list(network.parameters())
    x = h = images(SHAPES[utkface_network])
    for i in (0, 2):
        h = F.max_pool2d(F.relu(F.conv2d(h, w[i], w[i + 1], padding=2)), 2)
    h = F.relu(F.linear(h.flatten(1), w[4], w[5]))
    torch.testing.assert_close(network(x), F.linear(h, w[6], w[7]))
    assert [part.p for part in network if isinstance(part, nn.Dropout)] == [0.3, 0.3, 0.5]


@every_network
def test_gradients_reach_every_weight_and_every_pixel(make):
    network = seeded(make)
    x = images(SHAPES[make]).requires_grad_()
    loss = F.cross_entropy(network(x), torch.arange(4))
    gradient, *gradients = torch.autograd.grad(loss, [x, *network.parameters()])
    assert all(g.abs().sum() > 0 for g in gradients)
    assert (gradient != 0).double().mean() > 0.9


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

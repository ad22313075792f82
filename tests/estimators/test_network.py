"""The network of a classifier: given, copied or made, and one error for each that does not fit."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from networks import Net, same
from robfair import NaturalClassifier, ThreatModel


def test_a_module_instance_is_copied(make, data):
    module = Net()
    module.layers[2].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    clf = make(module=module, lr=0.1).fit(data.X, data.y, groups=data.groups)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(p.grad is None for p in module.parameters())
    assert [part.training for part in module.layers] == [True, True, False, True]
    assert clf.module_ is not module
    assert not same(clf, make(module=module, lr=1e-9).fit(data.X, data.y, groups=data.groups))


def test_training_starts_from_the_weights_of_an_instance(make, data):
    module = nn.Linear(3, 2)
    clf = make(module=module, lr=1e-9).fit(data.X, data.y, groups=data.groups)
    assert_allclose(clf.module_.weight.detach(), module.weight.detach(), atol=1e-6)


def test_a_module_class_with_parameters(make, data):
    settings = {"module__width": 5, "optimizer__weight_decay": 0.5}
    clf = make(module=Net, net_params=settings).fit(data.X, data.y, groups=data.groups)
    assert clf.module_.width == 5
    assert clf.net_.optimizer_.param_groups[0]["weight_decay"] == 0.5
    again = make(module=Net, net_params=settings).fit(data.X, data.y, groups=data.groups)
    assert same(clf, again)


def test_a_function_that_makes_a_module(data):
    clf = NaturalClassifier(module=lambda: nn.Linear(3, 2), max_epochs=1, random_state=0)
    assert clf.fit(data.X, data.y).predict(data.X).shape == data.y.shape


def test_double_precision(make, data):
    clf = make(module=nn.Linear(3, 2).double()).fit(data.X, data.y, groups=data.groups)
    assert clf.module_.weight.dtype == torch.float64
    assert clf.predict_proba(data.X).dtype == np.float64


@pytest.mark.filterwarnings("ignore::robfair.exceptions.CensoredDistanceWarning")
def test_images(make, data):
    images = np.random.default_rng(0).random((40, 1, 4, 4))
    y, groups = np.arange(40) % 2, np.arange(40) // 20
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)
        )  # fmt: skip
    box = ThreatModel(norm=np.inf, bounds=(0, 1))
    changes = {} if isinstance(make(), NaturalClassifier) else {"threat_model": box}
    clf = make(module=module, **changes).fit(images, y, groups=groups)
    assert clf.predict_proba(images).shape == (40, 2)


def nan_module():
    module = nn.Linear(3, 2)
    nn.init.constant_(module.weight, np.nan)
    return module


def one_output():
    return nn.Linear(3, 1)


@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (lambda: nn.Linear(3, 3), ValueError, "returns 3 logits.*2 classes"),
        (one_output, ValueError, "1 logit"),
        (lambda: nn.Sequential(one_output(), nn.Flatten(0)), ValueError, "logit"),
        (lambda: nn.Linear(4, 2), ValueError, r"does not take samples of shape \(3,\)"),
        (lambda: nn.Unflatten(1, (1, 3)), ValueError, r"must return logits of shape"),
        (nan_module, ValueError, "returns NaN or infinity"),
        (dict, TypeError, "must be a torch.nn.Module, or make one; it made a dict"),
    ],
)
def test_modules(make, data, module, error, message):
    with pytest.raises(error, match=message):
        make(module=module).fit(data.X, data.y, groups=data.groups)


def test_unknown_parameters_of_the_net_and_module(make, data):
    with pytest.raises(ValueError, match=r"unexpected argument.*foo"):
        make(net_params={"foo": 1}).fit(data.X, data.y, groups=data.groups)
    with pytest.raises(TypeError, match="width"):
        make(module=one_output, net_params={"module__width": 1}).fit(
            data.X, data.y, groups=data.groups
        )

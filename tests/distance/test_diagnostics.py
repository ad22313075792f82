"""What is said of a model that cannot be trusted, and that nothing is said of others."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from oracles import Rows, linear_layer, network
from robfair import ThreatModel, boundary_distance
from robfair.distance._diagnostics import ROWS

X = np.random.default_rng(0).normal(size=(30, 4))
NET = network([4, 8, 3])


def warnings_of(module, data=X, **options):
    return boundary_distance(module, data, **options).warnings_


def only(warnings, *parts):
    """The one warning there is, which says all of that."""
    assert len(warnings) == 1, warnings
    assert all(part in warnings[0] for part in parts), warnings


class Then(nn.Module):
    """A module, and a function of its logits."""

    def __init__(self, function, module=NET):
        super().__init__()
        self.module, self.function = module, function

    def forward(self, x):
        return self.function(self.module(x))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "strong", "deepfool", "paper"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_is_said_of_a_healthy_network(dtype, method):
    for module in (network([4, 8, 3], dtype=dtype), network([4, 8, 1], nn.ReLU, dtype=dtype)):
        result = boundary_distance(module, X[:10], method=method, batch_size=7)
        if set(result.status) == {"found"}:
            assert result.warnings_ == ()
        else:
            only(result.warnings_, "censored")


def test_nothing_is_said_of_healthy_models_of_other_kinds():
    y = (X[:, 0] > 0).astype(int)
    for model in (
        LogisticRegression(),
        DecisionTreeClassifier(random_state=0),
        RandomForestClassifier(5, random_state=0),
    ):
        assert warnings_of(model.fit(X, y), X) == ()


def test_dropout_and_batch_norm_with_statistics_are_healthy():
    dropout = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(4).double(), network([4, 8, 3]))
    assert warnings_of(dropout) == ()
    assert dropout.training


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "deepfool", "decision"])
def test_censored_samples_are_counted(method):
    held = ThreatModel(bounds=(X.min(axis=0), X.max(axis=0)), mutable=[False, False, False, True])
    result = boundary_distance(NET, X, method=method, threat_model=held)
    n = result.counts()["censored"]
    only(result.warnings_, f"{n} of 30 samples are censored", "does not mean")
    y = np.where(np.arange(30) < 5, (result.predicted + 1) % 3, result.predicted)
    n = np.isinf(result.distance[5:]).sum()
    part = boundary_distance(NET, X, y=y, method=method, threat_model=held)
    only(part.warnings_, f"{n} of 25 samples are censored")


def test_what_is_proven_is_not_said_to_be_censored():
    held = ThreatModel(bounds=(X.min(axis=0), X.max(axis=0)), mutable=[False, False, False, True])
    layer = linear_layer(np.eye(4)[:3], [0, 0, 0])
    result = boundary_distance(layer, X, threat_model=held)
    assert result.counts() == {"censored": 30}
    assert np.isinf(result.lower).all()
    assert result.warnings_ == ()
    tree = DecisionTreeClassifier(random_state=0).fit(X, X[:, 0] > 0)
    result = boundary_distance(tree, X, threat_model=held)
    assert result.counts() == {"censored": 30}
    assert result.warnings_ == ()
    relu = network([4, 8, 3], nn.ReLU)
    result = boundary_distance(relu, X, threat_model=held, certify=True)
    proven = np.isinf(result.lower)
    left = result.counts()["censored"] - proven.sum()
    assert proven.any()
    if left:
        only(result.warnings_, f"{left} of 30 samples are censored")


def test_an_affine_model_that_is_wrong_is_not_looked_at():
    layer = linear_layer(np.eye(4)[:3], [0, 0, 0])
    y = np.arange(30) % 3
    result = boundary_distance(layer, X, y=y)
    assert set(result.status) == {"exact", "skipped"}
    # To predict it, and to hold what was read of the model against it.
    assert (result.n_forward[result.status == "skipped"] == 2).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "strong"])
def test_zero_gradients(method):
    flat = Then(lambda z: (1e3 * z).tanh() + torch.tensor([0.3, 0, 0]))
    result = boundary_distance(flat, X, method=method)
    points = torch.from_numpy(X).requires_grad_()
    z = flat(points)
    (gradient,) = torch.autograd.grad(z.sum(), points)
    n = int((gradient == 0).all(dim=1).sum())
    assert n > 5
    (text,) = (w for w in result.warnings_ if "gradient" in w)
    # The sum of the logits and their differences vanish together but at a few samples.
    assert abs(int(text.split(" of ")[0].split()[-1]) - n) <= 5
    assert 'method="decision"' in text


def test_immutable_features_are_no_gradient():
    layer = network([4, 8, 3])
    with torch.no_grad():
        layer[0].weight[:, 3] = 0
    held = ThreatModel(mutable=[False, False, False, True])
    assert any("gradient is zero at 30 of 30" in w for w in warnings_of(layer, threat_model=held))


def test_random_outputs():
    generator = torch.Generator().manual_seed(0)
    noisy = Then(lambda z: z + torch.rand(z.shape, generator=generator))
    for method in ("auto", "deepfool"):
        text = " ".join(warnings_of(noisy, method=method))
        assert "the model is random in evaluation mode" in text
        assert "batch normalisation" not in text
    faint = Then(lambda z: z * (1 + 1e-4 * torch.rand(z.shape, generator=generator)))
    assert not any("random" in w for w in warnings_of(faint))


def test_random_labels():
    rng = np.random.default_rng(0)

    def predict(data):
        return (data[:, 0] + rng.normal(size=len(data)) > 0).astype(int)

    text = " ".join(warnings_of(predict))
    assert "samples got another label when predicted again: the model is random" in text


@pytest.mark.slow
def test_outputs_that_depend_on_the_batch():
    norm = nn.BatchNorm2d(1, track_running_stats=False).double()
    images = nn.Sequential(norm, nn.Flatten(), network([4, 8, 3]))
    for module, data in [
        (images, np.arange(30)[:, None, None, None] + X.reshape(30, 1, 2, 2)),
        (Then(lambda z: z - z.mean(dim=0)), X),
    ]:
        for method in ("deepfool", "decision"):
            text = " ".join(warnings_of(module, data, method=method))
            assert "depends on the other rows of its batch" in text
            assert "random" not in text


def test_unsupported_layers():
    module = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3)).double()
    result = boundary_distance(module, X, certify=True)
    assert np.isnan(result.lower).all()
    only(result.warnings_, "no distance is certified", "GELU")
    assert boundary_distance(module, X).warnings_ == ()


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 8, 512])
def test_what_it_costs(batch_size):
    data = np.random.default_rng(1).normal(size=(ROWS + 40, 4))
    module = network([4, 8, 3])
    rows = Rows(module)
    result = boundary_distance(module, data, method="paper", batch_size=batch_size)
    # Some rows, to see what the outputs are, and one to check its shape.
    assert sum(rows.forward) == result.n_forward.sum() + ROWS + 1
    assert max(rows.forward) <= batch_size
    # Each of the last samples went forwards only as often as it made steps, if alone.
    if batch_size == 1:
        assert (result.n_forward[1:] == result.n_backward[1:] // 2 + 1).all()
        assert result.n_forward[0] == result.n_backward[0] // 2 + 3

"""Outputs of modules that are not logits yet, against the same module with logits."""

from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from oracles import network
from robfair import audit, boundary_distance
from robfair.adapters import label_model
from robfair.attacks import attack

X = np.random.default_rng(0).normal(size=(40, 4))
ONE, THREE = network([4, 8, 1], seed=3), network([4, 8, 3], nn.ReLU)
Output = namedtuple("Output", "logits hidden")


class Then(nn.Module):
    """A module, and a function of its logits."""

    def __init__(self, module, function):
        super().__init__()
        self.module, self.function = module, function

    def forward(self, x):
        return self.function(self.module(x))


SAME = {
    "sigmoid": (ONE, torch.sigmoid),
    "flat sigmoid": (ONE, lambda z: z.sigmoid()[:, 0]),
    "sigmoid by hand": (ONE, lambda z: 1 / (1 + torch.exp(-z))),
    "two shares": (ONE, lambda z: torch.cat([1 - z.sigmoid(), z.sigmoid()], dim=1)),
    "softmax": (THREE, lambda z: z.softmax(dim=1)),
    "log_softmax": (THREE, lambda z: z.log_softmax(dim=1)),
    "three sigmoids": (THREE, torch.sigmoid),
    "Hugging Face": (THREE, lambda z: SimpleNamespace(logits=z)),
    "Hugging Face, softmax": (THREE, lambda z: SimpleNamespace(logits=z.softmax(dim=1))),
    "mapping": (THREE, lambda z: {"logits": z, "hidden": z}),
    "named tuple": (THREE, lambda z: Output(z, z)),
    "tuple of one": (THREE, lambda z: (z,)),
}


@pytest.mark.parametrize("case", SAME)
def test_outputs_become_logits(case):
    raw, function = SAME[case]
    module = Then(raw, function)
    expected, result = boundary_distance(raw, X[:20]), boundary_distance(module, X[:20])
    assert_array_equal(result.predicted, expected.predicted)
    assert len(set(result.predicted)) > 1
    assert_array_equal(result.status, "found")
    ratio = result.distance / expected.distance  # two searches, of which either may win
    assert_allclose(np.median(ratio), 1, atol=1e-3)
    assert ((ratio > 0.8) & (ratio < 1.25)).all()
    assert not any("probabilities" in text for text in result.warnings_)
    by_labels = boundary_distance(module, X[:2], method="decision", budget=30)
    assert_array_equal(by_labels.predicted, expected.predicted[:2])
    assert_array_equal(
        attack(module, X, eps=0.2).success, attack(raw, X, eps=0.2, n_steps=40).success
    )


@pytest.mark.parametrize("n", [1, 2, 40])
@pytest.mark.parametrize("module", [ONE, Then(ONE, torch.tanh)], ids=["logit", "tanh"])
def test_a_logit_that_happens_to_lie_in_the_unit_interval_stays_one(module, n):
    with torch.no_grad():
        out = module(torch.from_numpy(X))[:, 0].numpy()
    rows = X[(out > 0) & (out < 0.5)][:n]
    assert len(rows)
    assert_array_equal(boundary_distance(module, rows).predicted, 1)


def test_a_class_that_is_masked_for_all_rows_is_left_out():
    mask = torch.tensor([0, -torch.inf, 0])
    result = boundary_distance(Then(THREE, lambda z: z + mask), X)
    expected = boundary_distance(Then(THREE, lambda z: z[:, [0, 2]]), X)
    assert_array_equal(result.predicted, 2 * expected.predicted)
    assert_array_equal(result.distance, expected.distance)
    with pytest.raises(ValueError, match=r"does not know: \[1\]"):
        boundary_distance(Then(THREE, lambda z: z + mask), X, y=np.arange(40) % 3)


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda z: z.where(z > 0, -torch.inf), r"returns -inf for \d+ of 40 rows.*masked for some"),
        (lambda z: z.argmax(dim=1), r"must return logits; it returned torch.int64"),
        (lambda z: (z, z), "returned a tuple"),
        (lambda z: {"scores": z}, "returned a dict"),
    ],
    ids=["mask", "labels", "tuple", "dict"],
)
def test_other_outputs_are_refused_with_the_reason(function, match):
    with pytest.raises(ValueError, match=match):
        boundary_distance(Then(THREE, function), X)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "deepfool", "strong", "paper"])
def test_a_saturated_softmax_is_fed_finite_points(method):
    seen = []

    def function(z):
        return (200 * z).softmax(dim=1)

    module = Then(network([4, 16, 3], nn.ReLU, torch.float32), function)
    module.register_forward_pre_hook(lambda m, args: seen.append(bool(args[0].isfinite().all())))
    boundary_distance(module, X[:10].astype(np.float32), method=method)
    assert all(seen)


def test_an_embedding_is_not_asked_for_values_that_it_does_not_know():
    class Table(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding.from_pretrained(torch.tensor([[-1.0], [2], [1], [-3]]))

        def forward(self, x):
            return self.table(x[:, 0].long()).sigmoid()

    rows = np.arange(40)[:, None] % 4.0
    module = Table()
    expected = (module.table.weight.detach().numpy()[:, 0] > 0).astype(int)[rows[:, 0].astype(int)]
    result = boundary_distance(module, rows, method="decision", budget=20)
    assert_array_equal(result.predicted, expected)


def test_tables_and_displays_know_what_the_outputs_are():
    module = Then(ONE, torch.sigmoid)
    expected = boundary_distance(ONE, X).predicted
    assert_array_equal(label_model(module, X).predict(X), expected)
    assert_array_equal(label_model(lambda X: X[:, 0] > 0, X).predict(X), X[:, 0] > 0)
    result = audit(module, X, expected, sensitive_features=X[:, 0] > 0, n_check=0, confidence=None)
    assert (result.examples["label after"] != result.examples["label"]).all()

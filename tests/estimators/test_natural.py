"""NaturalClassifier: the baseline learns the rule, and its robustness is what it should be."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from torch import nn

from robfair import NaturalClassifier, boundary_distance
from robfair.datasets import make_group_margins
from robfair.metrics import (
    classifier_robustness,
    group_robustness,
    robustness_variance,
)
from robfair.threat import ThreatModel

PROBLEM = make_group_margins(
    900, n_features=4, margins=(0.4, 1.0, 1.6), flip=(0.0, 0.1, 0.05), random_state=4
)


def robustness(model, **options):
    found = boundary_distance(model, PROBLEM.X, y=PROBLEM.y, **options)
    return {
        "y_true": PROBLEM.y,
        "y_pred": found.predicted,
        "distance": found.distance,
        "sensitive_features": PROBLEM.groups,
    }


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_the_exact_rule_gives_the_closed_form(n_outputs):
    """An affine module that is the true rule: Rob(P), Rob(f) and V_f to rounding."""
    module = nn.Linear(4, n_outputs).double()
    with torch.no_grad():
        module.weight.zero_()
        module.bias.zero_()
        module.weight[-1] = torch.from_numpy(PROBLEM.coef)
        module.bias[-1] = PROBLEM.intercept
    found = robustness(module)
    assert_allclose(group_robustness(**found), PROBLEM.group_robustness, rtol=1e-9)
    assert classifier_robustness(**found) == pytest.approx(PROBLEM.classifier_robustness, rel=1e-9)
    assert robustness_variance(**found) == pytest.approx(PROBLEM.robustness_variance, rel=1e-9)
    sup = group_robustness(**robustness(module, threat_model=ThreatModel(norm=np.inf)))
    assert_allclose(sup, PROBLEM.group_robustness / np.abs(PROBLEM.coef).sum(), rtol=1e-9)


def test_a_trained_linear_network_recovers_it():
    """Within 5 %: what a hyperplane learnt from 900 samples with wrong labels may be off by."""
    clf = NaturalClassifier(hidden_layer_sizes=(), max_epochs=30, lr=0.05, random_state=0)
    found = robustness(clf.fit(PROBLEM.X, PROBLEM.y))
    assert_allclose(group_robustness(**found), PROBLEM.group_robustness, rtol=0.05)


def test_a_trained_network_recovers_it():
    """Within 20 %: a ReLU network bends between the samples."""
    clf = NaturalClassifier(hidden_layer_sizes=(16,), max_epochs=25, lr=0.01, random_state=0)
    found = robustness(clf.fit(PROBLEM.X, PROBLEM.y))
    assert_allclose(group_robustness(**found), PROBLEM.group_robustness, rtol=0.2)


def test_logistic_regression_recovers_it():
    found = robustness(LogisticRegression().fit(PROBLEM.X, PROBLEM.y))
    assert_allclose(group_robustness(**found), PROBLEM.group_robustness, rtol=0.05)


def test_it_learns_the_labels(data):
    clf = NaturalClassifier(hidden_layer_sizes=[8], max_epochs=40, lr=0.02, random_state=0)
    assert clf.fit(data.X, data.y).score(data.X, data.y) > 0.97


def test_history_has_the_natural_loss_only(data):
    clf = NaturalClassifier(hidden_layer_sizes=[8], max_epochs=10, lr=0.02, random_state=0)
    history = clf.fit(data.X, data.y).history_
    assert history["phase"].tolist() == ["training"] * 10
    assert history["natural_loss"][-1] < history["natural_loss"][0]
    assert np.isnan(history["robust_loss"]).all()


def test_groups_do_not_change_natural_training(data):
    fits = [
        NaturalClassifier(hidden_layer_sizes=[4], max_epochs=1, random_state=0)
        .fit(data.X, data.y, groups=groups)
        .predict_proba(data.X)
        for groups in (None, data.groups)
    ]
    assert np.array_equal(*fits)


def test_one_epoch_of_sgd_by_hand(data):
    """A single batch, so that the order does not matter."""
    module = nn.Linear(3, 2)
    by_hand = nn.Linear(3, 2)
    by_hand.load_state_dict(module.state_dict())
    X, y = torch.from_numpy(data.X).float(), torch.from_numpy(data.y)
    nn.functional.cross_entropy(by_hand(X), y).backward()
    clf = NaturalClassifier(module=module, max_epochs=1, optimizer="sgd", lr=0.5, batch_size=999)
    clf.fit(data.X, data.y)
    expected = (by_hand.weight - 0.5 * by_hand.weight.grad).detach()
    assert_allclose(clf.module_.weight.detach(), expected, rtol=1e-4, atol=1e-6)


def test_optimizers(data):
    settings = {"hidden_layer_sizes": [3], "max_epochs": 1}
    for given, expected in (
        ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD), (torch.optim.AdamW, torch.optim.AdamW)
    ):  # fmt: skip
        clf = NaturalClassifier(optimizer=given, lr=0.3, **settings).fit(data.X, data.y)
        assert type(clf.net_.optimizer_) is expected
        assert clf.net_.optimizer_.param_groups[0]["lr"] == 0.3

"""Each method on the models it is for: oracles, statuses, starts, processes, certified bounds."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from oracles import check_adversarials, linear_distances, linear_layer, network, predict_with
from robfair import ThreatModel, boundary_distance
from small_models import AFFINE, NORMS, RELU, X, Y, small_forest


def test_functions_are_searched_by_their_labels():
    def predict(data):
        return np.where((data**2).sum(axis=1) > 2, "out", "in")

    result = boundary_distance(predict, X, y=predict(X), budget=300)
    assert result.method == "decision"
    assert set(result.status) == {"found"}
    check_adversarials(result, X, predict)
    right = np.abs(np.linalg.norm(X, axis=1) - 2**0.5)
    assert (result.distance >= right * (1 - 1e-9)).all()
    assert result.distance.mean() <= right.mean() * 1.1
    assert ((result.n_forward - 2) <= 300).all()  # but the prediction and the diagnostics
    assert not result.n_backward.any()


@pytest.mark.slow
@pytest.mark.parametrize("module", [RELU, network([3, 5, 3])])
def test_decision_takes_networks_too(module):
    X_few = X[:8]
    result = boundary_distance(module, X_few, method="decision", budget=400)
    assert result.method == "decision"
    check_adversarials(result, X_few, predict_with(module))
    if module is RELU:
        right = boundary_distance(module, X_few, method="exact").lower
    else:
        right = boundary_distance(module, X_few, method="strong").distance * (1 - 2e-3)
    assert (result.distance >= right).all()


def test_decision_begins_at_the_background():
    # All of X has one label: without a background there is nowhere to begin.
    def predict(data):
        return (data[:, 0] > 5).astype(int)

    background = np.concatenate([X, X + 10])
    found = boundary_distance(predict, X, background=background, method="decision")
    assert set(found.status) == {"found"}
    assert_allclose(found.distance, 5 - X[:, 0], rtol=0.02)
    with pytest.raises(ValueError, match=r"background has samples of shape \(2,\), X of \(3,\)"):
        boundary_distance(predict, X, background=X[:, :2], method="decision")


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(max_depth=3, random_state=0),
        RandomForestClassifier(5, random_state=0),
    ],
)
def test_models_that_only_predict_skip_what_they_get_wrong(model):
    names = np.array(["no", "yes"])
    model.set_params(random_state=0).fit(X, names[Y])
    y = names[Y].copy()
    wrong = model.predict(X) != y
    wrong[:2] = True
    y[:2] = names[(model.predict(X[:2]) == "no").astype(int)]
    result = boundary_distance(model, X, y=y, random_state=1)
    assert_array_equal(result.status == "skipped", wrong)
    assert_array_equal(np.isnan(result.distance), wrong)
    assert_array_equal(np.isnan(result.adversarial).all(axis=1), wrong)
    assert_array_equal(result.predicted, model.predict(X))
    check_adversarials(result, X, model.predict)
    all_wrong = names[(model.predict(X) == "no").astype(int)]
    assert boundary_distance(model, X, y=all_wrong).counts() == {"skipped": 60}


@given(seed=st.integers(0, 2**32 - 1), norm=st.sampled_from(NORMS), boxed=st.booleans())
@settings(max_examples=15, deadline=None)
def test_decision_is_never_below_the_exact_distance_of_a_tree(seed, norm, boxed):
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(50, 3))
    tree = DecisionTreeClassifier(max_depth=4, random_state=0)
    tree.fit(data, rng.integers(0, 3, 50))
    threat_model = ThreatModel(norm)
    if boxed:
        threat_model = ThreatModel(norm, (data.min(axis=0), data.max(axis=0)), [True, False, True])
    few = data[:5]
    exact = boundary_distance(tree, few, threat_model=threat_model)
    assert exact.method == "exact"
    options = {"threat_model": threat_model, "method": "decision", "background": data}
    found = boundary_distance(tree, few, budget=200, **options)
    assert (found.distance >= exact.distance * (1 - 1e-9)).all()
    check_adversarials(found, few, tree.predict)


@pytest.mark.parametrize("norm", NORMS)
def test_exact_networks_and_what_is_left_by_a_time_limit(norm):
    module, few = network([4, 10, 10, 3], nn.ReLU), np.random.default_rng(1).normal(size=(4, 4))
    options = {"method": "exact", "threat_model": ThreatModel(norm, (-4, 4))}
    left = boundary_distance(module, few, time_limit=1e-6, **options)
    assert (left.lower <= left.distance).all()
    assert set(left.status) == {"found"}
    check_adversarials(left, few, predict_with(module))
    whole = boundary_distance(module, few[:2], **options)
    assert set(whole.status) == {"exact"}
    assert (whole.lower <= whole.distance).all()
    assert_allclose(whole.lower, whole.distance, rtol=1e-5)
    assert (left.lower[:2] <= whole.distance).all()
    assert (whole.lower <= left.distance[:2]).all()
    check_adversarials(whole, few[:2], predict_with(module))


@pytest.mark.parametrize("norm", NORMS)
def test_exact_and_strong_agree_with_the_closed_form_behind_a_relu(norm):
    # ReLUs that are always active: an affine model that does not look like one.
    rng = np.random.default_rng(3)
    weight, bias = rng.normal(size=(3, 3)), rng.normal(size=3)
    module = nn.Sequential(
        linear_layer(np.eye(3), np.full(3, 50.0)), nn.ReLU(), linear_layer(weight, bias)
    )
    bounds = (X.min(axis=0), X.max(axis=0))
    right = linear_distances(weight, bias + 50 * weight.sum(axis=1), X[:10], norm, *bounds)
    for method, rtol in (("exact", 1e-5), ("strong", 2e-3)):
        result = boundary_distance(
            module, X[:10], method=method, threat_model=ThreatModel(norm, bounds)
        )
        assert_array_equal(np.isinf(result.distance), np.isinf(right))
        assert_allclose(result.distance, right, rtol=rtol)
        assert (result.distance >= right * (1 - 1e-6)).all()


@pytest.mark.slow
def test_the_results_do_not_depend_on_the_processes():
    for model, options in [
        (RELU, {"method": "exact"}),
        (small_forest(), {"method": "decision", "budget": 100}),
    ]:
        with parallel_config(backend="threading"):
            one, two = (boundary_distance(model, X[:6], n_jobs=n, **options) for n in (1, 2))
        assert_array_equal(one.distance, two.distance)
        assert_array_equal(one.adversarial, two.adversarial)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", ["auto", "strong", "deepfool"])
def test_certified_bounds(method, norm):
    module, y = network([3, 8, 3]), np.zeros(30, dtype=int)
    threat_model = ThreatModel(norm, (X.min(axis=0), X.max(axis=0)), [True, True, False])
    options = {"method": method, "threat_model": threat_model, "y": y}
    plain = boundary_distance(module, X[:30], **options)
    result = boundary_distance(module, X[:30], certify=True, **options)
    assert plain.lower is None
    assert_array_equal(result.distance, plain.distance)
    skipped = result.status == "skipped"
    assert skipped.any()
    assert_array_equal(np.isnan(result.lower), skipped)
    assert (result.lower <= result.distance)[~skipped].all()
    assert (result.lower[~skipped] > 0).mean() > 0.9
    assert result.warnings_ == plain.warnings_ or np.isinf(result.lower).any()


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("boxed", [False, True])
def test_certified_bounds_are_below_the_exact_distance(norm, boxed):
    bounds = (X.min(axis=0), X.max(axis=0)) if boxed else None
    threat_model = ThreatModel(norm, bounds)
    exact = boundary_distance(RELU, X[:20], method="exact", threat_model=threat_model)
    result = boundary_distance(RELU, X[:20], certify=True, threat_model=threat_model)
    assert (result.lower <= exact.distance).all()
    finite = np.isfinite(exact.distance)
    assert result.lower[finite].sum() > 0.3 * exact.distance[finite].sum()


def test_certify_adds_nothing_where_the_distance_is_exact():
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, Y)
    for model in (*AFFINE, tree):
        result = boundary_distance(model, X, certify=True)
        assert_allclose(result.lower, result.distance, rtol=1e-9)
        assert result.warnings_ == ()


class Wary(DecisionTreeClassifier):
    """A tree with a threshold of its own."""

    def predict(self, data):
        return (self.predict_proba(data)[:, 1] > 0.9).astype(int)


def test_a_tree_that_predicts_otherwise_is_searched_by_its_labels(monkeypatch):
    wary = Wary(max_depth=3, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match=r'Wary.predict is not that of scikit-learn.*"auto"'):
        boundary_distance(wary, X, method="exact")
    result = boundary_distance(wary, X)
    assert (result.method, set(result.status)) == ("decision", {"found"})
    check_adversarials(result, X, wary.predict)

    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, Y)
    label = tree.tree_.value[:, 0].argmax(axis=1)
    for changed in (1 - label, np.where(np.arange(len(label)) == len(label) - 1, 1 - label, label)):
        # The values of the leaves no longer say what is predicted, for all or for one of them.
        monkeypatch.setattr(DecisionTreeClassifier, "predict", lambda self, data, at=changed: (
            self.classes_[at[self.apply(data)]]
        ))  # fmt: skip
        with pytest.raises(ValueError, match="its tree is not read"):
            boundary_distance(tree, X, method="exact")
        with pytest.raises(ValueError, match="certify=True needs what was read"):
            boundary_distance(tree, X, certify=True)
        result = boundary_distance(tree, X)
        assert (result.method, set(result.status)) == ("decision", {"found"})
        assert any("its tree is not read" in text for text in result.warnings_)


def test_what_cannot_be_certified_is_nan_and_said():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = network([3, 3])

        def forward(self, data):
            return torch.sin(self.layer(data))

    result = boundary_distance(Own(), X[:10], certify=True)
    assert np.isnan(result.lower).all()
    assert np.isfinite(result.distance).all()
    (text,) = result.warnings_
    assert text.startswith("no distance is certified: ")
    assert "sin" in text

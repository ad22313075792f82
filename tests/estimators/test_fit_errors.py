"""One clear error for each way in which the input of `fit` and `predict` can be wrong."""

import numpy as np
import pytest
from scipy import sparse
from torch import nn

from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier, ThreatModel
from robfair.exceptions import CensoredDistanceWarning
from robfair.metrics import classifier_robustness
from robfair.scorers import make_robustness_scorer, rob_scorer


def with_value(X, value):
    X = X.copy()
    X[3, 1] = value
    return X


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "contains NaN"), (np.inf, "infinity"), (-np.inf, "infinity")]
)
def test_x_not_finite(make, data, value, message):
    with pytest.raises(ValueError, match=message):
        make().fit(with_value(data.X, value), data.y, groups=data.groups)
    clf = make().fit(data.X, data.y, groups=data.groups)
    with pytest.raises(ValueError, match=message):
        clf.predict(with_value(data.X, value))


@pytest.mark.parametrize("wrap", [sparse.csr_matrix, sparse.coo_array])
def test_sparse_x(make, data, wrap):
    with pytest.raises(TypeError, match=r"[Ss]parse data was passed.*dense"):
        make().fit(wrap(data.X), data.y, groups=data.groups)


def test_shape_of_x(make, data):
    with pytest.raises(ValueError, match="Expected 2D array, got 1D"):
        make().fit(data.X[:, 0], data.y, groups=data.groups)
    with pytest.raises(ValueError, match=r"Found array with dim 3"):
        make().fit(data.X[:, :, None], data.y, groups=data.groups)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make().fit(data.X, data.y[:-1], groups=data.groups)


def test_number_of_features_at_predict(make, data):
    clf = make().fit(data.X, data.y, groups=data.groups)
    for method in (clf.predict, clf.predict_proba):
        with pytest.raises(ValueError, match=r"X has 2 features.*expecting 3 features"):
            method(data.X[:, :2])


def test_y(make, data):
    with pytest.raises(ValueError, match=r"one class only, .*at least two classes"):
        make().fit(data.X, np.ones(len(data.X), dtype=int), groups=data.groups)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        make().fit(data.X, data.X[:, 0], groups=data.groups)
    with pytest.raises(ValueError, match="contains NaN"):
        make().fit(data.X, np.where(data.groups == 0, np.nan, data.y), groups=data.groups)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.zeros(7), "groups has 7 samples"),
        ([None] + ["a"] * 59 + ["b"] * 60, r"groups is missing \(NaN or None\) for 1 of 120"),
        ([np.nan] * 2 + [1.0] * 118, r"groups is missing \(NaN or None\) for 2 of 120"),
    ],
)
def test_groups(make, data, groups, message):
    with pytest.raises(ValueError, match=message):
        make().fit(data.X, data.y, groups=groups)


def test_groups_differ(make, data):
    with pytest.raises(ValueError, match=r"groups and sensitive_features.*they differ"):
        make().fit(data.X, data.y, groups=data.groups, sensitive_features=data.groups[::-1])


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["a"] * 120, r"FarmurClassifier compares groups.*only one \('a'\).*at least two"),
        (["a"] * 119 + ["b"], r"group 'b' has 1 sample\(s\).*Merge it with another group"),
    ],
)
def test_groups_that_cannot_be_judged(data, groups, message):
    with pytest.raises(ValueError, match=message):
        FarmurClassifier().fit(data.X, data.y, groups=groups)
    NaturalClassifier(max_epochs=1).fit(data.X, data.y, groups=groups)


BAD_PARAMETERS = [
    ({"eps": 0}, "'eps' parameter"),
    ({"eps": -0.1}, "'eps' parameter"),
    ({"eps": "0.1"}, "'eps' parameter"),
    ({"eps": np.inf}, "'eps' parameter"),
    ({"eps": np.nan}, "'eps' parameter"),
    ({"eps": [0.1]}, "'eps' parameter"),
    ({"norm": 1}, "'norm' parameter"),
    ({"n_steps": 0}, "'n_steps' parameter"),
    ({"n_steps": 2.5}, "'n_steps' parameter"),
    ({"step_size": 0}, "'step_size' parameter"),
    ({"beta": -1}, "'beta' parameter"),
    ({"objective": "mart"}, "'objective' parameter"),
    ({"optimizer": "adagrad"}, "'optimizer' parameter"),
    ({"batch_size": 0}, "'batch_size' parameter"),
    ({"max_epochs": -1}, "'max_epochs' parameter"),
    ({"lr": 0}, "'lr' parameter"),
    ({"validation_fraction": 0}, "'validation_fraction' parameter"),
    ({"validation_fraction": 1.0}, "'validation_fraction' parameter"),
    ({"distance_method": "exact?"}, "'distance_method' parameter"),
    ({"threat_model": "l2"}, "'threat_model' parameter"),
    ({"callbacks": "all"}, "'callbacks' parameter"),
    ({"net_params": [1]}, "'net_params' parameter"),
    ({"module": 5}, "'module' parameter"),
    ({"hidden_layer_sizes": 5}, "'hidden_layer_sizes' parameter"),
    ({"random_state": "one"}, "'random_state' parameter"),
]


@pytest.mark.parametrize("cls", [AdversarialClassifier, FarmurClassifier])
@pytest.mark.parametrize(
    ("parameters", "message"), BAD_PARAMETERS, ids=[str(p) for p, _ in BAD_PARAMETERS]
)
def test_parameters(data, cls, parameters, message):
    with pytest.raises(ValueError, match=message):
        cls(**parameters).fit(data.X, data.y, groups=data.groups)


@pytest.mark.parametrize(
    ("cls", "parameters"),
    [
        (NaturalClassifier, {"max_epochs": 0}),
        (AdversarialClassifier, {"max_epochs": 0}),
        (AdversarialClassifier, {"strategy": "farmur"}),
        (FarmurClassifier, {"retrain_epochs": 0}),
        (FarmurClassifier, {"reduction": "sum"}),
    ],
)
def test_parameters_of_one_class(data, cls, parameters):
    (name,) = parameters
    with pytest.raises(ValueError, match=f"'{name}' parameter of {cls.__name__}"):
        cls(**parameters).fit(data.X, data.y, groups=data.groups)


def test_bounds(data):
    with pytest.raises(ValueError, match="bounds cross: low is greater than high"):
        ThreatModel(bounds=(1.0, -1.0))
    for bounds, message in (
        ((-1.0, 1.0), r"X leaves the bounds in 3 feature\(s\)"),
        ((np.zeros(2), np.ones(2)), "do not fit samples of shape"),
    ):
        clf = FarmurClassifier(threat_model=ThreatModel(bounds=bounds))
        with pytest.raises(ValueError, match=message):
            clf.fit(data.X, data.y, groups=data.groups)


@pytest.mark.parametrize("max_epochs", [3, 1])
def test_divergence(make, data, max_epochs):
    """Also when it is the very last step that ruins the weights."""
    clf = make(optimizer="sgd", lr=1e37, batch_size=999, max_epochs=max_epochs)
    with pytest.raises(ValueError, match="diverged"):
        clf.fit(data.X, data.y, groups=data.groups)


def test_labels_that_the_classifier_does_not_know(make, data):
    clf = make().fit(data.X, data.y, groups=data.groups)
    y = np.where(data.groups == 0, 7, data.y)
    with pytest.raises(ValueError, match=r"labels that the model does not know: \[7\]"):
        rob_scorer(clf, data.X, y, sensitive_features=data.groups)


def test_a_group_seen_at_test_only(make, data):
    clf = make().fit(data.X, data.y, groups=data.groups)
    groups = np.where(np.arange(len(data.y)) % 4 == 0, 99, data.groups)
    scorer = make_robustness_scorer(classifier_robustness, tau_max=5.0)
    assert np.isfinite(scorer(clf, data.X, data.y, sensitive_features=groups))


def test_a_constant_classifier_is_judged_with_a_warning(data):
    module = nn.Linear(3, 2)
    nn.init.zeros_(module.weight)
    clf = FarmurClassifier(module=module, max_epochs=0, retrain_epochs=1, n_steps=1)
    with pytest.warns(CensoredDistanceWarning, match="no boundary was found for"):
        clf.fit(data.X, data.y, groups=data.groups)
    assert len(clf.vulnerable_groups_) == 0


@pytest.mark.parametrize("rules", [{"integer": True}, {"unit": 2.0}, {"categories": [[0, 1]]}])
def test_a_threat_model_of_tables_is_refused(data, rules):
    threat_model = ThreatModel(**rules)
    for clf in (AdversarialClassifier(), FarmurClassifier()):
        with pytest.raises(ValueError, match="know no categories, integer or unit"):
            clf.set_params(threat_model=threat_model).fit(data.X, data.y, groups=data.groups)


def test_bounds_of_the_data_are_those_of_x(data):
    X = data.X.astype(np.float32)
    given = ThreatModel(bounds=(X.min(axis=0), X.max(axis=0)))
    weights = []
    for threat_model in (ThreatModel(bounds="data"), given, ThreatModel()):
        clf = AdversarialClassifier(
            eps=1.0, threat_model=threat_model, max_epochs=2, random_state=0
        ).fit(X, data.y)
        weights.append(next(clf.module_.parameters()).detach().numpy())
        assert clf.threat_model is threat_model
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])

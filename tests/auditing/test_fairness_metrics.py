"""Metrics of fairness beside the distances: those of fairlearn and scikit-learn, as they are."""

import fairlearn.metrics as fm
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sm
import torch
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from torch import nn

from robfair import audit
from robfair.datasets import make_group_margins

DATA = make_group_margins(240, n_features=3, flip=(0.2, 0.1, 0.0), random_state=0)
Y = np.array(["<=50K", ">50K"])[DATA.y]
TRUE = (Y == ">50K").astype(int)
CLF = LogisticRegression().fit(DATA.X, Y)
PRED = (CLF.predict(DATA.X) == ">50K").astype(int)
PROBA = CLF.predict_proba(DATA.X)[:, 1]
OPTIONS = {"confidence": None, "eps": (), "examples": 0}


def run(model=CLF, y=Y, groups=DATA.groups, **options):
    return audit(model, DATA.X, y, sensitive_features=groups, **OPTIONS, **options)


def expected(function, second=PRED):
    """Compute a metric of all rows, and of each group."""
    parts = [function(TRUE[DATA.groups == g], second[DATA.groups == g]) for g in range(3)]
    return function(TRUE, second), parts


@pytest.mark.parametrize(
    ("metric", "oracle", "second"),
    [
        ("selection_rate", fm.selection_rate, PRED),
        ("true_positive_rate", fm.true_positive_rate, PRED),
        (fm.false_positive_rate, fm.false_positive_rate, PRED),
        ("precision_score", sm.precision_score, PRED),
        ("matthews_corrcoef", sm.matthews_corrcoef, PRED),
        ("roc_auc_score", sm.roc_auc_score, PROBA),
        ("brier_score_loss", sm.brier_score_loss, PROBA),
        ("calibration", lambda true, proba: proba.mean() - true.mean(), PROBA),
    ],
)
def test_a_metric_is_that_of_the_library(metric, oracle, second):
    result = run(metrics=metric)
    overall, by_group = expected(oracle, second)
    assert result.metrics_overall.iloc[0] == pytest.approx(overall)
    assert result.metrics.iloc[:, 0].tolist() == pytest.approx(by_group)
    assert result.metrics.index.equals(result.by_group.index)


def test_the_usual_ones_are_told_of_two_classes():
    names = ["selection_rate", "true_positive_rate", "false_positive_rate"]
    assert list(run().metrics) == [*names, "calibration"]
    assert run().settings["positive_label"] == ">50K"
    ridge = RidgeClassifier().fit(DATA.X, Y)
    assert list(run(ridge).metrics) == names  # it gives no probabilities


def test_of_three_classes_none_is_the_positive_one():
    y = DATA.y + (DATA.X[:, 0] > 1)
    clf = LogisticRegression().fit(DATA.X, y)
    assert run(clf, y).metrics.empty
    of_labels = run(clf, y, metrics="accuracy_score")
    np.testing.assert_allclose(of_labels.metrics["accuracy_score"], of_labels.by_group["accuracy"])
    with pytest.raises(ValueError, match="'selection_rate' is of one class, and there are 3"):
        run(clf, y, metrics="selection_rate")


def test_a_network_shows_how_many_classes_it_has_when_it_predicts():
    net = nn.Linear(3, 10)  # the rows that are audited have two of its ten labels
    with torch.no_grad():
        net.weight.copy_(torch.from_numpy(DATA.X[:10]))
    predicted = net(torch.from_numpy(DATA.X).float()).argmax(dim=1).numpy()
    two = np.unique(predicted)[:2]
    y = np.where(np.isin(predicted, two), predicted, two[0])
    result = run(net, y, n_check=0)
    assert len(np.unique(predicted)) > 2
    assert result.metrics.empty
    assert result.settings["positive_label"] is None
    named = run(net, y, n_check=0, favorable_label=two[0])
    np.testing.assert_allclose(
        named.metrics["selection_rate"],
        [np.mean(predicted[DATA.groups == g] == two[0]) for g in range(3)],
    )


def test_a_function_of_the_user_s_gets_the_labels_as_they_are():
    def share_of_rich(y_true, y_pred):
        return np.mean(y_true == ">50K")

    result = run(metrics={"rich": share_of_rich})
    assert result.metrics["rich"].tolist() == pytest.approx(expected(lambda t, _: t.mean())[1])


def test_crossed_groups_keep_their_names():
    crossed = pd.DataFrame({"size": DATA.groups, "odd": np.arange(len(Y)) % 2})
    result = run(groups=crossed)
    assert result.metrics.index.equals(result.by_group.index)
    rows = (crossed["size"] == 1) & (crossed["odd"] == 0)
    assert result.metrics["selection_rate"][1, 0] == pytest.approx(PRED[rows].mean())


@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        ("selection_rat", ValueError, "no metric 'selection_rat' .* Did you mean 'selection_rate'"),
        ("MetricFrame", ValueError, "no metric 'MetricFrame' of y_true and y_pred"),
        ("demographic_parity_difference", ValueError, "gives no number on true labels: TypeError"),
        ("confusion_matrix", ValueError, "gives no number on true labels"),
        ([fm.selection_rate, "selection_rate"], ValueError, "two of one name"),
        ([3], TypeError, "must be a name or a function; got 3"),
        (3, TypeError, "metrics must be names or functions"),
        ({"bad": lambda y_true, y_pred: 1 / 0}, ValueError, "'bad' gives no number"),
    ],
)
def test_what_is_no_metric_is_refused_before_any_work(metrics, error, message):
    class Untouched:
        classes_ = np.unique(Y)

        def predict_proba(self, X):
            raise AssertionError

        predict = predict_proba

    with pytest.raises(error, match=message):
        run(Untouched(), metrics=metrics)


def test_probabilities_need_a_model_that_has_them():
    ridge = RidgeClassifier().fit(DATA.X, Y)
    with pytest.raises(ValueError, match=r"'roc_auc_score' takes probabilities, and a .*Ridge"):
        run(ridge, metrics="roc_auc_score")

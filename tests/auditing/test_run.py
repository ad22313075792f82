"""The computation behind `audit`: its options are checked, and one search serves all."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from robfair import audit, boundary_distance, compare
from robfair.datasets import make_group_margins
from robfair.metrics import AUDIT_MEASURES

DATA = make_group_margins(40, n_features=3, random_state=0)
CLF = LogisticRegression().fit(DATA.X, DATA.y)


def run(model=CLF, **options):
    options = {"sensitive_features": DATA.groups, "confidence": None, **options}
    return audit(model, DATA.X, DATA.y, **options)


def test_the_rows_are_those_of_the_registry():
    assert run().overall.index.tolist() == [measure.symbol for measure in AUDIT_MEASURES]


def test_v_f_and_cv_stand_beside_what_noise_leaves_of_them():
    result = run()
    corrected = result.overall["corrected"]
    assert corrected.dropna().index.tolist() == ["V_f", "CV"]
    blocks = [result.distances.distance[DATA.groups == g] for g in np.unique(DATA.groups)]
    right = [np.where(DATA.y == result.distances.predicted, 1, 0)[DATA.groups == g]
             for g in np.unique(DATA.groups)]  # fmt: skip
    values = [np.where(ok, block, 0.0) for ok, block in zip(right, blocks, strict=True)]
    means = np.array([block.mean() for block in values])
    noise = np.mean([stats.sem(block) ** 2 for block in values]) * (1 - 1 / len(values))
    assert corrected["V_f"] == pytest.approx(means.var() - noise)
    assert corrected["CV"] == pytest.approx(np.sqrt(means.var() - noise) / means.mean())
    assert "less noise)" in str(result)
    # One group alike in all: less than nothing is left, which is shown as nothing.
    same = audit(CLF, np.repeat(DATA.X, 2, axis=0), np.repeat(DATA.y, 2),
                 sensitive_features=np.tile([0, 1], 2 * len(DATA.y) // 2))  # fmt: skip
    assert same.overall["corrected"][["V_f", "CV"]].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"confidence": 1.0}, ValueError, "confidence must be between 0 and 1; got 1.0"),
        ({"n_check": -1}, ValueError, "n_check must be a number of rows, 0 for none; got -1"),
        ({"examples": 1.5}, TypeError, "integer"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
    ],
)
def test_options_are_checked(options, error, message):
    with pytest.raises(error, match=message):
        run(**options)


@pytest.mark.slow
def test_the_seed_is_that_of_the_search_too():
    forest = RandomForestClassifier(5, random_state=0).fit(DATA.X, DATA.y)
    for seed in (0, 1):
        expected = boundary_distance(forest, DATA.X, y=DATA.y, random_state=seed)
        result = run(forest, random_state=seed, examples=0)
        assert_array_equal(result.distances.distance, expected.distance)


CONSTANT = DummyClassifier(strategy="constant", constant=1).fit(DATA.X, DATA.y)


@pytest.mark.parametrize(
    ("model", "y", "what"),
    [
        (CLF, 1 - DATA.y, "right on 0.0% of the rows"),
        (CONSTANT, DATA.y, f"predicts 1 for all {len(DATA.y)} rows"),
    ],
    ids=["reversed", "constant"],
)
@pytest.mark.filterwarnings("ignore::robfair.exceptions.UndefinedMetricWarning")
@pytest.mark.filterwarnings("ignore::robfair.exceptions.LabelsWarning")
def test_what_tells_nothing_comes_first_and_there_is_no_verdict(model, y, what):
    options = {"sensitive_features": DATA.groups, "confidence": None, "tau_max": 9.0}
    result = audit(model, DATA.X, y, **options)
    assert what in result.warnings[0]
    assert result.verdict().startswith("No verdict: nothing can be concluded")
    assert what.removeprefix("predicts") in result.verdict()
    text = " ".join(str(result).split())
    assert text.index(what) < text.index("measure")
    assert text.count(what) == 1
    markdown = result.to_markdown()
    assert markdown.index("No verdict") < markdown.index("|")
    both = compare({"good": CLF, "odd": model}, DATA.X, y, **options)
    assert both.verdict().startswith("No verdict: V_f, CV and Rob(f) are known, and mean something")
    assert both.verdict(baseline="odd").startswith("No verdict: nothing can be concluded of odd")
    if model is CONSTANT:
        of_good = both.verdict(baseline="good")
        assert of_good.startswith("Nothing can be concluded of odd: the model predicts 1")
    assert audit(CLF, DATA.X, DATA.y, **options).doubts == []

"""The rows that an audit tells in words: which they are, and what would have to change."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from torch import nn

from robfair import ThreatModel, _cache, audit, boundary_distance
from robfair._cache import shared_distance
from robfair.auditing._examples import feature_names
from robfair.datasets import make_group_margins
from robfair.distance import measure_distance

DATA = make_group_margins(120, n_features=3, flip=(0.2, 0.1, 0.0), random_state=0)
CLF = LogisticRegression().fit(DATA.X, DATA.y)
GROUPS = np.array(["a", "b", "c"])[DATA.groups]


def run(model=CLF, X=DATA.X, y=DATA.y, groups=GROUPS, **options):
    return audit(
        model, X, y, sensitive_features=groups, **{"confidence": None, "n_check": 0, **options}
    )


def linear(weight, bias=0.0):
    module = nn.Linear(len(weight), 2).double()
    w = torch.tensor(weight, dtype=torch.float64)
    with torch.no_grad():
        module.weight.copy_(torch.stack([-w / 2, w / 2]))
        module.bias.copy_(torch.tensor([-bias / 2, bias / 2]))
    return module


def test_the_nearest_correct_rows_of_each_group():
    result = run(examples=4)
    found = boundary_distance(CLF, DATA.X)
    correct = CLF.predict(DATA.X) == DATA.y
    for group in "abc":
        rows = [i for i in range(120) if GROUPS[i] == group and correct[i]]
        nearest = sorted(rows, key=lambda i: found.distance[i])[:4]
        told = result.examples[result.examples["group"] == group]
        assert told["row"].tolist() == nearest
        np.testing.assert_allclose(told["distance"], found.distance[nearest])
        assert_array_equal(told["label"], DATA.y[nearest])
        assert_array_equal(told["label after"], 1 - DATA.y[nearest])
    assert "index" not in result.examples


def test_words_against_a_change_that_is_known():
    # The boundary is 3 x0 + 4 x1 = 0, so that (1, 0.5) moves by -5 / 25 * (3, 4).
    X = np.array([[1.0, 0.5, 7.0], [-3.0, 1.0, 7.0]])
    result = run(linear([3.0, 4.0, 0.0]), X, [1, 0], groups=["a", "b"])
    assert result.examples["changed"].tolist() == [
        "feature 1 0.5 -> -0.3; feature 0 1 -> 0.4",
        "feature 1 1 -> 1.8; feature 0 -3 -> -2.4",
    ]
    assert "ThreatModel.from_transformer" in result.settings["examples"]


def test_three_are_named_and_the_rest_counted():
    X = np.ones((4, 6))
    result = run(linear([6.0, 5.0, 4.0, 3.0, 2.0, 0.0]), X, [1] * 4, groups=list("abab"))
    (words,) = set(result.examples["changed"])
    assert words.endswith("; and 2 smaller changes")
    assert [part.split(" ")[1] for part in words.split("; ")[:3]] == ["0", "1", "2"]
    one = run(linear([4.0, 3.0, 2.0, 1.0]), np.ones((2, 4)), [1, 1], groups=["a", "b"])
    assert one.examples["changed"][0].endswith("; and 1 smaller change")


def test_small_changes_of_large_numbers_are_told():
    X = np.array([[1e6 + 0.25], [1e6 + 0.5]])
    result = run(linear([1.0], -1e6), X, [1, 1], groups=["a", "b"])
    before, _, after = result.examples["changed"][0].removeprefix("feature 0 ").partition(" -> ")
    assert float(after) <= 1e6 < float(before)


def test_a_table_is_told_in_its_own_columns():
    rng = np.random.default_rng(0)
    people = pd.DataFrame(
        {"hours": rng.integers(10, 60, 80), "job": rng.choice(["Sales", "Tech"], 80)},
        index=[f"p{i}" for i in range(80)],
    )
    y = (people["hours"] + 12 * (people["job"] == "Tech") > 40).to_numpy()
    encode = make_column_transformer((StandardScaler(), ["hours"]), (OneHotEncoder(), ["job"]))
    model = make_pipeline(encode, LogisticRegression()).fit(people, y)
    threat_model = ThreatModel.from_transformer(model[0], people)
    result = run(model, people, y, groups=people["job"], threat_model=threat_model, examples=5)
    d = boundary_distance(model, people, y=y, threat_model=threat_model)
    rows = result.examples["row"]
    assert result.examples["changed"].tolist() == d.as_rows()["changed"].iloc[rows].tolist()
    assert result.examples["index"].tolist() == [f"p{i}" for i in rows]
    assert all(words.startswith(("hours", "job")) for words in result.examples["changed"])
    assert result.settings["examples"] == "Told in the original columns."
    assert result.settings["mutable"] == "hours, job"


def test_three_classes_tell_which_one_it_becomes():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000).fit(X, y)
    result = run(model, X, y, groups=np.where(X[:, 1] > 3, "wide", "narrow"), examples=20)
    points = boundary_distance(model, X).adversarial
    assert_array_equal(
        result.examples["label after"], model.predict(points[result.examples["row"]])
    )
    assert (result.examples["label"] != result.examples["label after"]).all()
    assert result.examples["label after"].nunique() > 1


def test_names_of_features():
    frame = pd.DataFrame(DATA.X, columns=["age", "hours", "gain"])
    named = LogisticRegression().fit(frame, DATA.y)
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, DATA.y)
    nameless = make_pipeline(FunctionTransformer(np.array), LogisticRegression()).fit(
        frame.to_numpy(), DATA.y
    )
    assert feature_names(named, frame.to_numpy(), 3) == ["age", "hours", "gain"]
    assert feature_names(scaled, frame, 3) == ["age", "hours", "gain"]
    assert feature_names(linear([1.0, 1.0, 1.0]), frame, 3) == ["age", "hours", "gain"]
    assert feature_names(nameless, frame, 3) == ["feature 0", "feature 1", "feature 2"]
    assert feature_names(CLF, DATA.X, 3) == ["feature 0", "feature 1", "feature 2"]
    mutable = ThreatModel(mutable=[True, False, True])
    assert run(named, frame, threat_model=mutable).settings["mutable"] == "age, gain"


class Image(nn.Module):
    def forward(self, x):
        s = x.flatten(1).sum(1)
        return torch.stack([-s, s], dim=1)


@pytest.mark.parametrize("shape", [(1, 4, 4), (600,)])
def test_images_are_not_told_in_words(shape):
    X = np.random.default_rng(0).normal(size=(40, *shape))
    result = run(Image(), X, (X.reshape(40, -1).sum(1) > 0).astype(int), groups=["a", "b"] * 20)
    assert result.examples.empty
    assert result.settings["examples"].startswith("Not told in words: the model sees images")


def test_none_are_kept_if_none_are_asked_for():
    result = run(examples=0)
    assert result.examples.empty
    assert result.settings["examples"] == "Left out, as was asked for (examples=0)."


def test_neither_samples_nor_points_are_kept():
    result = run()
    assert result.distances.X is None
    assert result.distances.adversarial is None


@pytest.fixture
def searches(monkeypatch):
    """Count the searches behind shared results, from an empty memory."""
    done = []

    def counted(*args, **options):
        done.append(options["return_adversarial"])
        return measure_distance(*args, **options)

    monkeypatch.setattr(_cache, "_RECENT", _cache._RecentResults())
    monkeypatch.setattr(_cache, "measure_distance", counted)
    return done


def test_one_search_serves_two_partitions_and_a_scorer(searches):
    run()
    run(groups=GROUPS[::-1])
    assert shared_distance(CLF, DATA.X, DATA.y).method == "linear"
    assert searches == [True]


def test_points_that_are_missing_are_searched_for(searches):
    shared_distance(CLF, DATA.X, DATA.y)
    assert not run().examples.empty
    assert searches == [False, True]

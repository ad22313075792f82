import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
)

from robfair import ThreatModel
from robfair.datasets import load_adult
from tables import dense, encoder, people

from_transformer = ThreatModel.from_transformer


def test_fields_by_hand():
    X = people()
    encode = encoder().fit(X)
    model = from_transformer(encode, X, sensitive_features="race", norm=np.inf, category_cost=2.0)
    scale = 1 / X[["age", "income"]].std(ddof=0).to_numpy()
    assert_allclose(model.units((9,)), 1)  # one standard deviation, standardised
    assert_allclose(model.spacing((9,)), [scale[0], *[0] * 8])
    assert_array_equal(model.mutable, [1, 1, 1, 1, 1, 0, 0, 1, 1])
    assert [block.columns for block in model.blocks] == [(2, 3, 4), (7, 8)]
    rows = dense(encode.transform(X))
    assert_array_equal(model.box((9,))[0][:2], rows[:, :2].min(axis=0))
    assert_array_equal(model.box((9,))[1], [*rows[:, :2].max(axis=0), *[np.inf] * 7])
    assert model.norm == np.inf
    assert model.category_cost == 2
    model.check(rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    "numeric",
    [
        "passthrough",
        MinMaxScaler((-3, 5)),
        MaxAbsScaler(),
        RobustScaler(),
        make_pipeline(SimpleImputer(), StandardScaler(), MinMaxScaler()),
        FunctionTransformer(np.negative),
    ],
    ids=str,
)
def test_units_and_steps_are_those_of_the_columns(numeric):
    X = people()
    X["income"] = X["income"].astype(np.float32)
    encode = encoder(numeric).fit(X)
    model = from_transformer(
        encode, X, mutable=["age", "income"], bounds={"age": (0, 120)}, unit={"age": 10}
    )
    moved = X.assign(age=X["age"] + 5, income=X["income"] + X["income"].std(ddof=0))
    rows, points = dense(encode.transform(X)), dense(encode.transform(moved))
    assert_allclose(model.cost(rows, points), np.sqrt(0.25 + 1), rtol=1e-5)
    inside = X["income"] + X["income"].std(ddof=0) <= X["income"].max()
    assert_array_equal(model.valid(rows, points), inside)
    box = encode.transform(X.iloc[:2].assign(age=[0, 120]))[:, 0]
    assert_array_equal(np.array(model.box((9,)))[:, 0], sorted(box))
    half = from_transformer(encode, X, mutable="age", bounds={"age": (0, np.inf)})
    open_side = np.inf * np.sign(box[1] - box[0])
    assert_array_equal(np.array(half.box((9,)))[:, 0], sorted([box[0], open_side]))
    unscaled = from_transformer(encode, X, mutable=["age", "income"], bounds=None, unit=None)
    assert unscaled.bounds is None
    both = np.hypot(5, X["income"].std(ddof=0))
    assert_allclose(unscaled.cost(rows, points), both, rtol=1e-5)


def test_a_pipeline_around_the_transformer():
    X = people()
    direct = from_transformer(encoder().fit(X), X)
    assert from_transformer(make_pipeline(encoder()).fit(X), X) == direct
    model = make_pipeline(encoder(), LogisticRegression()).fit(X, X["member"])
    assert from_transformer(model[:-1], X) == direct
    behind = make_pipeline(encoder(sparse_threshold=0), MinMaxScaler()).fit(X)
    scaled = from_transformer(behind, X)
    scaled.check(behind.transform(X))
    assert [len(block.codes) for block in scaled.blocks] == [3, 2, 2]
    only = from_transformer(StandardScaler().fit(X[["age", "income"]]), X)
    assert only.mutable.tolist() == [True, True]


def test_nothing_of_the_users_is_changed():
    X = people()
    scaler = StandardScaler(copy=False)
    encode = encoder(scaler).fit(X.copy())
    before, state = X.copy(), pickle.dumps(encode)
    from_transformer(encode, X)
    pd.testing.assert_frame_equal(X, before)
    assert pickle.dumps(encode) == state


def test_the_threat_model_travels():
    X = people()
    encode = encoder().fit(X)
    model = from_transformer(encode, X)
    rows = dense(encode.transform(X))
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), model.bind(rows)):
        assert other == model
        assert (other.as_rows(rows, X)["changed"] == "").all()


def test_columns_that_cannot_change_stay():
    X = people().assign(constant=1.0, note="same", key=range(40))
    encode = make_column_transformer(
        (StandardScaler(), ["age", "constant"]), (OneHotEncoder(), ["note", "job"])
    ).fit(X)
    model = from_transformer(encode, X)
    assert_array_equal(model.mutable, [True, False, False, True, True, True])
    for name, match in [
        ("constant", "column 'constant' holds one value only in X; leave it out of `mutable`"),
        ("note", "column 'note' holds one value only"),
        ("key", "column 'key' changes nothing for the transformer; leave it out"),
    ]:
        with pytest.raises(ValueError, match=match):
            from_transformer(encode, X, mutable=["age", name])
    # With bounds and a unit there is something to move by.
    model = from_transformer(
        encode, X, mutable="constant", bounds={"constant": (0, 2)}, unit={"constant": 1}
    )
    assert_array_equal(model.mutable, [False, True, False, False, False, False])


def bad_calls():
    """The name of each case, what is wrong with it, and the error."""
    yield "no DataFrame", {"X": np.zeros((3, 2))}, TypeError, "X must be a pandas DataFrame"
    yield "polars", {"X": pl.DataFrame({"a": [1]})}, TypeError, r"polars DataFrame.*\.to_pandas"
    yield "no rows", {"X": people().iloc[:0]}, ValueError, "X is empty"
    yield "no transform", {"transformer": LogisticRegression()}, TypeError, r"pipeline\[:-1\]"
    yield "not fitted", {"transformer": encoder()}, NotFittedError, "not fitted"
    bare = StandardScaler().fit(np.zeros((3, 2)))
    yield "no names", {"transformer": bare}, ValueError, "was not fitted on a DataFrame"
    yield "lost column", {"X": people().drop(columns="job")}, ValueError, "X has no column 'job'"
    twice = people()
    twice.columns = ["age", "age", "job", "race", "member"]
    yield "column twice", {"X": twice}, ValueError, "X has two columns 'age'"
    yield "mutable", {"mutable": ["age", "agee"]}, ValueError, "mutable names 'agee', which is not"
    yield "sensitive", {"sensitive_features": "sex"}, ValueError, "sensitive_features names 'sex'"
    both = {"mutable": ["age", "race"], "sensitive_features": ["race"]}
    yield "both", both, ValueError, "'race' is in `mutable` and in `sensitive_features`"
    yield "nothing", {"mutable": []}, ValueError, "no feature may change"
    yield "unseen", {"X": people().assign(job="pilot")}, ValueError, "'job' holds 'pilot', which"
    yield "bounds", {"bounds": "box"}, TypeError, "bounds must be 'data', None or a mapping"
    yield "bounds of", {"bounds": {"agee": (0, 1)}}, ValueError, "bounds names 'agee'"
    yield (
        "bounds job",
        {"bounds": {"job": (0, 1)}},
        ValueError,
        "'job', which is not a mutable num",
    )
    yield "pair", {"bounds": {"age": 3}}, TypeError, r"of 'age' must be a pair"
    yield "crossed", {"bounds": {"age": (9, 3)}}, ValueError, "the bounds of 'age' cross"
    yield "NaN", {"bounds": {"age": (np.nan, 3)}}, ValueError, "the bounds of 'age' cross or are N"
    part = {"bounds": {"age": (0.5, 200)}}
    yield "fraction", part, ValueError, "an integer feature with a fractional box: 'age'.* by 0.5"
    tight = {"bounds": {"age": (20, 200)}}
    yield "outside", tight, ValueError, r"X leaves the bounds of 'age', \[20, 200\]: it runs from 1"
    yield "unit", {"unit": 3}, TypeError, "unit must be 'std', None or a mapping"
    yield "unit of", {"unit": {"race": 3}}, ValueError, "unit names 'race'"
    yield "unit 0", {"unit": {"age": 0}}, ValueError, "the unit of 'age' must be positive"
    yield "integer", {"integer": "agee"}, ValueError, "integer names 'agee'"
    yield "integer job", {"integer": "job"}, ValueError, "'job', which is not a numeric column"
    yield "integer income", {"integer": ["income"]}, ValueError, "'income', which holds"
    yield "norm", {"norm": 1}, ValueError, "norm must be 2"
    yield "cost", {"category_cost": -1}, ValueError, "category_cost must be a positive"


@pytest.mark.parametrize(
    ("changes", "error", "match"), [c[1:] for c in bad_calls()], ids=[c[0] for c in bad_calls()]
)
def test_bad_arguments(changes, error, match):
    given = {"transformer": encoder().fit(people()), "X": people()} | changes
    transformer, X = given.pop("transformer"), given.pop("X")
    with pytest.raises(error, match=match):
        from_transformer(transformer, X, **given)


@pytest.mark.slow
def test_adult():
    X = load_adult(split="test").data
    encode = make_column_transformer(
        (OneHotEncoder(), make_column_selector(dtype_include="category")),
        remainder=StandardScaler(),
    ).fit(X)
    few = X.iloc[:300]
    model = from_transformer(encode, X, sensitive_features=["race", "sex"])
    assert len(model.blocks) == 6
    assert np.count_nonzero(model.integer) == 6
    rows = dense(encode.transform(few))
    model.check(rows)
    shuffled = few.sample(frac=1, random_state=0).reset_index(drop=True)
    stay = few[["race", "sex"]].reset_index(drop=True)
    points = dense(encode.transform(shuffled.assign(race=stay["race"], sex=stay["sex"])))
    assert model.valid(rows, points).all()
    numeric = X.select_dtypes("number").columns
    delta = (shuffled[numeric] - few[numeric].reset_index(drop=True)) / X[numeric].std(ddof=0)
    other = [c for c in X.columns if c not in {*numeric, "race", "sex"}]
    changed = shuffled[other].to_numpy() != few[other].to_numpy()
    expected = np.sqrt((delta**2).sum(axis=1) + changed.sum(axis=1))
    assert_allclose(model.cost(rows, points), expected, rtol=1e-9)
    read = model.as_rows(rows, rows).drop(columns="changed")
    pd.testing.assert_frame_equal(read, few.reset_index(drop=True))
    # A sample outside of the box is named by its column, in its units.
    with pytest.raises(ValueError, match=r"the first is column 'age', where X runs from .* to 91"):
        model.check(dense(encode.transform(few.assign(age=91))))

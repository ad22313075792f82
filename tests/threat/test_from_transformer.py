import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from robfair import ThreatModel
from robfair.datasets import load_adult

from_transformer = ThreatModel.from_transformer


def people(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(17, 90, n),
            "income": rng.lognormal(1, 1, n),
            "job": rng.choice(["clerk", "nurse", "cook"], n),
            "race": pd.Categorical(rng.choice(["x", "y"], n)),
            "member": rng.random(n) < 0.5,
        },
        index=np.arange(n) * 3,
    )


def encoder(numeric=None, categorical=None, **options):
    return make_column_transformer(
        (StandardScaler() if numeric is None else numeric, ["age", "income"]),
        (OneHotEncoder() if categorical is None else categorical, ["job", "race", "member"]),
        **options,
    )


def dense(rows):
    return rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)


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


@pytest.mark.parametrize(
    ("categorical", "n_categories"),
    [
        (OneHotEncoder(sparse_output=False), [3, 2, 2]),
        (OneHotEncoder(sparse_output=False, drop="first"), [3, 2, 2]),
        (
            OneHotEncoder(sparse_output=False, drop="if_binary", handle_unknown="ignore"),
            [3, 2, 2],
        ),
        (OrdinalEncoder(), [3, 2, 2]),
        (make_pipeline(OrdinalEncoder(), StandardScaler()), [3, 2, 2]),
        (make_pipeline(OneHotEncoder(sparse_output=False), StandardScaler()), [3, 2, 2]),
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"), OneHotEncoder(sparse_output=False)
            ),
            [3, 2, 2],
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("output", ["default", "pandas"])
def test_encoders(categorical, n_categories, output):
    X = people()
    encode = encoder(categorical=categorical, sparse_threshold=0)
    encode.set_output(transform=output).fit(X)
    model = from_transformer(encode, X)
    assert [len(block.codes) for block in model.blocks] == n_categories
    rows = dense(encode.transform(X))
    model.check(rows)
    for column, block in zip(["job", "race", "member"], model.blocks, strict=True):
        same = X[column].to_numpy() == X[column].to_numpy()[:, None]
        assert_array_equal(block.find(rows) == block.find(rows)[:, None], same)


def test_categories_of_the_encoder_and_not_only_of_x():
    X = people()
    model = from_transformer(encoder().fit(X), X[X["job"] != "cook"])
    assert len(model.blocks[0].codes) == 3
    # Without an encoder, those that X holds; clerk and nurse are of one length.
    lengths = FunctionTransformer(lambda frame: frame.apply(lambda column: column.str.len()))
    encode = make_column_transformer((lengths, ["job"]), (StandardScaler(), ["age"])).fit(X)
    assert_array_equal(from_transformer(encode, X, mutable="job").blocks[0].codes, [[4], [5]])


def test_infrequent_categories_are_one():
    X = people(200)
    X["job"] = ["clerk"] * 100 + ["nurse"] * 90 + ["cook"] * 7 + ["smith"] * 3
    encode = encoder(categorical=OneHotEncoder(min_frequency=20)).fit(X)
    model = from_transformer(encode, X, mutable="job")
    assert len(model.blocks[0].codes) == 3
    points = dense(encode.transform(X.assign(job="smith").iloc[[0, 195, 199]]))
    rows = model.as_rows(points, X.iloc[[0, 195, 199]])
    assert rows["job"].tolist() == ["cook", "cook", "smith"]
    assert rows["changed"].tolist() == ["job clerk -> cook or smith", "", ""]


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


@pytest.mark.parametrize(
    ("numeric", "match"),
    [
        (KBinsDiscretizer(5, encode="ordinal", quantile_method="averaged_inverted_cdf"), "affine"),
        (KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), "is made into . features"),
        (FunctionTransformer(np.log), "'age' is not mapped by an affine function.*'num'; leave"),
        (PCA(), "'age' is mixed with 'income' by 'num'; leave it out of `mutable`"),
        (PolynomialFeatures(interaction_only=True), "is mixed with"),
        (SimpleImputer(add_indicator=True), "depends on several columns together, or on whether"),
        (FunctionTransformer(lambda x: x.where(x != 33, 0)), "not mapped by an affine"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_what_is_not_affine_must_not_be_mutable(numeric, match):
    X = people(300)
    if isinstance(numeric, SimpleImputer):
        X.loc[X.index[:3], "income"] = np.nan
    categorical = ("cat", OneHotEncoder(), ["job"])
    encode = ColumnTransformer([("num", numeric, ["age", "income"]), categorical]).fit(X)
    with pytest.raises(ValueError, match=match):
        from_transformer(encode, X)
    model = from_transformer(encode, X, sensitive_features=["age", "income"])
    assert len(model.blocks) == 1
    assert model.integer is None


def test_columns_that_meet_elsewhere_are_found():
    X = people(300)

    def crossed(frame):
        # Age enters the second feature only for nurses of 80 and more.
        old_nurse = (frame["job"] == "nurse") & (frame["age"] >= 80)
        clerk = (frame["job"] == "clerk").astype(float)
        return np.column_stack([frame["age"], np.where(old_nurse, 7, frame["income"]), clerk])

    encode = FunctionTransformer(crossed, feature_names_out=None).fit(X)
    encode.feature_names_in_ = np.array(X.columns)
    with pytest.raises(ValueError, match=r"feature . of .* depends on several|is mixed with"):
        from_transformer(encode, X, mutable=["age", "job"])


def bad_calls():
    """The name of each case, what is wrong with it, and the error."""
    yield "no DataFrame", {"X": np.zeros((3, 2))}, TypeError, "X must be a DataFrame"
    yield "no rows", {"X": people().iloc[:0]}, ValueError, "X is empty"
    yield "no transform", {"transformer": LogisticRegression()}, TypeError, r"pipeline\[:-1\]"
    yield "not fitted", {"transformer": encoder()}, NotFittedError, "not fitted"
    bare = StandardScaler().fit(np.zeros((3, 2)))
    yield "no names", {"transformer": bare}, ValueError, "was not fitted on a DataFrame"
    yield "lost column", {"X": people().drop(columns="job")}, ValueError, "X has no column 'job'"
    twice = people()
    twice.columns = ["age", "age", "job", "race", "member"]
    yield "column twice", {"X": twice}, ValueError, "X has two columns 'age'"
    yield "mutable", {"mutable": ["age", "agee"]}, ValueError, "mutable names 'agee', which is no"
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
        "'job', which is no mutable num",
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
    yield "integer job", {"integer": "job"}, ValueError, "'job', which is no numeric column"
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


def test_transformers_that_leave_something_out():
    X = people()
    strings = make_column_transformer((StandardScaler(), ["age"]), remainder="passthrough").fit(X)
    with pytest.raises(ValueError, match="must return numbers only"):
        from_transformer(strings, X)
    X.loc[X.index[0], "income"] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity in feature 1: put an imputer"):
        from_transformer(encoder().fit(X), X)
    imputed = encoder(make_pipeline(StandardScaler(), SimpleImputer())).fit(X)
    from_transformer(imputed, X)


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

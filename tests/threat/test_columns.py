"""Columns of transformers, read by probing, through the threat models made of them."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
)

from robfair import ThreatModel
from tables import dense, encoder, people

from_transformer = ThreatModel.from_transformer


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


@pytest.mark.parametrize(
    ("numeric", "match"),
    [
        (KBinsDiscretizer(5, encode="ordinal", quantile_method="averaged_inverted_cdf"), "affine"),
        (KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), "is made into . features"),
        (FunctionTransformer(np.log), "'age' is not mapped by an affine function.*'num'; leave"),
        (PCA(), "'age' is mixed with 'income' by 'num'; leave it out of `mutable`"),
        (PolynomialFeatures(interaction_only=True), "is mixed with"),
        (FunctionTransformer(lambda x: x.where(x != 33, 0)), "not mapped by an affine"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_what_is_not_affine_must_not_be_mutable(numeric, match):
    X = people(300)
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

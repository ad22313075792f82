import numpy as np
from numpy.testing import assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from robfair import ThreatModel
from robfair.threat import rows_by_gaps
from tables import encoder, people


def test_rows_by_the_columns_in_which_they_miss_a_value():
    X = people().drop(columns=["income", "race", "member"])
    X["age"] = X["age"].where(np.arange(40) % 4 > 0)
    X["job"] = X["job"].where(np.arange(40) % 8 > 1)
    encode = make_column_transformer((SimpleImputer(), ["age"]), (OneHotEncoder(), ["job"])).fit(X)
    threat_model = ThreatModel.from_transformer(encode, X)
    assert [len(block.codes) for block in threat_model.blocks] == [4]  # a gap is a category
    parts = rows_by_gaps(threat_model, X)
    assert_array_equal(np.sort(np.concatenate([rows for rows, _ in parts])), np.arange(40))
    for rows, part in parts:
        gaps = X.iloc[rows].isna()
        assert (gaps == gaps.iloc[0]).all(axis=None)
        age, job = gaps.iloc[0]
        if age and job:
            assert part is None
            continue
        assert_array_equal(part.mutable, [not age, *[not job] * 4])
        assert [len(block.codes) for block in part.blocks] == [3] * (not job)


def test_a_table_without_gaps_is_one_part():
    X = people()
    assert rows_by_gaps(ThreatModel.from_transformer(encoder().fit(X), X), X) is None
    assert rows_by_gaps(ThreatModel(), X) is None

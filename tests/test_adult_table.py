"""UCI Adult as arrays."""

import numpy as np

from robfair._adult_table import CATEGORIES, NUMBERS, adult_table


def test_the_table_is_standardised_and_within_its_bounds():
    table = adult_table()
    numbers = table.X_train[:, : len(NUMBERS)]
    np.testing.assert_allclose(numbers.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(numbers.std(axis=0), 1, atol=1e-3)  # float32 sums
    one_hot = table.X_train[:, len(NUMBERS) :]
    assert set(np.unique(one_hot)) == {0, 1}
    assert (one_hot.sum(axis=1) == len(CATEGORIES)).all()
    table.threat_model.check(table.X_test)
    assert np.asarray(table.threat_model.mutable).sum() == len(NUMBERS)

"""Each warning can be silenced or escalated alone, and errors are what one would catch."""

from itertools import permutations

import pytest

from robfair import exceptions

ALL = [getattr(exceptions, name) for name in exceptions.__all__]
WARNINGS = [each for each in ALL if issubclass(each, Warning)]


def test_all_are_public_and_described():
    own = {name for name, each in vars(exceptions).items() if isinstance(each, type)}
    assert own == set(exceptions.__all__)
    assert all(each.__doc__ for each in ALL)
    assert all(issubclass(each, UserWarning | ValueError) for each in ALL)


@pytest.mark.parametrize(("one", "other"), list(permutations(WARNINGS, 2)))
def test_no_warning_is_another(one, other):
    assert not issubclass(one, other)

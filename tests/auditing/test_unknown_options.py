"""Unknown keywords: the message names the function, the keyword, and what to type instead."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from robfair import audit, compare

X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
Y = np.array([0, 0, 1, 1])
CLF = LogisticRegression().fit(X, Y)
CALLS = pytest.mark.parametrize(("function", "models"), [(audit, CLF), (compare, {"a": CLF})])


@CALLS
@pytest.mark.parametrize("name", ["eps_max", "n_steps", "step_size"])
def test_an_option_of_an_attack_leads_to_the_attacks(function, models, name):
    message = rf"{function.__name__} has no option '{name}'. .*robust_accuracy has the options"
    with pytest.raises(TypeError, match=message):
        function(models, X, Y, sensitive_features=Y, **{name: 0.1})


@CALLS
def test_draws_of_a_bootstrap_are_not_needed(function, models):
    with pytest.raises(
        TypeError, match=r"no option 'n_boot'. Intervals need no resampling: .*None"
    ):
        function(models, X, Y, sensitive_features=Y, n_boot=100)


@CALLS
def test_a_slip_of_the_pen_is_put_right(function, models):
    message = rf"{function.__name__} has no option 'n_chek'. Did you mean 'n_check'\?"
    with pytest.raises(TypeError, match=message):
        function(models, X, Y, sensitive_features=Y, n_chek=5)


@CALLS
def test_an_option_unlike_any_other_gets_a_list(function, models):
    message = rf"{function.__name__} has no option 'zzz'. There are 'sensitive_features', .* more\."
    with pytest.raises(TypeError, match=message):
        function(models, X, Y, sensitive_features=Y, zzz=5)

"""The ready-made scorers are the measures of the registry, and get_scorer gives copies."""

import inspect

import pytest

from robfair import get_scorer, get_scorer_names
from robfair.metrics import find_measure


def test_names():
    assert get_scorer_names() == sorted(get_scorer_names())
    assert {"rob", "neg_v_f", "neg_cau", "neg_eou"} <= set(get_scorer_names())
    for name in get_scorer_names():
        assert repr(get_scorer(name)).startswith("make_robustness_scorer(")
    with pytest.raises(ValueError, match=r"name must be a scorer .*neg_v_f.*got 'v_f'"):
        get_scorer("v_f")


def test_get_scorer_gives_a_copy():
    scorer = get_scorer("rob").set_score_request(sensitive_features="race")
    requests = scorer.get_metadata_routing().score.requests
    assert requests == {"sensitive_features": "race"}
    assert get_scorer("rob").get_metadata_routing().score.requests == {"sensitive_features": True}


@pytest.mark.parametrize(
    ("name", "key"), [("rob", "rob_f"), *((n, n[4:]) for n in get_scorer_names() if n != "rob")]
)
def test_a_name_gives_the_measure_of_the_registry(name, key):
    scorer, measure = get_scorer(name), find_measure(key)
    assert scorer.metric is measure.function
    assert scorer.sign == (1 if measure.greater_is_better else -1)
    assert name.startswith("neg_") != measure.greater_is_better


def test_the_options_of_cru_are_those_of_its_form():
    """The least eps is capped where its search ends; a success has an eps and no cap."""
    by_eps, by_success = get_scorer("neg_cru_eps"), get_scorer("neg_cru_s")
    assert by_eps.attack_params["eps_max"] == by_eps.metric_params["eps_max"]
    assert set(by_success.attack_params) == {"eps"}
    assert by_success.metric_params == {}
    assert {"eps_max", "success"} <= set(inspect.signature(by_eps.metric).parameters)

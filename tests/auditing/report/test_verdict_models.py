"""The verdict on several models: told apart by tests on the same rows, with its limits."""

from dataclasses import replace

import numpy as np
import pytest

from robfair.auditing import Comparison
from robfair.exceptions import CensoredDistanceWarning

RNG = np.random.default_rng(0)
NEAR, FAR = RNG.uniform(0.3, 0.5, 200), RNG.uniform(0.6, 0.8, 200)


def test_models_are_told_apart_on_the_same_rows(models):
    near = {"a": NEAR, "b": NEAR + 0.01}
    far = {"a": NEAR, "b": FAR}
    text = models(even=near, uneven=far).verdict()
    assert text.startswith("V_f is smallest for even, ")
    assert ": by more than the error of sampling. Rob(f) is largest for uneven, " in text
    assert "V_f falls with Rob(f), and even does not have the largest" in text
    twice = models(one=far, two=far).verdict()
    assert twice.startswith("V_f is smallest for one, ")
    assert "no more than chance can make of models that are equal in it" in twice
    three = models(one=near, two=far, three=near).verdict()
    assert "by more than the error of sampling, except against three, where it may be" in three


def test_a_model_without_measures(models):
    known = {"a": NEAR, "b": FAR}
    with pytest.warns(CensoredDistanceWarning):
        some = models(one=known, two=known, lost={"a": NEAR, "b": np.append(FAR, np.inf)})
    assert "Nothing is said of lost: V_f, CV or Rob(f) is not known." in some.verdict()
    assert "There are warnings" not in some.verdict()
    only = Comparison({n: some.audits[n] for n in ("one", "lost")})
    assert only.verdict().startswith("No verdict: V_f, CV and Rob(f) are known, and mean")
    alone = Comparison({"one": some.audits["one"]})
    assert alone.verdict().startswith("One model, one. A small change flips ")


def test_limits_of_a_comparison(models):
    both = models(one={"a": NEAR, "b": FAR}, two={"a": NEAR, "b": FAR})
    audits = dict(both.audits)
    audits["two"] = replace(
        audits["two"], distances=replace(audits["two"].distances, method="auto"), warnings=("hm",)
    )
    text = Comparison(audits).verdict()
    assert "come from different methods (auto, linear)" in text
    assert "There are warnings for two, which limit" in text

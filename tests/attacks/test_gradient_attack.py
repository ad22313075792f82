"""One run: where it starts, how long its steps are, and what it counts."""

import copy

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal

from oracles import Rows, linear_layer, network, predict_with, random_linear
from robfair import ThreatModel
from robfair.attacks import attack, least_eps, robust_accuracy

NORMS = [2, np.inf]
NET = network([4, 8, 3])
X = np.random.default_rng(0).normal(size=(40, 4))
CLEAN = predict_with(NET)(X)
Y = np.where(np.arange(40) % 7 == 0, (CLEAN + 1) % 3, CLEAN)  # some are wrong


@pytest.mark.parametrize("norm", NORMS)
def test_fgsm_is_one_step_of_length_eps(norm):
    rng = np.random.default_rng(1)
    weight, bias, samples = random_linear(rng, 2)
    free = np.arange(6) > 1
    threat_model = ThreatModel(norm, mutable=free)
    result = attack(
        linear_layer(weight, bias), samples, eps=0.1, method="fgsm", threat_model=threat_model
    )
    # All of eps is spent on features that may change.
    way = free * (weight[1 - result.predicted] - weight[result.predicted])
    way = np.sign(way) if norm == np.inf else way / np.linalg.norm(way, axis=1, keepdims=True)
    assert_allclose(result.adversarial, samples + 0.1 * way, rtol=1e-9, atol=1e-12)
    assert_array_equal(result.n_backward, 1)


@pytest.mark.parametrize("options", [{"norm": 2}, {"norm": np.inf}, {"norm": 2, "method": "kl"}])
def test_batches_do_not_matter(options):
    threat_model = ThreatModel(options["norm"])
    results = [
        attack(
            NET, X, Y, eps=0.3, n_restarts=3, batch_size=size, threat_model=threat_model,
            method=options.get("method", "pgd"),
        )
        for size in (13, None)
    ]  # fmt: skip
    for other in results[1:]:
        assert_array_equal(other.success, results[0].success)
        # Rows that are fooled wait in a batch for others to leave, which counts as passes.
        assert_allclose(other.adversarial, results[0].adversarial, rtol=1e-6, atol=1e-9)


def check_same(one, other):
    for name, value in vars(one).items():
        if isinstance(value, np.ndarray):
            assert_array_equal(getattr(other, name), value, name)


JOBS = {
    "steps": (NET, X, {"eps": 0.3, "n_restarts": 2}),
    "L2": (NET, X, {"eps": 0.3, "threat_model": ThreatModel(2), "nearest": False}),
    "kl": (NET, X, {"eps": 0.3, "method": "kl"}),
    "fgsm": (NET, X, {"eps": 0.3, "method": "fgsm"}),
    "target": (NET, X, {"eps": 0.5, "target": np.arange(40) % 3}),
    "transfer": (NET, X, {"eps": 0.3, "transfer_from": network([4, 6, 3])}),
    "least eps": (NET, X, {"eps_max": 1.0, "n_bisections": 3, "n_steps": 5}),
    "distance": (NET, X, {"eps_max": 1.0, "method": "distance"}),
    "rows": (NET, np.round(X), {"eps": 1.0, "threat_model": ThreatModel(integer=True)}),
}


@pytest.mark.parametrize("case", JOBS)
def test_jobs_change_nothing(case):
    model, rows, options = JOBS[case]
    search = attack if "eps" in options else least_eps
    alone = search(model, rows, batch_size=7, **options)
    with parallel_config("threading"):
        check_same(alone, search(model, rows, batch_size=7, n_jobs=3, **options))
        with parallel_config("threading", n_jobs=2):
            check_same(alone, search(model, rows, batch_size=7, **options))


@pytest.mark.slow
def test_processes_change_nothing():
    for case in ("steps", "target", "transfer", "least eps"):
        model, rows, options = JOBS[case]
        search = attack if "eps" in options else least_eps
        alone = search(model, rows, batch_size=7, **options)
        check_same(alone, search(model, rows, batch_size=7, n_jobs=2, **options))
    grid = [0.1, 0.3]
    pd.testing.assert_series_equal(
        robust_accuracy(NET, X, Y, grid, batch_size=7, n_jobs=2),
        robust_accuracy(NET, X, Y, grid, batch_size=7),
    )


def test_jobs_are_refused_before_work_starts():
    for search, size in ((attack, {"eps": 1}), (least_eps, {"eps_max": 1})):
        with pytest.raises(ValueError, match="n_jobs must be a number of processes"):
            search(NET, X, n_jobs=0, **size)


def test_every_pass_is_counted():
    module = copy.deepcopy(NET)
    rows = Rows(module)
    result = attack(module, X, Y, eps=0.3, n_restarts=2, batch_size=16)
    # All, to see what the module returns, and two checks: of the attack and the nearest points.
    assert sum(rows.forward) - len(X) - 2 == result.n_forward.sum()
    assert sum(rows.backward) - 2 == result.n_backward.sum()
    # Few steps where that is enough.
    fooled = result.success & (result.size > 0)
    assert np.median(result.n_backward[fooled]) < 10
    assert (result.n_backward[~result.success] > 40).all()
    assert (result.n_backward[result.size == 0] == 0).all()

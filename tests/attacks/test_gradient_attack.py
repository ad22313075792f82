"""One run: where it starts, how long its steps are, and what it counts."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from oracles import Rows, linear_layer, network, predict_with, random_linear
from robfair import ThreatModel
from robfair.attacks import attack

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

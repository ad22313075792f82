"""Results of attacks tell what they are."""

import pickle
from dataclasses import replace

import numpy as np
from sklearn.linear_model import LogisticRegression

from robfair.attacks import attack, least_eps

X, Y = np.array([[0.0], [1.0], [3.0], [4.0]]), np.array([0, 0, 1, 0])
MODEL = LogisticRegression().fit(X, [0, 0, 1, 1])


def test_an_attack_result():
    result = attack(MODEL, X, Y, eps=1.5)
    assert len(result) == 4
    assert result.success_rate == 0.75
    text = "AttackResult(3 of 4 samples fooled, 1 of them unperturbed; eps=1.5, method='pgd', "
    assert repr(result) == text + "ThreatModel(norm=inf))"
    assert repr(pickle.loads(pickle.dumps(result))) == repr(result)
    made = replace(result, transfer_from="forest", eps=np.array([0.1, 0.2, 0.3, 0.4]))
    assert "eps=0.1 to 0.4, method='pgd', examples made for forest" in repr(made)


def test_a_least_eps():
    result = least_eps(MODEL, X, Y, eps_max=1.5, method="distance")
    assert len(result) == 4
    assert repr(result) == (
        "LeastEps(4 samples: 2 found, 1 wrong, 1 censored; mean eps of those found 1; "
        "eps_max=1.5, method='distance', ThreatModel(norm=inf))"
    )
    assert "mean eps of those found none" in repr(least_eps(MODEL, X, Y, eps_max=1e-9))

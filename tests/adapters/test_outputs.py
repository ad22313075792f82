import pickle

import pytest
import torch

from robfair.adapters._outputs import Kept, are_distributions, log_odds, log_probability


def test_probabilities_become_logits():
    z = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(log_probability(z.softmax(dim=1)), z.log_softmax(dim=1))
    torch.testing.assert_close(log_odds(z.sigmoid()), z)
    ends = torch.tensor([[0.0, 1.0]])
    assert log_probability(ends).isfinite().all()
    assert log_odds(ends).isfinite().all()


@pytest.mark.parametrize(
    ("rows", "are"),
    [([[0.25, 0.75]], True), ([[0.5, 0.6]], False), ([[-0.5, 1.5]], False), ([[1.0, 0.0]], True)],
)
def test_distributions(rows, are):
    assert are_distributions(torch.tensor(rows)) == are


def test_kept_columns_survive_a_pickle():
    kept = pickle.loads(pickle.dumps(Kept((0, 2))))
    assert kept(torch.tensor([[1, 2, 3]])).tolist() == [[1, 3]]

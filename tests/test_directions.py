"""The directions that attacks climb: those of the losses, but where these saturate."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional as F

from robfair._directions import away_from_label, away_from_prediction


def normalised(rows):
    return rows / rows.abs().amax(dim=1, keepdim=True)


def random_logits(seed, n_classes):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 8, n_classes, generator=generator, dtype=torch.float64) * 3


@given(seed=st.integers(0, 2**32 - 1), n_classes=st.integers(2, 6))
def test_away_from_label_is_the_direction_of_the_cross_entropy(seed, n_classes):
    logits = random_logits(seed, n_classes)[0].requires_grad_(True)
    label = torch.arange(8) % n_classes
    loss = F.cross_entropy(logits, label, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, logits)
    found = away_from_label(logits.detach(), label)
    assert_allclose(normalised(found), normalised(gradient), rtol=1e-6, atol=1e-9)


@given(seed=st.integers(0, 2**32 - 1), n_classes=st.integers(2, 6))
def test_away_from_prediction_is_the_direction_of_the_divergence(seed, n_classes):
    clean, logits = random_logits(seed, n_classes)
    logits.requires_grad_(True)
    loss = F.kl_div(F.log_softmax(logits, 1), F.softmax(clean, 1), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, logits)
    found = away_from_prediction(logits.detach(), clean)
    assert_allclose(normalised(found), normalised(gradient), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("sure", [200.0, 1e4])
def test_where_float32_saturates(sure):
    clean = torch.tensor([[sure, 0.0, 1.0], [0.0, sure, 0.0]])
    moved = clean + torch.tensor([[-1.0, 0.5, 0.0], [0.5, -1.0, 0.0]])
    label = clean.argmax(dim=1)
    for logits in (clean, moved):
        logits = logits.clone().requires_grad_(True)
        loss = F.cross_entropy(logits, label, reduction="sum")
        assert_array_equal(torch.autograd.grad(loss, logits)[0], torch.zeros(2, 3))
    away = away_from_label(clean, label)
    assert_allclose(away[0], [-1, 1 / (1 + torch.e), torch.e / (1 + torch.e)], rtol=1e-6)
    assert_allclose(away[1], [0.5, -1, 0.5])
    away = normalised(away_from_prediction(moved, clean))
    assert torch.isfinite(away).all()
    assert (away.gather(1, label[:, None]) < 0).all()
    assert_allclose(away.sum(dim=1), [0, 0], atol=1e-6)

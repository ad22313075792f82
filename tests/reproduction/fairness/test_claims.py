"""The numbers of paper B add up as stated."""

import pytest

from robfair.reproduction.fairness._claims import CLAIMS


def test_numbers_are_fractions_and_their_order_is_the_claim():
    for claim in (claim for claims in CLAIMS.values() for claim in claims):
        standard, robust = claim.printed
        assert 0 <= standard <= 1
        assert 0 <= robust <= 1
        assert (robust - standard) * claim.sign > 0


def test_eou_of_the_figures_is_that_of_the_tables():
    """Fig. 5 and 6 print no numbers: the claims must be the ranges of Tables IV and V."""
    adult = CLAIMS["adult"]
    figures = [c for c in adult if c.where.startswith("Fig.")]
    assert len(figures) == 4
    for figure in figures:
        attribute = figure.measure.removeprefix("EOU by ")
        cells = [
            c.printed
            for c in adult
            if c.measure == f"confidence by {attribute}" and c.label == figure.label
        ]
        ranges = [max(side) - min(side) for side in zip(*cells, strict=True)]
        assert figure.printed == pytest.approx(ranges, abs=1e-9)

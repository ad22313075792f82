"""Figures of paper B are drawn from what there is."""

import pytest

from papers import frame, rows
from robfair.reproduction.fairness._figures import FIGURES, draw_figure


@pytest.mark.parametrize("number", FIGURES)
def test_a_figure_needs_both_networks(number, tmp_path):
    def measures(*models):
        where = [{"group": g, "eps": e} for g in ("cat", "dog") for e in (0.1, 0.2)]
        return frame(
            *(
                rows("paper", model, FIGURES[number][0], [0.1, 0.3], label="<=50K", **place)
                for model in models
                for place in where
            )
        )

    path = tmp_path / "figure.png"
    assert not draw_figure(number, measures("standard"), path)
    assert not path.exists()
    assert draw_figure(number, measures("standard", "robust"), path)
    assert path.read_bytes().startswith(b"\x89PNG")

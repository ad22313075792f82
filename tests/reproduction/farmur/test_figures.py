"""Figures of paper A show every group in blue and their mean in red, and the path in grey."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from papers import frame, rows
from robfair.reproduction import FARMUR
from robfair.reproduction.farmur._figures import draw_curves, draw_pareto

RECIPE = FARMUR.experiment("digits").recipe("small")
NAMES = RECIPE.names
FIVE = replace(RECIPE, has_controls=False, has_even_margins=True).names


def count(path, colour):
    """Number of pixels of a colour."""
    rgb = (imread(path)[..., :3] * 255).round().astype(int)
    return (np.abs(rgb - colour).max(axis=-1) <= 2).sum()


def run(values, names):
    curves = {"a": values, "b": [v / 2 for v in values]}
    I_P = dict.fromkeys(names, curves)
    return {"dataset": "digits", "scale": "small", "seed": 0,
            "curves": {"auto": {"tau": [0.0, 1.0, 2.0], "I_P": I_P}}}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("names", [NAMES, FIVE], ids=["six", "five"])
def test_curves(tmp_path, names):
    path = tmp_path / "curves.png"
    draw_curves(run([1.0, 0.5, 0.0], names), "auto", names, path)
    # A panel for each method, whose mean runs through most of it.
    panels = count(path, (0xD0, 0, 0)) / 100
    assert len(list(names)) < panels
    with pytest.raises(KeyError, match="paper"):
        draw_curves(run([1.0, 0.5, 0.0], names), "paper", names, path)


@pytest.mark.slow
@pytest.mark.parametrize("cv", [0.5, np.nan])
def test_pareto(tmp_path, cv):
    values = {"Rob(f)": 1.0, "V_f": 0.1, "CV": cv}
    tested = [
        rows("auto", name, measure, [number * (1 + i / 10)])
        for i, name in enumerate(NAMES)
        for measure, number in values.items()
    ]
    walked = [
        rows("path", NAMES.between, measure, [number * (1 + t)], label=str(t))
        for t in (0.0, 0.5, 1.0)
        for measure, number in values.items()
    ]
    path = tmp_path / "pareto.png"
    chosen = rows("path", NAMES.between, "t", [0.5])
    draw_pareto(frame(*tested, *walked, chosen), NAMES, path)
    assert count(path, (102, 102, 102)) > 100
    height = imread(path).shape[0]
    draw_pareto(frame(*tested), FIVE, path)  # there is no path to draw
    assert imread(path).shape[0] == height // 2

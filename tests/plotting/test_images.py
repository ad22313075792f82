"""Pictures of all displays, as they were when somebody looked at them.

They have no text and no legend, which other versions of the fonts would shift: these are tested as
words elsewhere. After a change that is wanted, draw them again, and look at them:
pytest tests/plotting/test_images.py --mpl-generate-path=tests/plotting/baseline
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from robfair.plotting import (
    AttackSuccessDisplay,
    ClassAccuracyDisplay,
    GroupRobustnessDisplay,
    RobustnessCurveDisplay,
    TradeoffDisplay,
)

# The picture without one grey line of forty differs by 0.4.
image = pytest.mark.mpl_image_compare(style="default", tolerance=0.3, savefig_kwargs={"dpi": 60})


def bare(display, figsize=(6, 4)):
    """The figure of a display without text, in a layout that does not depend on it."""
    figure, ax = plt.subplots(figsize=figsize)
    display.plot(ax=ax)
    ax.get_legend().remove()
    for words in figure.findobj(Text):
        words.set_visible(False)
    return figure


def curves(samples, n_groups):
    y_true, y_pred, distance, lower, groups = samples(n_groups)
    return RobustnessCurveDisplay.from_predictions(
        y_true, y_pred, distance=distance, lower=lower, sensitive_features=groups, name="a model"
    )


@image
def test_image_of_two_curves(samples):
    return bare(curves(samples, 2))


@image
def test_image_of_five_curves(samples):
    return bare(curves(samples, 5))


@image
def test_image_of_forty_curves(samples):
    return bare(curves(samples, 40))


@image
def test_image_of_groups_of_every_kind():
    """A tiny group, a name to be cut, unknown and infinite ends."""
    by_group = pd.DataFrame(
        {
            "size": [1411, 12, 300, 5, 0],
            "robustness": [0.5, 0.3, 0.45, np.nan, np.nan],
            "lower": [0.48, 0.1, 0.41, np.nan, np.nan],
            "upper": [0.52, 0.6, 0.5, np.nan, np.nan],
            "low": [0.4, 0.25, 0.45, 0.2, np.nan],
            "high": [0.5, 0.3, 0.45, np.inf, np.nan],
            "vulnerable": [False, True, False, False, False],
        },
        index=["Black", "$5 and more$", "a name that goes on and on and never ends", "_b", "none"],
    )
    overall = pd.DataFrame({"value": [0.42]}, index=["Rob(f)"])
    return bare(GroupRobustnessDisplay(by_group, overall, name="a model", confidence=0.9))


@image
def test_image_of_forty_groups(samples):
    y_true, y_pred, distance, lower, groups = samples(40)
    display = GroupRobustnessDisplay.from_predictions(
        y_true, y_pred, distance=distance, lower=lower, sensitive_features=groups
    )
    return bare(display, display.figsize)


@image
def test_image_of_classes(samples):
    *_, groups = samples(5)
    predicted = np.where(np.arange(len(groups)) % 4, groups, "group 2")
    return bare(ClassAccuracyDisplay.from_predictions(groups, predicted, name="a model"))


def models(n):
    place = np.arange(n)
    frame = {"Rob(f)": 1 + (place * 0.618034) % 1, "V_f": 0.05 + ((place + 3) * 0.414214) % 1 / 10}
    return pd.DataFrame(frame, index=[f"model {i}" for i in range(n)])


@image
def test_image_of_five_models():
    measures = models(5)
    measures.iloc[3, 1] = np.nan
    width = pd.DataFrame({"Rob(f)": 0.05, "V_f": 0.01}, index=measures.index)
    return bare(TradeoffDisplay(measures, lower=measures - width, upper=measures + width))


@image
def test_image_of_forty_models():
    return bare(TradeoffDisplay(models(40)))


@image
def test_image_of_success_on_a_grid(samples):
    y_true, y_pred, distance, _, groups = samples(5)
    success = pd.DataFrame({eps: ~(distance > eps) for eps in (0.1, 0.5, 1.0, 2.0)})
    display = AttackSuccessDisplay.from_predictions(
        y_true, y_pred, success=success, sensitive_features=groups, name="a model"
    )
    return bare(display)


@image
def test_image_of_success_by_least_eps(samples):
    y_true, y_pred, distance, _, groups = samples(40)
    display = AttackSuccessDisplay.from_predictions(
        y_true, y_pred, least_eps=distance, eps_max=3, sensitive_features=groups, population="all"
    )
    return bare(display)

"""Draw images/audit-adult*.png, for README.md and the first page: the audit of README.md.

Run ``python docs/pictures/audit_adult.py`` after a change of the displays.
"""

import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from robfair import audit
from robfair.datasets import load_adult
from robfair.plotting import GroupRobustnessDisplay, RobustnessCurveDisplay

train, test = load_adult(split="train"), load_adult(split="test")
model = make_pipeline(
    make_column_transformer(
        (StandardScaler(), ["age", "education-num", "hours-per-week"]),
        (OneHotEncoder(handle_unknown="ignore"), ["marital-status", "occupation", "sex"]),
    ),
    LogisticRegression(max_iter=1000),
).fit(train.data, train.target)
result = audit(model, test.data, test.target, sensitive_features=test.sensitive_features["race"])
print(result)


def draw(figure, above, below, file, line, **legend):
    """Draw curves and groups into two axes with lines of so many letters, and save the figure."""
    RobustnessCurveDisplay.from_predictions(
        result.y_true,
        result.distances.predicted,
        distance=result.distances.distance,
        sensitive_features=result.sensitive_features,
        name="Who withstands a change of size τ",
    ).plot(ax=above)
    GroupRobustnessDisplay(
        result.by_group, result.overall, name="Rob(P), the area below each curve", confidence=0.95
    ).plot(ax=below)
    below.legend(**legend, loc="upper right", fontsize="small")
    below.set_xlabel(textwrap.fill(below.get_xlabel(), line))
    figure.savefig(Path(__file__).parent.parent / "images" / file, dpi=110)


figure, axes = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
draw(figure, *axes, "audit-adult.png", 60)

# For the width of a phone, one above the other.
with plt.rc_context({"font.size": 7.5}):
    figure, axes = plt.subplots(2, 1, figsize=(3.8, 6.2), layout="constrained")
    draw(figure, *axes, "audit-adult-narrow.png", 40, bbox_to_anchor=(1, -0.3), borderaxespad=0)

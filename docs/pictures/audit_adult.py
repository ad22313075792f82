"""Draw images/audit-adult.png, for README.md and the first page: the audit of README.md.

Run ``python docs/pictures/audit_adult.py`` after a change of the displays.
"""

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

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
RobustnessCurveDisplay.from_predictions(
    result.y_true,
    result.distances.predicted,
    distance=result.distances.distance,
    sensitive_features=result.sensitive_features,
    name="Who withstands a change of size τ",
).plot(ax=left)
GroupRobustnessDisplay(
    result.by_group, result.overall, name="Rob(P), the area below each curve", confidence=0.95
).plot(ax=right)
right.legend(loc="upper right", fontsize="small")
figure.savefig(Path(__file__).parent.parent / "images" / "audit-adult.png", dpi=110)

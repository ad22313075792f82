"""
Boosting with categories, with a proof for every group
======================================================

Most tables are decided by boosting. robfair reads the trees of scikit-learn, XGBoost, LightGBM and
CatBoost, and searches their leaves: distances end with a proof, and the only rows considered are
those that could exist.
"""

import textwrap

import matplotlib.pyplot as plt
from sklearn.ensemble import HistGradientBoostingClassifier

from robfair import audit
from robfair.datasets import load_adult
from robfair.plotting import RobustnessCurveDisplay

# %%
# The classifier takes the table as it is, with text as categories: there is no encoder.
columns = ["age", "education-num", "hours-per-week", "capital-gain", "marital-status", "occupation"]
train, test = load_adult(split="train"), load_adult(split="test")
words = ["marital-status", "occupation"]
X = train.data[columns].astype(dict.fromkeys(words, "category"))
X_test = test.data[columns].astype({name: X[name].dtype for name in words})
model = HistGradientBoostingClassifier(
    max_iter=60, categorical_features="from_dtype", random_state=0
).fit(X, train.target)
print(f"accuracy {model.score(X_test, test.target):.3f}")

# %%
# Unless something else is said, integers change by integers, a category changes as a whole at the
# cost of one standard deviation, and a gap stays a gap. The audit says so in a line.
n = 600
result = audit(
    model,
    X_test[:n],
    test.target[:n],
    sensitive_features=test.sensitive_features["sex"][:n],
    certify=True,
    name="boosting",
)
print(textwrap.fill(result.verdict(), 88))

# %%
# "certified" is the share of rows whose distance is proven to be the least: nobody finds a nearer
# row that the model decides otherwise.
lower, found = result.distances.lower, result.distances.distance
right = result.distances.status != "skipped"
print(f"proven: {(lower[right] >= 0.999 * found[right]).mean():.1%} of {right.sum()} rows")
print(result.by_group[["size", "accuracy", "mean_distance", "robustness"]].round(3).to_string())

# %%
# Within labels the order of the groups may be another one.
print(result.by_label[["size", "robustness", "lower", "upper"]].round(3).to_string())

# %%
# The rows that flip most easily, and the nearest row that is decided otherwise.
print(result.examples.head(4).to_string())

# %%
# The curves: the share of each group that withstands every change up to a size.
RobustnessCurveDisplay.from_predictions(
    test.target[:n],
    result.distances.predicted,
    distance=found,
    sensitive_features=test.sensitive_features["sex"][:n],
).plot()
plt.show()

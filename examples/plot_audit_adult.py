"""
Audit a model that you already have
===================================

A data scientist has a classifier for UCI Adult and a column, race. Are some groups closer to the
decision boundary, so that a smaller change of their data flips the decision?
"""

import textwrap

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from robfair import ThreatModel, audit
from robfair.datasets import load_adult
from robfair.plotting import GroupRobustnessDisplay, RobustnessCurveDisplay

train, test = load_adult(split="train"), load_adult(split="test")

# %%
# The model is any scikit-learn Pipeline that ends in a classifier with gradients.
numbers = ["age", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
categories = ["workclass", "marital-status", "occupation", "race", "sex"]
model = make_pipeline(
    make_column_transformer(
        (StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), categories)
    ),
    LogisticRegression(max_iter=1000),
).fit(train.data, train.target)
print(f"accuracy {model.score(test.data, test.target):.3f}")

# %%
# The transformers run once, and the last step is attacked in its own input space: numbers in
# standard deviations, and one-hot categories. In this example an attacker may change only the
# numbers, within the range of the training data.
encoded = model[:-1].transform(train.data).toarray()
threat_model = ThreatModel(
    bounds=(encoded.min(axis=0), encoded.max(axis=0)),
    mutable=np.arange(encoded.shape[1]) < len(numbers),
)
result = audit(
    model,
    test.data,
    test.target,
    sensitive_features=test.sensitive_features["race"],
    threat_model=threat_model,
    tau_max=10,
)
print(result)

# %%
# Below the groups stand the groups within labels, ``result.by_label``: people of both incomes are
# not equally frequent in all groups, and not equally far from the boundary.
#
# The verdict in words, with its limits:
print(textwrap.fill(result.verdict(), 88))

# %%
# The same result as curves: the share of each group that is classified correctly and lies farther
# than tau from the boundary. The area under a curve is Rob(P).
display = RobustnessCurveDisplay.from_predictions(
    result.y_true,
    result.distances.predicted,
    distance=result.distances.distance,
    sensitive_features=result.sensitive_features,
    name="LogisticRegression on UCI Adult",
).plot()

# %%
# The same groups as points with intervals. ``result.to_html("audit.html")`` writes all of this, and
# the rows that are easiest to flip, as a report for readers who do not read code.
display = GroupRobustnessDisplay(result.by_group, result.overall, confidence=0.95).plot()

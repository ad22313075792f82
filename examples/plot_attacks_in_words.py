"""
Attacks on a table, described in words
======================================

Which change of a person's record would change the decision? Only rows that could exist are
considered: hours move by whole hours, an occupation changes to another one, and age and marital
status stay.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from robfair import ThreatModel, boundary_distance
from robfair.datasets import load_adult
from robfair.metrics import group_robustness
from robfair.plotting import AttackSuccessDisplay

train, test = load_adult(split="train"), load_adult(split="test")
model = make_pipeline(
    make_column_transformer(
        (StandardScaler(), ["age", "education-num", "hours-per-week"]),
        (OneHotEncoder(sparse_output=False), ["marital-status", "occupation"]),
    ),
    MLPClassifier([32], early_stopping=True, random_state=0),
).fit(train.data, train.target)

# %%
# ``from_transformer`` reads the threat model from the fitted transformers. A distance of 1 is one
# standard deviation of a number, or one change of a category.
threat_model = ThreatModel.from_transformer(
    model[0], train.data, mutable=["education-num", "hours-per-week", "occupation"]
)
rows, income = test.data[:400], test.target[:400]
sex = test.sensitive_features["sex"][:400]

d = boundary_distance(model, rows, y=income, threat_model=threat_model)
told = pd.DataFrame(
    {"distance": d.distance, "predicted": d.predicted, "what would have to change": ""}
)
told["what would have to change"] = d.as_rows()["changed"].to_numpy()
nearest = told.sort_values("distance").head(8)
print(nearest.to_string(index=False, max_colwidth=90))

# %%
# Are the sexes equally far from another decision? Over all rows, and among people of one income:
arrays = {"distance": d.distance, "sensitive_features": sex, "tau_max": 4}
print(group_robustness(income, d.predicted, **arrays).round(3))
print(group_robustness(income, d.predicted, **arrays, control_features=income).round(3))

# %%
# Which columns change most often? A category costs as much as a standard deviation, but it changes
# in rows where it says more about income than hours do.
changed = told.loc[d.status == "found", "what would have to change"]
counts = {
    column: changed.str.contains(column, regex=False).mean()
    for column in ("education-num", "hours-per-week", "occupation")
}
figure, ax = plt.subplots(figsize=(6, 2.4), layout="constrained")
ax.barh(list(counts), list(counts.values()), color="#0072B2")
ax.set(xlim=(0, 1), xlabel="share of rows whose nearest flip changes this column")
plt.show()

# %%
# The same result as an attack with a budget: which share of each group can be flipped within eps?
# The least budget that flips a row is its distance. The group with the higher line is easier to
# attack.
AttackSuccessDisplay.from_predictions(
    income,
    d.predicted,
    least_eps=np.nan_to_num(d.distance, nan=0, posinf=np.inf),
    eps_max=4,
    sensitive_features=sex,
    name="MLP on Adult",
).plot()
plt.show()

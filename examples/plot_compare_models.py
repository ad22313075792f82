"""
Several models and their trade-off
==================================

Many models of one table have nearly the same accuracy. Their robustness differs, and so does its
spread between groups. This example compares models on UCI Adult, with groups by sex.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from robfair import AdversarialClassifier, ThreatModel, compare
from robfair.datasets import load_adult
from robfair.plotting import GroupRobustnessDisplay, TradeoffDisplay

numbers = ["age", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
encode = make_column_transformer(
    (StandardScaler(), numbers),
    (OneHotEncoder(sparse_output=False), ["marital-status", "occupation"]),
)
train, test = load_adult(split="train"), load_adult(split="test")
everything = encode.fit_transform(train.data)
X, y = everything[:8000], train.target[:8000]
X_test, y_test = encode.transform(test.data)[:1500], test.target[:1500]
sex = test.sensitive_features["sex"][:1500]

# %%
# All models are measured under one threat model: the numbers may change, within the range of the
# training data, and distances are in standard deviations. Rows whose label no such change flips
# count as out of reach at 5.
threat_model = ThreatModel(
    bounds=(everything.min(axis=0), everything.max(axis=0)),
    mutable=np.arange(everything.shape[1]) < len(numbers),
)
models = {
    "logistic": LogisticRegression(max_iter=1000),
    "linear SVM": LinearSVC(),
    "shallow tree": DecisionTreeClassifier(max_depth=4, random_state=0),
    "deep tree": DecisionTreeClassifier(max_depth=12, random_state=0),
    "MLP": MLPClassifier([32], early_stopping=True, random_state=0),
    "TRADES": AdversarialClassifier(
        hidden_layer_sizes=[32], eps=0.1, max_epochs=6, threat_model=threat_model, random_state=0
    ),
}
models = {name: model.fit(X, y) for name, model in models.items()}
comparison = compare(
    models,
    X_test,
    y_test,
    sensitive_features=sex,
    threat_model=threat_model,
    tau_max=5,
    n_check=0,
)
print(comparison.overall.round(3))

# %%
# No other model beats a model on the dashed line in both measures. By V_f alone the two trees would
# win, although they are the easiest to attack, and TRADES, the hardest to attack, would come last.
# CV, in the second panel, does not depend on the level.
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
TradeoffDisplay(comparison.overall, x="Rob(f)", y="V_f").plot(ax=left)
TradeoffDisplay(comparison.overall, x="accuracy", y="CV").plot(ax=right)
plt.show()

# %%
# The groups of one of them, over all rows and within each label. A wide interval is a small group.
chosen = comparison.audits["MLP"]
print(chosen.by_label[["size", "robustness", "lower", "upper"]].round(3).to_string())
GroupRobustnessDisplay(chosen.by_group, chosen.overall, name="MLP").plot()
plt.show()

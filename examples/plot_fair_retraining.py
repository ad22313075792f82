"""
Train a network that is fairer to attack
========================================

Natural training, adversarial training (TRADES) and fair adversarial retraining (FARMUR) on a part
of UCI Adult: which groups are vulnerable, and what does retraining change?
"""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from robfair import (
    AdversarialClassifier,
    FarmurClassifier,
    NaturalClassifier,
    ThreatModel,
    compare,
)
from robfair.datasets import load_adult
from robfair.plotting import RobustnessCurveDisplay

numbers = ["age", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
encode = make_column_transformer(
    (StandardScaler(), numbers),
    (OneHotEncoder(sparse_output=False), ["marital-status", "occupation"]),
)
train, test = load_adult(split="train"), load_adult(split="test")
everything = encode.fit_transform(train.data)
X, y = everything[:6000], train.target[:6000]
X_test, y_test = encode.transform(test.data)[:2000], test.target[:2000]
sex, sex_test = (part.sensitive_features["sex"] for part in (train, test))
sex, sex_test = sex[:6000], sex_test[:2000]

# %%
# The attack may change the numbers, within the range of the training data.
threat_model = ThreatModel(
    bounds=(everything.min(axis=0), everything.max(axis=0)),
    mutable=np.arange(everything.shape[1]) < len(numbers),
)
common = {"hidden_layer_sizes": [32], "batch_size": 256, "lr": 0.005, "random_state": 0}
attacked = {**common, "eps": 0.2, "threat_model": threat_model}

natural = NaturalClassifier(max_epochs=12, **common).fit(X, y)
trades = AdversarialClassifier(max_epochs=12, **attacked).fit(X, y)
farmur = FarmurClassifier(max_epochs=9, retrain_epochs=3, **attacked).fit(X, y, groups=sex)

# %%
# After nine epochs FARMUR measures the groups on held-out rows. From then on it attacks only the
# vulnerable ones.
print(pd.Series(farmur.group_robustness_, index=farmur.groups_).round(3))
print("vulnerable:", farmur.vulnerable_groups_.tolist())
print(pd.DataFrame(farmur.history_)[["phase", "natural_loss", "robust_loss"]].round(3))

# %%
# All three have seen the data equally often. Are the differences larger than the intervals?
comparison = compare(
    {"natural": natural, "TRADES": trades, "FARMUR": farmur},
    X_test,
    y_test,
    sensitive_features=sex_test,
    threat_model=threat_model,
    tau_max=5,
    n_check=0,
)
print(comparison)
print(textwrap.fill(comparison.verdict(), 88))

# %%
# Rob(P) within each label: does retraining help both?
by_label = {name: audit.by_label["robustness"] for name, audit in comparison.audits.items()}
print(pd.DataFrame(by_label).round(3).to_string())

# %%
# The curves of the groups, model by model. Fair retraining should bring the lines together by
# lifting the lower one. It gains nothing if they meet because the upper one fell.
figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), sharey=True, layout="constrained")
for ax, (name, audit) in zip(axes, comparison.audits.items(), strict=True):
    RobustnessCurveDisplay.from_predictions(
        audit.y_true,
        audit.distances.predicted,
        distance=audit.distances.distance,
        sensitive_features=audit.sensitive_features,
        name=name,
    ).plot(ax=ax, tau_max=5)
    ax.label_outer()
plt.show()

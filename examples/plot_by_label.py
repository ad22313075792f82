"""
Three models, by race and by sex, within labels
===============================================

Rob(P) mixes the labels that a group has with how far its rows lie from the boundary. Do logistic
regression, boosting and a network on UCI Adult agree on who is easier to attack, over all people
and among those of the same income?
"""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from robfair import audit
from robfair.datasets import load_adult

train, test = load_adult(split="train"), load_adult(split="test")
numbers = ["age", "education-num", "hours-per-week"]
words = ["marital-status", "occupation", "relationship"]


def fitted(classifier):
    encoder = make_column_transformer(
        (StandardScaler(), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
    )
    return make_pipeline(encoder, classifier).fit(train.data, train.target)


# %%
# Distances of the logistic regression are exact, and cost nothing. Those of the network are
# searched by gradients, those of boosting by predictions alone, a thousand for a row: fewer rows.
models = {
    "logistic regression": (LogisticRegression(max_iter=1000), 15060),
    "boosting": (HistGradientBoostingClassifier(max_iter=30, random_state=0), 500),
    "network": (MLPClassifier((16,), random_state=0, tol=0.01, n_iter_no_change=3), 3000),
}
audits = {}
for name, (classifier, n) in models.items():
    model = fitted(classifier)
    for by in ("sex", "race"):
        audits[name, by] = audit(
            model,
            test.data[:n],
            test.target[:n],
            sensitive_features=test.sensitive_features[by][:n],
            name=name,
            tau_max=10,
            n_check=0,
            random_state=0,
        )

# %%
# The verdicts. Where the order of two groups turns round among people of one label, the first
# sentence says so; where the groups' labels make most of a difference, a later one does.
for (name, by), result in audits.items():
    print(f"{name}, {result.by_group['size'].sum():,} rows by {by}:")
    print(textwrap.fill(result.verdict(), 88), end="\n\n")

# %%
# The tables behind them: Rob(P) of each group, over all rows and within each label, and what the
# difference from the mean over the groups is made of. Cells of a few rows say little.
for (name, _), result in audits.items():
    table = result.by_label["robustness"].unstack("label")
    table.insert(0, "all", result.by_group["robustness"])
    print(f"{name}\n{table.join(result.decomposition).round(3).to_string()}\n")

# %%
# As a picture: each group over all people, and among those who earn more.
fig, axes = plt.subplots(1, 3, figsize=(11, 3), layout="constrained", sharey=True)
for ax, name in zip(axes, models, strict=True):
    result = audits[name, "sex"]
    frames = {"all": result.by_group} | {
        label: result.by_label.loc[label] for label in result.by_label.index.unique("label")
    }
    for k, (sex, color) in enumerate({"Female": "#D55E00", "Male": "#0072B2"}.items()):
        rob, low, high = np.array(
            [frame.loc[sex, ["robustness", "lower", "upper"]] for frame in frames.values()]
        ).T.astype(float)
        at = np.arange(len(frames)) + 0.2 * k - 0.1
        ax.errorbar(at, rob, (rob - low, high - rob), fmt="o", color=color, label=sex)
    ax.set_xticks(range(len(frames)), frames)
    ax.set_title(name)
axes[0].set_ylabel("Rob(P)")
axes[0].legend()
plt.show()

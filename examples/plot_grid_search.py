"""
Choose a model by its robustness and its fairness
=================================================

GridSearchCV over FARMUR's beta, scored by Rob(f), V_f and a metric of fairlearn. scikit-learn's
metadata routing passes the groups to ``fit`` as ``groups`` and to the scorers as
``sensitive_features``.
"""

import pandas as pd
import sklearn
from fairlearn.metrics import demographic_parity_difference
from sklearn.compose import make_column_transformer
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from robfair import FarmurClassifier, audit
from robfair.datasets import load_adult
from robfair.scorers import make_robustness_scorer, neg_v_f_scorer, rob_scorer

adult = load_adult(split="train")
rows = adult.data.sample(4000, random_state=0).index  # a part, to be quick
encode = make_column_transformer(
    (StandardScaler(), ["age", "education-num", "hours-per-week"]),
    (OneHotEncoder(sparse_output=False), ["marital-status", "occupation", "sex"]),
)
X = encode.fit_transform(adult.data.loc[rows])
y = (adult.target.loc[rows] == ">50K").to_numpy().astype(int)
sex = adult.sensitive_features.loc[rows, "sex"].to_numpy()

# %%
# With routing on, robfair's scorers request the groups by themselves. A metric of another library
# needs an explicit request.
with sklearn.config_context(enable_metadata_routing=True):
    parity = make_scorer(demographic_parity_difference, greater_is_better=False)
    search = GridSearchCV(
        FarmurClassifier(max_epochs=10, retrain_epochs=2, batch_size=256, random_state=0),
        {"beta": [1, 6]},
        scoring={
            "rob": rob_scorer,
            "v_f": neg_v_f_scorer,
            "parity": parity.set_score_request(sensitive_features=True),
        },
        refit="v_f",
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
    ).fit(X, y, groups=sex, sensitive_features=sex)

table = pd.DataFrame(search.cv_results_)[
    ["param_beta", "mean_test_rob", "mean_test_v_f", "mean_test_parity"]
]
print(table.round(4).to_string(index=False))
print("chosen by V_f:", search.best_params_)

# %%
# Scores of losses are negative, so higher is better in all three panels.
axes = table.set_index("param_beta").plot.bar(
    subplots=True, layout=(1, 3), figsize=(9, 3), legend=False, color="#0072B2", rot=0
)
axes[0, 0].figure.tight_layout()

# %%
# The groups of the chosen network within each label, on rows of the test set:
test = load_adult(split="test")
result = audit(
    search.best_estimator_,
    encode.transform(test.data)[:1000],
    (test.target[:1000] == ">50K").to_numpy().astype(int),
    sensitive_features=test.sensitive_features["sex"][:1000].to_numpy(),
    n_check=0,
)
print(result.by_label[["size", "robustness", "lower", "upper"]].round(3).to_string())

# %%
# V_f falls when the robustness of all groups falls. Read Rob(f) beside it, or choose by the worst
# group or by the scale-free dispersion. Without routing a scorer is bound to its groups: a column
# of X by number or name, a function of X, or a Series with X's index.
from robfair.metrics import worst_group_robustness

is_male = -1  # the last one-hot column
scorer = make_robustness_scorer(worst_group_robustness, groups=is_male)
print("worst group, training data:", round(scorer(search, X, y), 3))

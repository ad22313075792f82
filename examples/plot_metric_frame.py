"""
Robustness beside accuracy in fairlearn's MetricFrame
=====================================================

The measures of robfair are functions of arrays. A MetricFrame takes distances as sample parameters,
so Rob(P) stands in the same table as accuracy and selection rate.
"""

from fairlearn.metrics import MetricFrame, selection_rate
from sklearn.metrics import accuracy_score

from robfair import NaturalClassifier, boundary_distance
from robfair.datasets import make_group_margins
from robfair.metrics import robustness_score

data = make_group_margins(3000, margins=(0.4, 0.8, 1.2), random_state=0)
model = NaturalClassifier(random_state=0).fit(data.X, data.y)

# %%
# One pass gives the distance of every sample to the decision boundary, and the predicted label.
d = boundary_distance(model, data.X, y=data.y)
print(d)

frame = MetricFrame(
    metrics={"accuracy": accuracy_score, "selected": selection_rate, "Rob(P)": robustness_score},
    y_true=data.y,
    y_pred=d.predicted,
    sensitive_features=data.groups,
    sample_params={"Rob(P)": {"distance": d.distance}},
)
print(frame.by_group.round(3))
print(frame.difference().round(3))

# %%
# Accuracy and selection rate hardly differ between the groups. Rob(P) does.
axes = frame.by_group.plot.bar(
    subplots=True, layout=(1, 3), figsize=(9, 3), legend=False, color="#0072B2", rot=0
)
axes[0, 0].figure.tight_layout()

# %%
# ``control_features`` shows the groups within each label.
within = MetricFrame(
    metrics=robustness_score,
    y_true=data.y,
    y_pred=d.predicted,
    sensitive_features=data.groups,
    control_features=data.y,
    sample_params={"distance": d.distance},
)
print(within.by_group.unstack().round(3))

# %%
# The problem is synthetic, so Rob(P) of the best linear classifier is known:
print(data.group_robustness)

"""
See a distance: two features and a boundary
===========================================

With two features everything can be drawn: the decision boundary of a network, the nearest point
beyond it for each sample, and the line between them. The length of this line is the distance d(x).
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from sklearn.datasets import make_moons
from sklearn.preprocessing import StandardScaler

from robfair import NaturalClassifier, boundary_distance
from robfair.metrics import group_robustness
from robfair.plotting import RobustnessCurveDisplay

# %%
# The classes are two half moons. In group B they are nearer to each other than in group A.
X, y = make_moons(160, noise=0.1, random_state=0)
group = np.where(np.arange(160) % 2 == 0, "A", "B")
X[group == "B", 1] += np.where(y == 0, -0.25, 0.25)[group == "B"]
X = StandardScaler().fit_transform(X)
model = NaturalClassifier(
    hidden_layer_sizes=[32, 32], max_epochs=60, lr=0.01, batch_size=32, random_state=0
).fit(X, y)

# %%
# One call returns the distance of every sample, the point at that distance, and a certified lower
# bound: every point nearer than this has the same prediction.
d = boundary_distance(model, X, y=y, certify=True)
print(d)
found = d.status == "found"
print(f"mean of {found.sum()} distances found: {d.distance[found].mean():.3f}")
print(f"certified: no nearer than {d.lower[found].mean():.3f}")

# %%
# Each line leads to the nearest point with another prediction. Samples without a line are
# misclassified, so their distance is not needed.
across, up = np.meshgrid(np.linspace(-2.4, 2.4, 200), np.linspace(-2.2, 2.2, 200))
field = model.predict_proba(np.column_stack([across.ravel(), up.ravel()]))[:, 1]

figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
ax.contourf(across, up, field.reshape(across.shape), levels=20, cmap="Greys", alpha=0.35)
ax.contour(across, up, field.reshape(across.shape), levels=[0.5], colors="black")
ax.add_collection(
    LineCollection(np.stack([X, d.adversarial], axis=1)[found], colors="#555555", linewidths=0.8)
)
for name, colour, marker in (("A", "#0072B2", "o"), ("B", "#D55E00", "^")):
    for label in (0, 1):
        rows = (group == name) & (y == label)
        ax.scatter(
            *X[rows].T,
            s=28,
            marker=marker,
            facecolor=colour if label else "white",
            edgecolor=colour,
            zorder=3,
            label=f"group {name}, class {label}",
        )
ax.set(xlabel="first feature", ylabel="second feature", aspect="equal")
ax.legend(fontsize="small", loc="lower left")
plt.show()

# %%
# The mean distance of a group, with 0 for misclassified samples, is its robustness Rob(P), the area
# under the group's curve.
measured = {"distance": d.distance, "sensitive_features": group}
print(group_robustness(y, d.predicted, **measured).round(3))
print("within each class:")
print(group_robustness(y, d.predicted, **measured, control_features=y).round(3))
RobustnessCurveDisplay.from_predictions(y, d.predicted, **measured).plot()
plt.show()

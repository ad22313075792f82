"""Two groups with equal accuracy and unequal distances to the decision boundary."""

import matplotlib.pyplot as plt
import numpy as np

from robfair.plotting import RobustnessCurveDisplay

rng = np.random.default_rng(3)
N = 14  # of each group
FAR, NEAR = "group A", "group B"
COLOURS, MARKERS = {FAR: "#0072B2", NEAR: "#D55E00"}, {FAR: "o", NEAR: "^"}

group = np.repeat([FAR, NEAR], N)
label = np.tile([0, 1], N)
# The boundary is the line x = 0; one sample of each group is on the wrong side.
distance = np.where(group == FAR, 1.6, 0.6) * rng.uniform(0.6, 1.4, 2 * N)
wrong = np.isin(np.arange(2 * N), [1, N + 1])
side = np.where(label == 1, 1, -1) * np.where(wrong, -1, 1)
x = side * distance
y = rng.permutation(np.linspace(-1, 1, 2 * N))

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
left.axvline(0, color="black")
left.text(0.05, 1.12, "decision boundary", fontsize="small")
for name in (FAR, NEAR):
    rows = group == name
    left.hlines(y[rows], 0, x[rows], color=COLOURS[name], linewidth=0.8, alpha=0.8)
    for truth in (0, 1):
        some = rows & (label == truth)
        left.scatter(
            x[some],
            y[some],
            s=45,
            marker=MARKERS[name],
            facecolor=COLOURS[name] if truth else "white",
            edgecolor=COLOURS[name],
            zorder=3,
            label=name if truth else None,
        )
left.set(xlim=(-2.6, 2.6), ylim=(-1.2, 1.3), yticks=[], xlabel="first feature")
left.set_title("predicted: no    |    predicted: yes", fontsize="medium")
left.legend(loc="lower right", fontsize="small", framealpha=1)

predicted = np.where(wrong, 1 - label, label)
display = RobustnessCurveDisplay.from_predictions(
    label, predicted, distance=distance, sensitive_features=group
)
display.plot(ax=right)
for line in display.lines_:
    if line.get_label() in COLOURS:
        line.set_color(COLOURS[line.get_label()])
right.legend(fontsize="small")
right.set_title("the same as curves; the area below is Rob(P)", fontsize="medium")

"""
Images: digits, and how boldly they are written
===============================================

A network reads handwritten digits. Does a smaller change of the pixels mislead it about thin
digits than about bold ones? Some digits are bolder than others, so the question has to be asked
for each digit, too.
"""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from robfair import NaturalClassifier, ThreatModel, audit, boundary_distance

# %%
# scikit-learn has 1,797 digits of 8 x 8 pixels. Half of them, those with more ink, are the bold
# ones.
images, digits = load_digits(return_X_y=True)
images = (images / 16).reshape(-1, 1, 8, 8).astype(np.float32)
ink = images.mean(axis=(1, 2, 3))
stroke = np.where(ink > np.median(ink), "bold", "thin")
X, X_test, y, y_test, _, stroke_test = train_test_split(
    images, digits, stroke, test_size=600, stratify=digits, random_state=0
)
torch.manual_seed(0)  # of the weights to begin with
network = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(512, 10),
)
model = NaturalClassifier(module=network, max_epochs=15, lr=0.003, random_state=0).fit(X, y)

# %%
# Pixels stay between 0 and 1, and a distance is the length of the change over all pixels.
pixels = ThreatModel(bounds=(0, 1))
result = audit(
    model, X_test, y_test, sensitive_features=stroke_test, threat_model=pixels, n_check=0
)
print(textwrap.fill(result.verdict(), 88))
print(result.by_group[["size", "accuracy", "robustness", "lower", "upper"]].round(3).to_string())

# %%
# Digit by digit: the size of each cell, and Rob(P) in it. The digits differ by more than the
# strokes: an 8 is the easiest to misread. A cell of a few rows says little.
print(result.by_label[["size", "robustness"]].unstack().round(2).to_string())

# %%
# The digit of each kind that is easiest to misread, and the nearest image that is misread.
found = boundary_distance(model, X_test, y=y_test, threat_model=pixels)
figure, axes = plt.subplots(2, 2, figsize=(4.5, 5), layout="constrained")
for row, kind in zip(axes, ("thin", "bold"), strict=True):
    k = np.where((stroke_test == kind) & (found.status == "found"), found.distance, np.inf).argmin()
    misread = model.predict(found.adversarial[k : k + 1])[0]
    titles = f"{kind}: a {y_test[k]}", f"at {found.distance[k]:.2f} read as {misread}"
    for ax, image, title in zip(row, (X_test[k], found.adversarial[k]), titles, strict=True):
        ax.imshow(image[0], cmap="gray_r", vmin=0, vmax=1)
        ax.set(title=title, xticks=[], yticks=[])
plt.show()

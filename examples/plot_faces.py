"""
Faces: a network, and groups within each label
==============================================

Networks that read faces are known to serve some groups worse than others. Is the same true of the
change that misleads them? The faces of UTKFace may not be passed on: who has them sees their
numbers here, and everybody else those of images without a face.
"""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.utils import Bunch

from robfair import NaturalClassifier, ThreatModel, audit
from robfair.datasets import fetch_utkface
from robfair.models import utkface_network
from robfair.plotting import RobustnessCurveDisplay


# %%
# The stand-in has the form of ``fetch_utkface(target="gender")``: stripes along or across in place
# of two genders, and two groups of which one has fainter stripes. This one has more stripes across,
# so that labels and groups go together, as they do in real data.
def without_faces(n, seed, size=16):
    random = np.random.default_rng(seed)
    group = random.choice(["clear", "faint"], n)
    target = (random.random(n) < np.where(group == "faint", 0.7, 0.4)).astype(int)
    wave = np.sin(np.arange(size) + random.uniform(0, 2 * np.pi, (n, 1)))
    wave *= np.where(group == "faint", 0.14, 0.2)[:, None]
    along, across = wave[:, None, None, :], wave[:, None, :, None]
    stripes = np.where(target[:, None, None, None] == 0, along, across)
    noise = random.normal(0, 0.1, (n, 3, size, size))
    return Bunch(
        data=np.clip(0.5 + stripes + noise, 0, 1).astype(np.float32),
        target=target,
        sensitive_features=pd.DataFrame({"race": group}),
        target_names=["along", "across"],
    )


# %%
# ``fetch_utkface`` finds the faces in the folder that the environment variable ROBFAIR_DATA names.
try:
    train, test = (fetch_utkface(split=split, target="gender") for split in ("train", "test"))
    source = "UTKFace"
except (ImportError, OSError):
    train, test = without_faces(1200, seed=0), without_faces(300, seed=1)
    source = "images without faces"
X, y = train.data[:4000], train.target[:4000]
X_test, y_test = test.data[:300], test.target[:300]
race = test.sensitive_features["race"][:300]
print(f"{source}: {len(X):,} to train, {len(X_test)} to test, {test.target_names}")

# %%
# The network is the one that the literature on robustness bias uses for these faces.
torch.manual_seed(0)  # of the weights to begin with
network = utkface_network(2, image_size=X.shape[-1])
model = NaturalClassifier(module=network, max_epochs=4, batch_size=64, random_state=0).fit(X, y)
result = audit(
    model,
    X_test,
    y_test,
    sensitive_features=race,
    threat_model=ThreatModel(bounds=(0, 1)),
    n_check=0,
)
print(textwrap.fill(result.verdict(), 88))

# %%
# Groups differ in their labels and in accuracy. By label, and with the parts of each difference:
print(result.by_label[["size", "accuracy", "robustness", "lower", "upper"]].round(3).to_string())
print(result.decomposition.round(3).to_string())

# %%
# The curves: the share of each group that is read correctly and withstands every change up to tau.
# No image is shown, since the licence of UTKFace forbids it.
RobustnessCurveDisplay.from_predictions(
    y_test,
    result.distances.predicted,
    distance=result.distances.distance,
    sensitive_features=race,
    name=source,
).plot()
plt.show()

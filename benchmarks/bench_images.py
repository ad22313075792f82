"""Images: how long the distances of 20,000 faces take.

Target: `method="auto"` in 20 minutes for 20,000 images of 48 x 48 x 3, through the network for
UTKFace that the paper used. Two thousand of them are measured; with `--full` all.
"""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from common import machine, options, table, verdict
from numpy.typing import NDArray

from robfair import AdversarialClassifier, NaturalClassifier, ThreatModel, boundary_distance
from robfair.models import utkface_network

N_IMAGES, MINUTES = 20_000, 20.0
N_CLASSES = 5  # of age: 0-14, 15-24, 25-39, 40-59, 60+ years

LEGEND = f"""\
The network is `robfair.models.utkface_network`, that of Nanda et al. (2021), which the paper names
as its UTKFace classifier. The images are synthetic: a smooth pattern that changes with "age" under
smooth noise, in [0, 1]. L2, in the box. "projected" is for {N_IMAGES:,} images, passes are per
image."""


def faces(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Smooth images whose pattern moves from one end to another with age, and the class of age."""
    smooth = partial(F.interpolate, size=(48, 48), mode="bicubic")
    ends = smooth(torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0)))
    generator = torch.Generator().manual_seed(seed)
    age = torch.rand(n, generator=generator)
    images = torch.empty(n, 3, 48, 48)
    for rows in torch.arange(n).split(1000):
        noise = smooth(torch.randn(len(rows), 3, 12, 12, generator=generator))
        share = age[rows, None, None, None]
        pattern = share * ends[0] + (1 - share) * ends[1]
        images[rows] = (0.5 + 0.1 * pattern + 0.1 * noise).clamp(0, 1)
    return images.numpy(), (age * N_CLASSES).long().numpy()


def measure(
    name: str, estimator: NaturalClassifier | AdversarialClassifier, n_train: int, n: int
) -> dict[str, str]:
    """Row of the table: train, measure, project."""
    estimator.fit(*faces(n_train, seed=1))
    images, age = faces(n, seed=2)
    call = partial(
        boundary_distance,
        estimator.module_,
        threat_model=ThreatModel(bounds=(0, 1)),
        return_adversarial=False,
    )
    call(images[:16])  # the warm-up
    start = time.perf_counter()
    found = call(images)
    seconds = time.perf_counter() - start
    minutes = seconds / n * N_IMAGES / 60
    return {
        "training": name,
        "accuracy": f"{(found.predicted == age).mean():.3f}",
        "images": f"{n:,}",
        "seconds": f"{seconds:.1f}",
        "mean L2": f"{found.distance[np.isfinite(found.distance)].mean():.3f}",
        "found": f"{np.isfinite(found.distance).mean():.1%}",
        "forward passes": f"{found.n_forward.mean():.1f}",
        "backward passes": f"{found.n_backward.mean():.1f}",
        "projected, min": f"{minutes:.1f}",
        "target": f"{MINUTES:g}: {verdict(minutes <= MINUTES)}",
    }


def main() -> None:
    """Print a row for each way of training."""
    args = options(
        __doc__ or "",
        {
            "--samples": {"type": int, "default": 2000, "help": "images to measure"},
            "--full": {"action": "store_true", "help": f"measure {N_IMAGES:,}"},
        },
    )
    n = 32 if args.quick else N_IMAGES if args.full else args.samples
    n_train, epochs = (200, 1) if args.quick else (3000, 6)
    print("## Images\n")
    print(f"{machine()}\n")
    print(f"{LEGEND}\n", flush=True)
    common = {"module": utkface_network, "max_epochs": epochs, "batch_size": 64, "random_state": 0}
    natural = NaturalClassifier(**common)
    robust = AdversarialClassifier(eps=0.031, n_steps=3, **common)
    rows = [
        measure("natural", natural, n_train, n),
        measure("TRADES, eps 0.031", robust, n_train, n),
    ]
    print(table(rows))
    print()


if __name__ == "__main__":
    main()

"""Modes of torch: channels last, bfloat16 and torch.compile, a step of training in each.

No target: what pays is used, what does not is left out. Seconds of a step (forward, backward, Adam)
and, for torch.compile, of the first one, which compiles.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from common import alternate, machine, median_ratio, options, table
from torch import Tensor, nn

from robfair.models import cifar_network, lenet5, resnet18, tabular_network


def networks(quick: bool) -> dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]]:
    """Networks by name, each with the shape of a batch."""
    n = 8 if quick else 128
    found: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
        "tabular, 104 features": (lambda: tabular_network(104, 2, (64, 64)), (n, 104)),
        "LeNet-5": (lenet5, (n, 1, 28, 28)),
        "CIFAR-10 network": (cifar_network, (n, 3, 32, 32)),
    }
    if not quick:
        found["ResNet-18"] = (resnet18, (16, 3, 32, 32))
    return found


def step(module: nn.Module, optimizer: Any, X: Tensor, y: Tensor, reduced: bool) -> None:
    """Train a batch."""
    optimizer.zero_grad()
    mode = torch.autocast(X.device.type, torch.bfloat16) if reduced else nullcontext()
    with mode:
        logits = module(X)
    F.cross_entropy(logits.float(), y).backward()
    optimizer.step()


def main() -> None:
    """Print the table."""
    args = options(__doc__ or "")
    rounds = args.rounds or (1 if args.quick else 7)
    print(f"## Modes of torch\n\n{machine()}\n")
    rows = []
    for name, (make, shape) in networks(args.quick).items():
        torch.manual_seed(0)
        X, y = torch.rand(shape), torch.randint(2, shape[:1])
        first = make().to(memory_format=torch.contiguous_format)
        last = copy.deepcopy(first).to(memory_format=torch.channels_last)
        compiled = torch.compile(copy.deepcopy(first))
        variants = {
            "float32": (first, False),
            "channels last": (last, False),
            "bfloat16": (copy.deepcopy(first), True),
            "bfloat16, channels last": (copy.deepcopy(last), True),
            "torch.compile": (compiled, False),
        }
        steps = {}
        for variant, (module, reduced) in variants.items():
            optimizer = torch.optim.Adam(module.parameters())
            steps[variant] = partial(step, module, optimizer, X, y, reduced)
        warm = {}
        for variant, run in steps.items():
            start = time.perf_counter()
            run()
            warm[variant] = time.perf_counter() - start
        seconds = alternate(steps, rounds)
        for variant, found in seconds.items():
            rows.append(
                {
                    "network": name,
                    "mode": variant,
                    "batch": str(shape[0]),
                    "ms a step": f"{1000 * sorted(found)[len(found) // 2]:.1f}",
                    "ratio": f"{median_ratio(found, seconds['float32']):.2f}",
                    "first step, s": f"{warm[variant]:.1f}",
                }
            )
    print(table(rows) + "\n")


if __name__ == "__main__":
    main()

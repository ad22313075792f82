"""Measures, images and experiments that the tests of the reproduction share."""

from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from robfair.reproduction._records import read_runs

COLUMNS = ["seed", "protocol", "model", "measure", "eps", "label", "group", "value"]


def rows(protocol, model, measure, values, **more):
    """Rows of a measure, one for each seed."""
    base = {"protocol": protocol, "model": model, "measure": measure}
    return [{"seed": seed, **base, **more, "value": v} for seed, v in enumerate(values)]


def frame(*lists):
    """The rows of several measures as `read_runs` returns them."""
    return pd.DataFrame([row for rows in lists for row in rows], columns=COLUMNS)


def measures_of(output, experiment):
    """The measures that a small run has written to its folder."""
    return read_runs(output / "results", experiment, "small")[0]


def value(measures, protocol, model, measure, **where):
    """The one value of a measure."""
    wanted = {"protocol": protocol, "model": model, "measure": measure, **where}
    chosen = measures
    for column, content in wanted.items():
        chosen = chosen[chosen[column] == content]
    assert len(chosen) == 1
    return chosen["value"].item()


def images(channels, size, n_classes, *, n=60, has_races=False):
    """A fetcher of classes that differ in brightness, in the form of those of robfair.datasets."""

    def fetch(*, split, data_home):
        rng = np.random.default_rng(len(split))
        target = np.arange(n) % n_classes
        data = rng.uniform(0, 0.2, (n, channels, size, size)) + target.reshape(-1, 1, 1, 1) * 0.08
        bunch = Bunch(
            data=data.astype(np.float32),
            target=target,
            target_names=[f"class {i}" for i in range(n_classes)],
        )
        if has_races:
            bunch.sensitive_features = pd.DataFrame({"race": np.resize(["A", "A", "B"], n)})
        return bunch

    return fetch


def with_experiment(paper, dataset, model=None, **changes):
    """The paper with one experiment alone, changed."""
    return replace(paper, experiments=(replace(paper.experiment(dataset, model), **changes),))

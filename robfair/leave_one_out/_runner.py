"""The parallel loop over refits, which goes on when workers are lost."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples

from robfair._parallel import LOST
from robfair._progress import ProgressBar
from robfair.leave_one_out._checks import Data
from robfair.leave_one_out._refit import Refit, refit_proba
from robfair.leave_one_out._store import RefitStore

__all__ = ["run_refits"]


def run_refits(
    refits: Sequence[Refit],
    data: Data,
    store: RefitStore | None,
    *,
    n_jobs: int | None,
    verbose: int | None,
) -> NDArray[np.float64]:
    """Return the confidences of all refits, from the checkpoint or by training.

    They have the shape (n_refits, n_test, n_classes), in the order of `refits`. Raises RuntimeError
    if workers were lost again and again.
    """
    proba = np.empty((len(refits), _num_samples(data.X_test), len(data.classes)))
    pending = {}  # name of each unfinished refit, with its place
    for j, refit in enumerate(refits):
        finished = None if store is None else store.load(refit.name)
        if finished is None:
            pending[refit.name] = j
        else:
            proba[j] = finished
    done = len(refits) - len(pending)
    # Each array by itself: Dask sends it to a worker once, and not with every refit.
    train = partial(delayed(refit_proba), **data.arrays(), classes=data.classes)
    lost = False  # workers, since a refit last came back
    with ProgressBar(
        total=len(refits), initial=done, desc="leave one out", unit="refit", verbose=verbose
    ) as bar:
        while pending:
            # Unordered, so that a finished refit is written at once.
            parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
            try:
                # A list, since joblib takes tasks while others finish and leave `pending`.
                for name, each in parallel(train(refits[j]) for j in list(pending.values())):
                    lost = False
                    proba[pending[name]] = each
                    if store is not None:
                        store.save(name, each)
                    del pending[name]
                    bar.update()
            except Exception as error:
                # Dask moves the work of a lost worker to others by itself, but not the training
                # data, if no other worker had them. Then, and for local processes, go on with the
                # rest as long as something comes back in between.
                if lost:
                    raise RuntimeError(_lost(len(refits), len(pending), store)) from error
                if not isinstance(error, LOST):
                    raise
                lost = True
                warnings.warn(
                    f"workers were lost ({type(error).__name__}: {error}). The {len(pending)} "
                    "refits that are not finished go on.",
                    stacklevel=3,
                )
    return proba


def _lost(n: int, n_pending: int, store: RefitStore | None) -> str:
    where = (
        "and gone: pass checkpoint=, a folder, to keep them"
        if store is None
        else f"and kept in {store.folder}: call again with this checkpoint to go on"
    )
    return (
        f"workers were lost again and again, or cannot be reached. {n - n_pending} of {n} refits "
        f"are finished {where}. See that the workers have enough memory, that the cluster is up, "
        "and that training does not end their process."
    )

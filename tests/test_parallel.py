"""Settings of torch in the threads and processes that joblib spreads work over."""

from contextlib import ExitStack

import pytest
import torch
from joblib import parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from robfair._parallel import TorchSettings, in_order


def test_settings_of_torch_hold_in_the_threads():
    seen = []
    before = torch.get_num_threads(), torch.get_default_dtype()
    try:
        torch.set_num_threads(2)
        torch.set_default_dtype(torch.float64)
        with parallel_config("threading"), torch.autocast("cpu", dtype=torch.bfloat16):
            for _ in in_order(lambda i: seen.append(TorchSettings.here()), int, 2, 2):
                pass
            assert seen == [TorchSettings.here()] * 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before[0])
        torch.set_default_dtype(before[1])


@pytest.mark.parametrize("finished", [0, 1])
def test_processes_that_are_lost_again_and_again(finished):
    def lost(i):
        if i >= finished:
            raise TerminatedWorkerError("killed")
        return i

    results = []
    with (
        parallel_config("threading"),
        pytest.warns(UserWarning, match="workers were lost"),
        pytest.raises(RuntimeError, match=f"again and again, after {finished} of 3 parts"),
    ):
        results.extend(in_order(lost, int, 3, 1))


def test_processes_that_are_lost_once_are_gone_on_without():
    calls = []

    def lost_once(i):
        calls.append(i)
        if calls == [0, 1]:
            raise TerminatedWorkerError("killed")
        return i

    with parallel_config("threading"), pytest.warns(UserWarning, match="computed again"):
        assert list(in_order(lost_once, int, 3, 1)) == [0, 1, 2]
    assert calls == [0, 1, 1, 2]  # what is finished is not computed again


def test_settings_of_another_process_are_taken_over():
    settings = TorchSettings(1, torch.float64, "medium", (("cpu", False, torch.bfloat16),))
    before = TorchSettings.here()
    try:
        with ExitStack() as stack:
            settings.enter(stack)
            here = TorchSettings.here()
        assert (here.n_threads, here.dtype, here.precision) == (1, torch.float64, "medium")
    finally:
        torch.set_default_dtype(before.dtype)
        torch.set_float32_matmul_precision(before.precision)

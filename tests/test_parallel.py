"""Settings of torch in the threads and processes that joblib spreads work over."""

from contextlib import ExitStack

import torch
from joblib import parallel_config

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

"""Process-wide settings of torch are set back, also when blocks overlap in threads."""

import threading

import pytest
import torch

from robfair._isolation import one_thread, untouched_random_state


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_one_thread_inside_and_back_afterwards(two_threads):
    with one_thread():
        assert torch.get_num_threads() == 1
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_back_after_an_error(two_threads):
    with pytest.raises(ZeroDivisionError), one_thread():
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == 2


def test_random_state_is_back_when_blocks_overlap():
    before = torch.get_rng_state()
    inside, leave = threading.Event(), threading.Event()

    def other():
        with untouched_random_state(cuda=False):
            torch.manual_seed(1)
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with untouched_random_state(cuda=False):
        torch.manual_seed(2)
        thread.start()
        inside.wait(10)
    leave.set()
    thread.join()
    assert torch.equal(torch.get_rng_state(), before)

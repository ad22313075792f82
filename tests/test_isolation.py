"""Process-wide settings of torch are set back, also when blocks overlap in threads."""

import signal
import threading
from contextlib import suppress

import pytest
import torch

from interrupts import usual_handler
from robfair._isolation import SharedSetting, one_thread, raised_interrupts, untouched_random_state


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


def test_each_thread_has_its_number_back(two_threads):
    """OpenMP has a number for each thread: the last block cannot restore those of the others."""
    inside, leave = threading.Event(), threading.Event()
    numbers = []

    def other():
        with one_thread():
            inside.set()
            leave.wait(10)
        numbers.append(torch.get_num_threads())

    thread = threading.Thread(target=other)
    with one_thread():
        thread.start()
        inside.wait(10)
    assert torch.get_num_threads() == 2  # although the other block has not been left
    leave.set()
    thread.join()
    assert numbers == [2]
    fresh = threading.Thread(target=lambda: numbers.append(torch.get_num_threads()))
    fresh.start()
    fresh.join()
    assert numbers == [2, 2]


def test_a_setting_is_restored_although_ctrl_c_comes_in_between():
    value, presses = [1], [KeyboardInterrupt]

    def restore(saved):
        if presses:
            raise presses.pop()
        value[0] = saved

    setting = SharedSetting(lambda: value[0], restore)
    with pytest.raises(KeyboardInterrupt), setting():
        value[0] = 2
    assert value == [1]
    with setting():
        value[0] = 3
    assert value == [1]


def test_ctrl_c_that_was_swallowed_is_raised():
    """As skorch swallows it in training."""
    with usual_handler():
        handler = signal.getsignal(signal.SIGINT)
        raised = pytest.raises(KeyboardInterrupt)
        with raised, raised_interrupts(), suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is handler
        with raised_interrupts():
            pass


def test_other_handlers_and_threads_are_left_to_themselves():
    presses = []
    with usual_handler():
        signal.signal(signal.SIGINT, lambda *args: presses.append(1))
        with raised_interrupts():
            signal.raise_signal(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with raised_interrupts():
            signal.raise_signal(signal.SIGINT)

    def work():
        with raised_interrupts():
            presses.append(2)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert presses == [1, 2]

import numpy as np
import pytest

from robfair._batches import batches, check_batch_size, default_batch_size


@pytest.mark.parametrize(
    ("shape", "size"), [((1,), 2**18), ((4,), 2**16), ((3, 32, 32), 85), ((3, 224, 224), 64)]
)
def test_default_batch_size(shape, size):
    assert default_batch_size(shape) == size


def test_check_batch_size():
    for size in (None, 1, np.int64(3)):
        check_batch_size(size)
    with pytest.raises(ValueError, match="batch_size must be at least 1; got 0"):
        check_batch_size(0)
    with pytest.raises(TypeError, match="integer"):
        check_batch_size(2.5)


@pytest.mark.parametrize(("n", "sizes"), [(0, []), (3, [3]), (4, [3, 1]), (6, [3, 3])])
def test_batches_cut_in_order(n, sizes):
    rows = np.arange(n)
    parts = [rows[part] for part in batches(n, 3)]
    assert [len(part) for part in parts] == sizes
    assert [i for part in parts for i in part] == list(range(n))

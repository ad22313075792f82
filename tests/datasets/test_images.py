"""Images as torch modules take them, and the page that describes each data set."""

import numpy as np
import pytest

from robfair.datasets import _images, fetch_cifar10, fetch_mnist


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 5, 2)])
def test_channels_come_first_and_pixels_lie_between_0_and_1(shape):
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    images.flat[:2] = 0, 255
    data = _images.as_data(images)
    by_hand = np.zeros((3, shape[3] if len(shape) == 4 else 1, 4, 5))
    for i, channel, row, column in np.ndindex(by_hand.shape):
        at = (i, row, column, channel) if len(shape) == 4 else (i, row, column)
        by_hand[i, channel, row, column] = images[at] / 255
    np.testing.assert_allclose(data, by_hand, atol=1e-7)
    assert (data.dtype, data.flags.c_contiguous) == (np.float32, True)
    assert (data.min(), data.max()) == (0, 1)


@pytest.mark.parametrize("name", ["mnist", "cifar10", "utkface"])
def test_every_data_set_has_a_page(name):
    assert "licence" in _images.page(name).lower()


@pytest.mark.parametrize("fetch", [fetch_mnist, fetch_cifar10])
def test_a_loader_is_the_function_that_was_written(fetch):
    assert fetch.__name__.startswith("fetch_")
    assert fetch.__module__.startswith("robfair.datasets._")
    assert set(fetch.__kwdefaults__) == {"data_home", "split", "download_if_missing", "return_X_y"}

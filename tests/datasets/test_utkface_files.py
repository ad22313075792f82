"""The files of UTKFace: names, equal files, sizes and the file of the cache."""

import builtins

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faces import PEOPLE, SIZE, decoded, from_folder, jpeg, name_of, random_jpeg
from robfair.datasets import _utkface_files


def test_equal_files(fetch, files):
    same_label = {name_of(PEOPLE[0], 900 + i): files[name_of(PEOPLE[0], 0)] for i in range(2)}
    content = random_jpeg(777)
    conflict = {name_of(labels, 800): content for labels in ((20, 0, 1), (20, 0, 2), (21, 0, 1))}
    # Two of the three agree, and still nobody knows.
    conflict[name_of((20, 0, 1), 801)] = content
    bunch = from_folder(fetch, {**files, **same_label, **conflict}, split="all")
    assert sorted(bunch.file_names) == sorted(files)
    assert (bunch.n_malformed, bunch.n_conflicting, bunch.n_duplicates) == (0, 4, 2)
    assert (bunch.n_conflicting, bunch.n_duplicates) == (
        fetch(split="test").n_conflicting,
        fetch(split="test").n_duplicates,
    )


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_conflict_in_any_label(fetch, files, index):
    labels = [30, 0, 0]
    labels[index] += 1
    content = random_jpeg(777)
    conflict = {name_of((30, 0, 0), 800): content, name_of(labels, 800): content}
    assert from_folder(fetch, {**files, **conflict}, split="all").n_conflicting == 2


MALFORMED = [
    "39_1_20170116174525125.jpg.chip.jpg",  # of the original: no race
    "20170116174525125.jpg",
    "39_2_0_20170116174525125.jpg",
    "39_1_5_20170116174525125.jpg",
    "117_1_0_20170116174525125.jpg",
    "-1_1_0_20170116174525125.jpg",
    "39_1_0.jpg",
    "39_1_0_.jpg",
    "._39_1_0_20170116174525125.jpg",
    "face.jpeg",
]


def test_malformed_names_are_counted(fetch, files):
    """They are not even opened; what is no JPEG file by its name is not counted."""
    others = {"readme.txt": b"", "39_1_0_20170116174525125.png": b"", ".DS_Store": b""}
    bad = dict.fromkeys(MALFORMED, b"not an image")
    bunch = from_folder(fetch, {**files, **bad, **others}, split="all")
    assert bunch.n_malformed == len(MALFORMED)
    assert sorted(bunch.file_names) == sorted(files)


def test_names_of_the_original_that_look_wrong(fetch):
    names = [
        "14_0_0_2017011022340900.jpg.chip.jpg",
        "24_0_1_20170116220224657 .jpg.chip.jpg",
        "28_1_2_201701161846515488.jpg.chip.jpg",
        "55_0_0_20170116232725357jpg.chip.jpg",
    ]
    files = {name: random_jpeg(i) for i, name in enumerate(names)}
    bunch = from_folder(fetch, files, split="all")
    assert dict(zip(bunch.file_names, bunch.ages, strict=True)) == dict(
        zip(names, [14, 24, 28, 55], strict=True)
    )


def area_mean(image, size):
    """Means over areas by brute force: each pixel is cut into as many as the new image has."""
    fine = image.repeat(size, axis=0).repeat(size, axis=1).astype(float)
    n = len(image)
    return fine.reshape(size, n, size, n, 3).mean(axis=(1, 3))


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_shrinking_is_a_mean_over_areas(size, more, seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (size + more, size + more, 3), dtype=np.uint8)
    small = _utkface_files._shrink(image, size)
    assert (small.dtype, small.shape) == (np.uint8, (size, size, 3))
    assert np.abs(small - area_mean(image, size)).max() <= 0.5 + 1e-9


def test_larger_images_are_resized(fetch):
    content = random_jpeg(0, size=20)
    bunch = from_folder(fetch, {name_of((30, 0, 0), 1): content}, split="all", image_size=6)
    expected = area_mean(decoded(content), 6)
    assert np.abs(bunch.images[0] - expected).max() <= 0.5 + 1e-9
    assert bunch.data.shape == (1, 3, 6, 6)


def test_sizes_are_kept_apart(fetch, files):
    from_folder(fetch, files)
    assert from_folder(fetch, files, image_size=4).data.shape[1:] == (3, 4, 4)
    assert fetch().data.shape[1:] == (3, SIZE, SIZE)


def test_grey_images_become_colour(fetch):
    grey = np.arange(SIZE * SIZE, dtype=np.uint8).reshape(SIZE, SIZE)
    bunch = from_folder(fetch, {name_of((30, 0, 0), 1): jpeg(grey)}, split="all")
    assert np.ptp(bunch.data, axis=1).max() == 0


@pytest.mark.parametrize("shape", [(SIZE, SIZE + 1), (SIZE - 1, SIZE - 1)])
def test_images_of_another_shape(fetch, files, shape):
    """Faces that are not cropped, or smaller ones: nothing is stretched, nothing enlarged."""
    name = name_of((30, 0, 0), 1)
    bad = jpeg(np.zeros((*shape, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match=rf"{name} has {shape[1]} x {shape[0]} pixels"):
        from_folder(fetch, {**files, name: bad})
    assert list(fetch.home.iterdir()) == []


@pytest.mark.parametrize("cut", [0, 20, -20])
def test_a_damaged_image(fetch, files, cut):
    name = name_of((30, 0, 0), 1)
    with pytest.raises(OSError, match=f"{name} cannot be read as an image"):
        from_folder(fetch, {**files, name: random_jpeg(1)[:cut]})
    assert list(fetch.home.iterdir()) == []


def changed(arrays, **changes):
    return {**arrays, **changes}


@pytest.mark.parametrize(
    "change",
    [
        lambda a: changed(a, images=a["images"][:-1]),
        lambda a: changed(a, images=a["images"] / 255),
        lambda a: changed(a, images=a["images"][:, :-1]),
        lambda a: changed(a, names=np.array(["face.jpg"] * len(a["names"]))),
        lambda a: changed(a, names=a["names"].astype(object)),
        lambda a: changed(a, names=np.arange(len(a["names"]))),
        lambda a: {k: v for k, v in a.items() if k != "n_malformed"},
    ],
    ids=["fewer", "scaled", "size", "names", "pickle", "numbers", "missing"],
)
def test_an_altered_cache_is_refused(fetch, files, change):
    from_folder(fetch, files)
    file = fetch.home / f"utkface-{SIZE}.npz"
    with np.load(file) as archive:
        arrays = dict(archive)
    np.savez(file, **change(arrays))
    with pytest.raises(OSError, match=r"not a file that fetch_utkface has written: .* Delete it"):
        fetch()


@pytest.mark.parametrize("keep", [slice(0), slice(100), slice(-100)])
def test_a_damaged_cache_is_refused(fetch, files, keep):
    from_folder(fetch, files)
    file = fetch.home / f"utkface-{SIZE}.npz"
    file.write_bytes(file.read_bytes()[keep])
    with pytest.raises(OSError, match="cannot be read"):
        fetch()


def test_without_pillow(fetch, files, monkeypatch):
    """It is needed for the folder, not for the cache."""
    from_folder(fetch, files)
    original = builtins.__import__

    def no_pillow(name, *args, **kwargs):
        if name.partition(".")[0] == "PIL":
            raise ImportError("no PIL")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_pillow)
    assert len(fetch(split="all").target) == len(files)
    with pytest.raises(ImportError, match=r"needs Pillow.*robfair\[download\]"):
        fetch(folder=fetch.folder)

"""fetch_utkface on tiny JPEG files that are made here: no face is needed, none is in the tests."""

import builtins
import hashlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from robfair.datasets import _utkface_files, fetch_utkface

SIZE = 8
RACES = ["White", "Black", "Asian", "Indian", "Other"]
# Each is (age, gender, race); the date keeps names apart.
PEOPLE = [
    (a, g, r) for a in (1, 14, 15, 24, 25, 39, 40, 59, 60, 116) for g in (0, 1) for r in range(5)
]


def name_of(labels, number):
    return "_".join(map(str, labels)) + f"_2017011{number:010d}.jpg"


def jpeg(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def decoded(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def random_jpeg(seed, size=SIZE):
    return jpeg(np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8))


@pytest.fixture
def files():
    """The content of each file, by name."""
    return {name_of(labels, i): random_jpeg(i) for i, labels in enumerate(PEOPLE)}


@pytest.fixture
def fetch(tmp_path):
    """fetch_utkface with a cache of its own, and a folder for files beside it."""

    def call(**kwargs):
        return fetch_utkface(**{"data_home": call.home, "image_size": SIZE, **kwargs})

    call.home, call.folder = tmp_path / "home", tmp_path / "faces"
    call.folder.mkdir()
    return call


def write(folder, files):
    for name, content in files.items():
        (folder / name).write_bytes(content)


def from_folder(fetch, files, **kwargs):
    write(fetch.folder, files)
    return fetch(folder=fetch.folder, **kwargs)


def test_images_and_labels(fetch, files):
    bunch = from_folder(fetch, files, split="all")
    assert sorted(bunch.file_names) == sorted(files)
    for i, name in enumerate(bunch.file_names):
        age, gender, race = map(int, name.split("_")[:3])
        np.testing.assert_array_equal(bunch.images[i], decoded(files[name]))
        np.testing.assert_array_equal(
            bunch.data[i], decoded(files[name]).transpose(2, 0, 1) / np.float32(255)
        )
        assert bunch.ages[i] == age
        assert bunch.target[i] == sum(age >= year for year in (15, 25, 40, 60))
        row = bunch.sensitive_features.iloc[i]
        assert (row["race"], row["gender"]) == (RACES[race], ["Male", "Female"][gender])
    assert bunch.target_names == ["0-14", "15-24", "25-39", "40-59", "60+"]
    assert (bunch.data.dtype, bunch.data.flags.c_contiguous) == (np.float32, True)
    assert bunch.target.dtype == bunch.ages.dtype == np.int64
    assert (bunch.n_malformed, bunch.n_conflicting, bunch.n_duplicates) == (0, 0, 0)
    assert "non-commercial" in bunch.DESCR


def test_it_is_kept(fetch, files):
    first = from_folder(fetch, files)
    assert [p.name for p in fetch.home.iterdir()] == [f"utkface-{SIZE}.npz"]
    for path in fetch.folder.iterdir():
        path.unlink()
    X, y = fetch(return_X_y=True)
    np.testing.assert_array_equal(X, first.data)
    np.testing.assert_array_equal(y, first.target)


def test_naming_a_folder_reads_it_again(fetch, files):
    from_folder(fetch, files)
    added = name_of((30, 0, 0), 500)
    from_folder(fetch, {added: random_jpeg(500)})
    assert added in fetch(split="all").file_names


def test_the_folder_in_data_home(fetch, files):
    """As a folder of several data sets may hold it."""
    (fetch.home / "utkface").mkdir(parents=True)
    write(fetch.home / "utkface", files)
    assert len(fetch(split="all").target) == len(files)
    assert (fetch.home / f"utkface-{SIZE}.npz").exists()


def test_data_home_by_the_environment(fetch, files, monkeypatch):
    monkeypatch.setenv("ROBFAIR_DATA", str(fetch.home))
    from_folder(fetch, files, data_home=None)
    assert (fetch.home / f"utkface-{SIZE}.npz").exists()


def in_test(name):
    stem = name.split(".")[0]
    return int(hashlib.sha256(stem.encode()).hexdigest()[:16], 16) % 5 == 0


def test_split(fetch, files):
    train, test = from_folder(fetch, files), fetch(split="test")
    both = fetch(split="all")
    assert set(test.file_names) == {name for name in files if in_test(name)}
    assert both.file_names.tolist() == [*train.file_names, *test.file_names]
    np.testing.assert_array_equal(both.target, [*train.target, *test.target])
    assert 0.1 < len(test.target) / len(both.target) < 0.3
    assert both.file_names.tolist() != sorted(both.file_names)


def test_split_depends_on_nothing_but_the_name(fetch, files):
    """Neither on other files nor on the ending that a copy of the data gave it."""
    before = from_folder(fetch, files, split="test").file_names.tolist()
    for path in fetch.folder.iterdir():
        path.unlink()
    half = dict(list(files.items())[::2])
    chips = {name.replace(".jpg", ".jpg.chip.JPG"): content for name, content in half.items()}
    after = from_folder(fetch, chips, split="test").file_names
    assert [name.removesuffix(".chip.JPG") for name in after] == [n for n in before if n in half]


def test_the_first_images_are_a_sample_of_all(fetch, files):
    """Sorted by name they would be all of one age."""
    ages = from_folder(fetch, files).ages
    assert len(np.unique(ages[:15])) >= 5


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


def test_gender_as_the_target(fetch, files):
    bunch = from_folder(fetch, files, target="gender")
    assert bunch.target_names == ["Male", "Female"]
    names = np.array(bunch.target_names)[bunch.target]
    np.testing.assert_array_equal(names, bunch.sensitive_features["gender"])
    assert bunch.target.dtype == np.int64


@pytest.mark.parametrize(
    ("bins", "names"),
    [
        ((60,), ["0-59", "60+"]),
        ([1, 2, 60], ["0", "1", "2-59", "60+"]),
        (np.array([18, 65]), ["0-17", "18-64", "65+"]),
    ],
)
def test_age_bins(fetch, files, bins, names):
    bunch = from_folder(fetch, files, age_bins=bins)
    assert bunch.target_names == names
    for age, label in zip(bunch.ages, bunch.target, strict=True):
        low, _, high = names[label].rstrip("+").partition("-")
        above = 200 if names[label].endswith("+") else int(high or low)
        assert int(low) <= age <= above


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"split": "valid"}, "split must be one of 'train', 'test', 'all'; got 'valid'"),
        ({"target": "race"}, "target must be one of 'age', 'gender'; got 'race'"),
        ({"age_bins": ()}, r"age_bins must be .*; got \(\)"),
        ({"age_bins": (0, 5)}, "above 0"),
        ({"age_bins": (5, 5)}, "greater than the one before"),
        ({"age_bins": (5.5,)}, "integers"),
        ({"age_bins": 18}, "got 18"),
        ({"image_size": 0}, "image_size must be an integer above 0; got 0"),
        ({"image_size": 48.0}, "image_size must be"),
    ],
)
def test_bad_arguments(fetch, files, kwargs, message):
    """They are refused before anything is read or made."""
    with pytest.raises(ValueError, match=message):
        from_folder(fetch, files, **kwargs)
    assert not fetch.home.exists()


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


def test_nothing_there(fetch):
    with pytest.raises(FileNotFoundError, match=r"licence forbids .*susanqq.github.io.*folder="):
        fetch()
    with pytest.raises(FileNotFoundError, match=r"folder must hold .*nowhere is not a folder"):
        fetch(folder=fetch.folder / "nowhere")
    assert not fetch.home.exists()
    (fetch.folder / "UTKFace").mkdir()
    with pytest.raises(FileNotFoundError, match=r"and 0 with other names\. Name the folder"):
        fetch(folder=fetch.folder)
    with pytest.raises(FileNotFoundError, match=r"no JPEG file .* 1 with other names"):
        from_folder(fetch, {"a.jpg": b""})


def test_a_cache_that_cannot_be_written_to(fetch, files, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"data folder .* cannot be written to"):
        from_folder(fetch, files, data_home=tmp_path / "file" / "home")


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


def test_changing_the_result_changes_nothing_else(fetch, files):
    first = from_folder(fetch, files)
    images = first.images.copy()
    first.data[:], first.images[:], first.target[:] = 0, 0, 0
    np.testing.assert_array_equal(fetch().images, images)

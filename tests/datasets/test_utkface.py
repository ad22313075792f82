"""fetch_utkface on tiny JPEG files that are made here: no face is needed, none is in the tests."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from faces import SIZE, decoded, from_folder, name_of, random_jpeg, write
from fetched import HOME, needs
from robfair.datasets import fetch_utkface

RACES = ["White", "Black", "Asian", "Indian", "Other"]


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


def test_changing_the_result_changes_nothing_else(fetch, files):
    first = from_folder(fetch, files)
    images = first.images.copy()
    first.data[:], first.images[:], first.target[:] = 0, 0, 0
    np.testing.assert_array_equal(fetch().images, images)


@needs("utkface")
def test_the_real_files(tmp_path):
    """The counts of equal files are those of md5sum; the others follow from names and sizes."""
    folder = Path(HOME, "utkface")
    faces = fetch_utkface(data_home=tmp_path, folder=folder, split="all")
    n_files = len([path for path in folder.iterdir() if path.suffix == ".jpg"])
    n_left_out = faces.n_malformed + faces.n_conflicting + faces.n_duplicates
    assert len(faces.target) == n_files - n_left_out == 23_055
    assert (faces.n_conflicting, faces.n_duplicates) == (531, 118)
    # Every race, with every class of age, on each side of the split.
    n_train = len(faces.target) - len(fetch_utkface(data_home=tmp_path, split="test").target)
    races = faces.sensitive_features["race"]
    for rows in (slice(n_train), slice(n_train, None)):
        assert len(set(zip(races[rows], faces.target[rows], strict=True))) == 25

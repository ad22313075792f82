"""fetch_mnist and fetch_cifar10 against a local server: small data in the original file formats."""

import gzip
import hashlib
import io
import struct
import sys
import tarfile
import threading
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType

import numpy as np
import pooch
import pytest

from robfair.datasets import _cifar10, _download, _mnist, fetch_cifar10, fetch_mnist

N = {"train": 20, "test": 4}  # four per batch file of CIFAR-10


class Server(ThreadingHTTPServer):
    """Serves ``files``; ``answer`` says how, and ``asked`` collects the paths."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.asked, self.answer = {}, [], "whole"

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        content, answer = self.server.files[self.path.lstrip("/")], self.server.answer
        sent = {
            "whole": content,
            "altered": content[:-1] + bytes([content[-1] ^ 1]),
            "cut off": content[: len(content) // 2],  # the length that is announced stays
            "cut off, and says so": content[: len(content) // 2],
            "not found": b"",
        }[answer]
        self.send_response(404 if answer == "not found" else 200)
        announced = sent if answer in ("cut off, and says so", "not found") else content
        self.send_header("Content-Length", str(len(announced)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@dataclass
class Case:
    """A data set in which only the tables are replaced: the code is the one that users run."""

    fetch: object
    module: ModuleType
    arrays: dict  # as in the .npz file
    home: object
    shape: tuple  # of an image in `data`
    server: Server
    monkeypatch: pytest.MonkeyPatch

    @property
    def file_name(self):
        return self.module._SOURCE.file_name

    def __call__(self, **kwargs):
        return self.fetch(**{"data_home": self.home, **kwargs})

    def change_source(self, **changes):
        self.monkeypatch.setattr(self.module, "_SOURCE", replace(self.module._SOURCE, **changes))

    def change_test_hashes(self, change):
        part = self.module._SOURCE.parts["test"]
        changed = replace(part, sha256=[change(accepted) for accepted in part.sha256])
        self.change_source(parts={**self.module._SOURCE.parts, "test": changed})

    def write(self, **changes):
        """Write the file of the cache by hand, with some arrays replaced."""
        self.home.mkdir(exist_ok=True)
        arrays = {**self.arrays, **changes}
        np.savez_compressed(self.home / self.file_name, **arrays)

    def left(self):
        return sorted(p.name for p in self.home.rglob("*")) if self.home.exists() else []


def mnist_files(arrays):
    """The four files, by name: their bytes before and after compression."""
    raw = {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        X, y = arrays[f"X_{split}"], arrays[f"y_{split}"]
        head = struct.pack(">iiii", 2051, len(X), 28, 28)
        raw[f"{prefix}-images-idx3-ubyte.gz"] = head + b"".join(bytes(row) for row in X)
        raw[f"{prefix}-labels-idx1-ubyte.gz"] = struct.pack(">ii", 2049, len(y)) + bytes(y)
    return raw, {name: gzip.compress(content) for name, content in raw.items()}


def cifar_files(arrays):
    """The members of the archive, and the archive; every pixel is put in its place by a loop."""
    raw = {}
    places = [(i, j, channel) for channel in range(3) for i in range(32) for j in range(32)]
    for split in N:
        records = [
            bytes([label, *(image[place] for place in places)])
            for image, label in zip(arrays[f"X_{split}"], arrays[f"y_{split}"], strict=True)
        ]
        for k in range(0, len(records), 4):
            name = f"data_batch_{k // 4 + 1}.bin" if split == "train" else "test_batch.bin"
            raw[name] = b"".join(records[k : k + 4])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in ["readme.html", *reversed(raw)]:  # the order in the archive says nothing
            content = raw.get(name, b"<html>")
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return raw, {"cifar-10-binary.tar.gz": buffer.getvalue()}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(params=["mnist", "cifar10"])
def case(request, server, tmp_path, monkeypatch):
    module, fetch, make_files, in_cache, in_data = {
        "mnist": (_mnist, fetch_mnist, mnist_files, (28, 28), (1, 28, 28)),
        "cifar10": (_cifar10, fetch_cifar10, cifar_files, (32, 32, 3), (3, 32, 32)),
    }[request.param]
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in N.items():
        arrays[f"X_{split}"] = rng.integers(0, 256, (n, *in_cache), dtype=np.uint8)
        arrays[f"y_{split}"] = rng.integers(0, 10, n, dtype=np.uint8)
    raw, server.files = make_files(arrays)
    hashes = {"train": [], "test": []}
    for name, content in raw.items():
        split = "test" if name.startswith(("t10k", "test")) else "train"
        hashes[split].append([sha256(content)])
    parts = {
        split: _download.Part(
            {f"{k}_{split}": arrays[f"{k}_{split}"].shape for k in "Xy"}, hashes[split]
        )
        for split in N
    }
    downloads = {
        server.url + name: hashlib.md5(content).hexdigest()
        for name, content in server.files.items()
    }
    if module is _cifar10:
        monkeypatch.setattr(module, "_PER_FILE", 4)
        monkeypatch.setattr(module, "_DECODED", [0, 2])
    made = Case(fetch, module, arrays, tmp_path / "home", in_data, server, monkeypatch)
    made.change_source(downloads=downloads, parts=parts)
    return made


@pytest.mark.parametrize("split", ["train", "test", "all"])
def test_download_gives_the_images(case, split):
    bunch = case(split=split)
    splits = ["train", "test"] if split == "all" else [split]
    X = np.concatenate([case.arrays[f"X_{s}"] for s in splits])
    y = np.concatenate([case.arrays[f"y_{s}"] for s in splits])
    np.testing.assert_array_equal(bunch.images, X)
    assert bunch.data.shape == (len(X), *case.shape)
    assert (bunch.data.dtype, bunch.data.flags.c_contiguous) == (np.float32, True)
    for channel in range(case.shape[0]):
        plane = X if X.ndim == 3 else X[..., channel]
        np.testing.assert_array_equal(bunch.data[:, channel], plane / np.float32(255))
    np.testing.assert_array_equal(bunch.target, y)
    assert bunch.target.dtype == np.int64
    assert len(bunch.target_names) == len(set(bunch.target_names)) == 10
    assert case.file_name.removesuffix(".npz") in bunch.DESCR
    assert case.left() == [case.file_name]


def test_it_is_downloaded_once(case):
    first = case()
    asked = list(case.server.asked)
    assert len(asked) == len(case.server.files)
    X, y = case(return_X_y=True, download_if_missing=False)
    np.testing.assert_array_equal(X, first.data)
    np.testing.assert_array_equal(y, first.target)
    assert case.server.asked == asked


def test_changing_the_result_changes_nothing_else(case):
    bunch = case()
    bunch.data[:], bunch.images[:], bunch.target[:] = 0, 0, 0
    np.testing.assert_array_equal(case().images, case.arrays["X_train"])


@pytest.mark.parametrize("answer", ["altered", "cut off", "cut off, and says so", "not found"])
def test_a_bad_download_is_refused_and_leaves_nothing(case, answer):
    case.server.answer = answer
    with pytest.raises(OSError, match=f"{case.module._SOURCE.title} could not be downloaded, or"):
        case()
    assert case.left() == []
    case.server.answer = "whole"
    np.testing.assert_array_equal(case().images, case.arrays["X_train"])


def test_one_bad_file_of_several(case):
    """What came before it is not kept either."""
    name = list(case.server.files)[-1]
    case.server.files[name] = b"something else"
    with pytest.raises(OSError, match="could not be downloaded"):
        case()
    assert case.left() == []


def test_no_server(case):
    case.change_source(downloads={"http://127.0.0.1:9/x.gz": "0" * 32})
    with pytest.raises(OSError, match=r"could not be downloaded.*copy .*\.npz .*refused"):
        case()
    assert case.left() == []


def test_the_right_md5_is_not_enough(case):
    """Other files with the MD5 of the table: the SHA-256 of what is in them decides."""
    case.change_test_hashes(lambda accepted: [sha256(b"")])
    with pytest.raises(OSError, match="not the original: the SHA-256 of X_test and y_test differs"):
        case(split="train")
    assert case.left() == []


def test_a_folder_that_was_filled_by_hand(case):
    """As shared folders hold it: compressed or not, and with further arrays."""
    case.write(class_names=np.array(["a", "b"]), test_exact=np.ones(4, dtype=bool))
    np.testing.assert_array_equal(case(split="test").images, case.arrays["X_test"])
    assert case.server.asked == []


def one_more(array):
    changed = array.copy()
    changed.flat[-1] += 1
    return changed


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("X_train", one_more, "SHA-256 of X_train and y_train differs"),
        ("y_train", one_more, "SHA-256 of X_train and y_train differs"),
        ("X_train", lambda a: a[::-1], "SHA-256 of X_train and y_train differs"),
        ("X_train", lambda a: a[:-1], r"X_train must be uint8 of shape \(20, .* of shape \(19, "),
        ("X_train", lambda a: a / 255, "must be uint8 .*, and is float64"),
        ("y_train", lambda a: a.astype(np.int64), "y_train must be uint8 .*, and is int64"),
        ("y_train", lambda a: a.astype(object), "cannot be read .*pickle"),
    ],
    ids=["pixel", "label", "order", "length", "scaled", "dtype", "pickle"],
)
def test_an_altered_cache_is_refused(case, name, change, message):
    case.write(**{name: change(case.arrays[name])})
    before = (case.home / case.file_name).read_bytes()
    with pytest.raises(OSError, match=f"is not the .* data that robfair knows: .*{message}"):
        case()
    # It is the user's: it is neither repaired nor deleted.
    assert (case.home / case.file_name).read_bytes() == before
    assert case.server.asked == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: b"not a zip file",
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:3000] + bytes(x ^ 255 for x in raw[3000:3100]) + raw[3100:],
    ],
    ids=["empty", "text", "cut short", "overwritten"],
)
def test_a_damaged_cache_is_refused(case, damage):
    case.write()
    file = case.home / case.file_name
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(OSError, match=r"data that robfair knows: it cannot be read .*delete it"):
        case()


def test_other_files_in_the_place_of_the_cache(case):
    case.home.mkdir()
    file = case.home / case.file_name
    np.savez(file, images=np.zeros(3))
    with pytest.raises(OSError, match=r"cannot be read .*X_train"):
        case()
    with file.open("wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(OSError, match="cannot be read"):
        case()


def test_the_download_may_be_forbidden(case):
    with pytest.raises(FileNotFoundError, match=r"does not exist, and download_if_missing is"):
        case(download_if_missing=False)
    assert case.server.asked == []
    assert not case.home.exists()


@pytest.mark.parametrize("split", ["valid", None, ["train"]])
def test_unknown_split(case, split):
    with pytest.raises(ValueError, match=r"'train', 'test', 'all'; got "):
        case(split=split)
    assert case.server.asked == []
    assert not case.home.exists()


def test_a_folder_that_cannot_be_made(case, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"data folder .* cannot be written to .*ROBFAIR_DATA"):
        case(data_home=tmp_path / "file" / "folder")
    assert case.server.asked == []


def test_a_folder_without_permission(case, monkeypatch):
    def refuse(**kwargs):  # permissions do not bind root, who may run the tests
        raise PermissionError(13, "Permission denied", str(case.home))

    monkeypatch.setattr(_download.tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(OSError, match=r"cannot be written to .*Permission denied"):
        case()
    assert case.server.asked == []


def test_where_the_data_is_kept(case, tmp_path, monkeypatch):
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("ROBFAIR_DATA", raising=False)
    case(data_home=None)
    assert (tmp_path / "cache" / "robfair" / case.file_name).is_file()
    monkeypatch.setenv("ROBFAIR_DATA", str(tmp_path / "from_environment"))
    case(data_home=None)
    assert (tmp_path / "from_environment" / case.file_name).is_file()
    case(data_home="~/argument")
    assert (tmp_path / "argument" / case.file_name).is_file()


def test_without_pooch(case, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    monkeypatch.delenv("ROBFAIR_DATA", raising=False)
    for kwargs in ({}, {"data_home": None}):
        with pytest.raises(ImportError, match=r"pip install robfair\[download\]"):
            case(**kwargs)
    assert not case.home.exists()
    case.write()
    np.testing.assert_array_equal(case().images, case.arrays["X_train"])
    monkeypatch.setenv("ROBFAIR_DATA", str(case.home))
    np.testing.assert_array_equal(case(data_home=None).images, case.arrays["X_train"])


@pytest.mark.parametrize("case", ["cifar10"], indirect=True)
def test_decoded_images_are_accepted_and_marked(case, monkeypatch):
    assert case(split="all").exact.all()
    decoded = case.arrays["X_test"].copy()
    decoded[[0, 2]] = 255 - decoded[[0, 2]]
    raw, _ = cifar_files({**case.arrays, "X_test": decoded})
    case.change_test_hashes(lambda accepted: [*accepted, sha256(raw["test_batch.bin"])])
    monkeypatch.setattr(_cifar10, "_SHA256_DECODED", sha256(decoded[[0, 2]].tobytes()))
    assert case(split="test").exact.all()
    case.write(X_test=decoded)
    assert case(split="train").exact.all()
    assert np.flatnonzero(~case(split="test").exact).tolist() == [0, 2]
    assert np.flatnonzero(~case(split="all").exact).tolist() == [N["train"], N["train"] + 2]
    # Any other change is refused as ever.
    case.write(X_test=one_more(decoded))
    with pytest.raises(OSError, match="SHA-256 of X_test and y_test differs"):
        case(split="test")

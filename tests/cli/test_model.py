"""MODEL: which files are read, and which are refused without being opened."""

import io
import json
import pickle
import resource
import struct

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from safetensors.torch import save_file
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier, ThreatModel, _names
from robfair.cli import main
from robfair.cli._errors import BadInput
from robfair.cli._model import ARCHITECTURES, OWN_TYPES, load_model, load_network
from robfair.models import (
    adult_network,
    alexnet,
    cifar_network,
    lenet5,
    resnet18,
    save_weights,
    tabular_network,
    utkface_network,
)


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.fixture
def refusal(tmp_path):
    """What is said of a file with a given content."""

    def refuse(content, name="model.skops"):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(BadInput) as error:
            load_model(path, [])
        return str(error.value)

    return refuse


def dumped(dump, thing):
    buffer = io.BytesIO()
    dump(thing, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("compress", [None, "zlib", "gzip", "bz2", "xz", "lzma"])
@pytest.mark.parametrize("protocol", [2, 5])
def test_pickles_are_refused_unread(refusal, tmp_path, compress, protocol):
    bomb = Bomb(tmp_path / "exploded")
    if compress is None:
        content = pickle.dumps(bomb, protocol=protocol)
    else:
        content = dumped(
            lambda thing, file: joblib.dump(thing, file, compress=compress, protocol=protocol), bomb
        )
    text = refusal(content)
    assert "is refused: reading a pickle runs any code that is in it" in text
    assert "skops.io.dump" in text
    assert not (tmp_path / "exploded").exists()


def test_torch_files_are_refused_unread(refusal, tmp_path):
    text = refusal(dumped(torch.save, {"weights": Bomb(tmp_path / "exploded")}), "model.pt")
    assert "written by torch.save" in text
    assert "robfair.models.save_weights" in text
    assert not (tmp_path / "exploded").exists()


def test_other_files(refusal, files):
    assert "neither a skops file" in refusal(b"")
    assert "neither a skops file" in refusal(b"<html>")
    assert "not one that skops has written" in refusal(dumped(lambda t, f: np.savez(f, t), [1]))
    whole = (files / "logistic.skops").read_bytes()
    assert "is damaged or cut off" in refusal(whole[: len(whole) // 2])
    broken = bytearray(whole)
    start = broken.index(b'"__class__"')
    broken[start : start + 11] = b'"__glass__"'
    assert "cannot be read by skops" in refusal(bytes(broken))


@pytest.mark.parametrize(
    ("thing", "part"),
    [
        ({"model": 1}, "type dict"),
        (LinearRegression().fit([[0.0], [1]], [0, 1]), "is a regressor"),
        (KMeans(2, n_init=1).fit([[0.0], [1]]), "is a clusterer"),
        (StandardScaler().fit([[0.0], [1]]), "type StandardScaler"),
        (LogisticRegression(), "not fitted"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "not fitted"),
        (NaturalClassifier(), "not fitted"),
    ],
)
def test_what_is_no_fitted_classifier(refusal, thing, part):
    text = refusal(skops.io.dumps(thing))
    assert "does not hold a classifier that can be audited" in text
    assert part in text


def test_unknown_types_are_listed_and_trusted_by_name(shell_audit, people, tmp_path):
    # Two types that skops does not know: numpy's log2 it does.
    X, y = people[["age", "hours"]], people["income"]
    model = make_pipeline(
        FunctionTransformer(np.reshape, kw_args={"shape": (-1, 2)}), LogisticRegression()
    )
    skops.io.dump(model.fit(X.to_numpy(), y), tmp_path / "odd.skops")
    words = (tmp_path / "odd.skops", "people.csv", "--features", "age,hours", "--quiet")
    code, out, err = shell_audit(*words)
    assert (code, out) == (2, "")
    listed = [line.strip() for line in err.splitlines()[1:-1]]
    assert listed == ["numpy.reshape"]
    assert err.splitlines()[-1].endswith("add: --trust numpy.reshape")
    assert shell_audit(*words, "--trust", "numpy.reshape")[0] == 0


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    return X, np.where(X[:, 0] > 0, "yes", "no"), np.where(X[:, 1] > 0, "a", "b")


@pytest.mark.parametrize("make", [NaturalClassifier, AdversarialClassifier, FarmurClassifier])
def test_robfairs_own_classifiers_need_no_trust(data, tmp_path, make):
    X, y, groups = data
    options = {"max_epochs": 1, "hidden_layer_sizes": (4,), "random_state": 0}
    if make is not NaturalClassifier:
        options["threat_model"] = ThreatModel(norm=2, mutable=np.array([True, True, False]))
    model = make(**options).fit(X, y, groups=groups)
    skops.io.dump(make_pipeline(StandardScaler().fit(X), model), tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops", [])[-1]
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    types = skops.io.get_untrusted_types(file=tmp_path / "model.skops")
    assert set(types) <= set(OWN_TYPES)


SMALL = {
    "tabular": (lambda: tabular_network(5, 3, (7, 4)), (5,), 3),
    "adult": (lambda: adult_network(6, 2, width=5), (6,), 2),
    "lenet5": (lambda: lenet5(4), (1, 28, 28), 4),
    "alexnet": (lambda: alexnet(3), (1, 28, 28), 3),
    "cifar": (cifar_network, (3, 32, 32), 10),
    "resnet18": (lambda: resnet18(2), (3, 32, 32), 2),
    "utkface": (lambda: utkface_network(5, image_size=24), (3, 24, 24), 5),
}


def test_the_names_are_those_of_the_help():
    assert tuple(ARCHITECTURES) == _names.ARCHITECTURES


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_weights_and_an_architecture(tmp_path, name):
    make, shape, n_classes = SMALL[name]
    module = make().eval()
    save_weights(module, tmp_path / "weights.safetensors")
    model, found = load_network(tmp_path / "weights.safetensors", name, None)
    assert found == shape
    X = np.random.default_rng(0).random((2, int(np.prod(shape))), dtype=np.float32)
    expected = module(torch.from_numpy(X).reshape(2, *shape))
    with torch.no_grad(), model.forward(shape) as forward:
        logits = forward(model.tensor(model.inputs(X)))
    torch.testing.assert_close(logits, expected.detach())
    assert model.classes.tolist() == list(range(n_classes))


def test_an_audit_of_weights(files, tmp_path, people, capsys):
    torch.manual_seed(0)
    path = tmp_path / "weights.safetensors"
    save_weights(tabular_network(2, 2, (4,)), path)
    words = ["audit", str(path), str(files / "people.csv"), "--target", "income", "--sensitive",
             "race", "--quiet", "--tau-max", "50", "--max-rows", "60"]  # fmt: skip

    def refused(*more):
        assert main([*words, *more]) == 2
        return capsys.readouterr().err

    assert "holds weights only: name the network by --architecture" in refused()
    tabular = ("--architecture", "tabular")
    text = refused(*tabular, "--features", "age,hours")
    assert "'high', 'low', and the weights do not say which" in text.replace(
        "'low', 'high'", "'high', 'low'"
    )
    assert "--classes" in text
    names = ("--classes", "low,high")
    assert "takes 2 columns and got 5" in refused(*tabular, *names)
    assert "names 3 labels, and the network has 2" in refused(*tabular, "--classes", "a,b,c")
    assert "labels that the model does not know" in refused(*tabular, "--classes", "Low,High")
    assert "--architecture lenet5 does not fit" in refused("--architecture", "lenet5", *names)
    given = ("--features", "age,hours", *tabular)
    assert main([*words, *given, *names]) == 0
    out = capsys.readouterr().out
    assert main([*words, *given, "--classes", "high,low"]) == 0
    right, wrong = (
        float(text.split("accuracy")[1].split()[0]) for text in (out, capsys.readouterr().out)
    )
    assert right + wrong == pytest.approx(1, abs=1e-3)
    path.write_bytes(path.read_bytes()[:-8])
    assert "is damaged or cut off" in refused(*tabular)
    save_file({"a": torch.zeros(3)}, path)
    assert "does not hold weights of a dense layer" in refused(*tabular)


@pytest.mark.slow
def test_images_as_flat_columns(tmp_path, capsys):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.random((12, 784)), columns=[f"pixel {i}" for i in range(784)])
    frame.assign(digit=np.arange(12) % 3, hand=["left", "right"] * 6).to_parquet(
        tmp_path / "i.parquet"
    )
    save_weights(lenet5(3), tmp_path / "w.safetensors")
    pixels = ",".join(frame.columns)
    words = ["audit", tmp_path / "w.safetensors", tmp_path / "i.parquet", "--target", "digit",
             "--sensitive", "hand", "--architecture", "lenet5", "--features", pixels,
             "--mutable", "pixel 400,pixel 401", "--tau-max", "9", "--quiet"]  # fmt: skip
    assert main(list(map(str, words))) == 0
    assert "mutable=2 of 784" in capsys.readouterr().out


def header(**tensors):
    """A safetensors file without values."""
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text


def sized(*shape, dtype="F32", offsets=(0, 0)):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


HUGE = 10**9
BAD_WEIGHTS = {
    "huge and empty": header(**{"0.weight": sized(HUGE, 0), "2.weight": sized(2, 0)}),
    "empty and huge": header(**{"0.weight": sized(0, HUGE), "2.weight": sized(2, 0)}),
    "huge images": header(**{"1.weight": sized(0, HUGE**2), "2.weight": sized(2, 0)}),
    "many outputs": header(**{"0.weight": sized(HUGE, 0, dtype="BOOL")}),
    "product overflows": header(**{"0.weight": sized(2**62, 2**62, 0), "2.weight": sized(2, 0)}),
    "not in 64 bits": header(**{"0.weight": sized(2**63, 0), "2.weight": sized(2, 0)}),
    "more than 64 bits": header(**{"0.weight": sized(10**30, 0)}),
    "negative": header(**{"0.weight": sized(-1, 0)}),
    "not there": header(**{"0.weight": sized(2, 2, offsets=(0, 16))}),
    "overlapping": header(a=sized(1, 1, offsets=(0, 4)), b=sized(1, 1, offsets=(0, 4))) + bytes(4),
    "backwards": header(a=sized(1, 1, offsets=(4, 0))) + bytes(4),
    "unknown type": header(a=sized(1, 1, dtype="F31", offsets=(0, 4))) + bytes(4),
    "no weights": header(),
    "names that are no numbers": header(**{"²": sized(1, 1), "9" * 5000: sized(2, 1)}),
    "a name twice": header(a=sized(0, 1)).replace(b"{", b'{"a":{},', 1),
    "not JSON": struct.pack("<Q", 3) + b"{]}",
    "a header of any length": struct.pack("<Q", 2**62) + b"{}",
    "not UTF-8": struct.pack("<Q", 4) + b'{"\xff}',
    "nested": struct.pack("<Q", 10_000) + b'{"a":' + b"[" * 9995,
}  # fmt: skip


@pytest.mark.parametrize("architecture", ["tabular", "adult", "lenet5", "utkface"])
@pytest.mark.parametrize("content", BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_sizes_in_a_file_are_not_believed(tmp_path, content, architecture):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadInput) as caught:
        load_network(path, architecture, None)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 100_000  # kilobytes


def test_damaged_weights_are_refused_or_read_as_they_were(tmp_path):
    """200 cuts and flipped bits: never a traceback, never other weights."""
    torch.manual_seed(0)
    module, path = tabular_network(4, 3, (5,)), tmp_path / "model.safetensors"
    save_weights(module, path)
    whole, right = path.read_bytes(), module.state_dict()
    rng = np.random.default_rng(0)
    refused = 0
    for attempt in range(200):
        damaged, position = bytearray(whole), int(rng.integers(len(whole)))
        if attempt % 4 == 0:
            del damaged[position:]
        else:
            damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            model, _ = load_network(path, "tabular", None)
        except BadInput:
            refused += 1
            continue
        read = model.module.state_dict()
        assert all(torch.equal(right[name], value) for name, value in read.items())
    assert refused > 150

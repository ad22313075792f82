"""Paper B as a command, at the small scale: files, resumption, and what must hold of any run."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.utils import Bunch

from robfair import cli
from robfair.exceptions import UndefinedMetricWarning
from robfair.reproduction import _fairness, _fairness_cifar, reproduce_fairness
from robfair.reproduction._fairness_adult import AdultRecipe
from robfair.reproduction._fairness_cifar import CifarRecipe
from robfair.reproduction._records import read_runs


@pytest.fixture(scope="module")
def adult(tmp_path_factory):
    output = tmp_path_factory.mktemp("adult")
    return output, reproduce_fairness(output, seeds=[0], verbose=0)


def images(*, split, data_home):
    """Ten classes that differ in brightness, in the form of fetch_cifar10."""
    rng = np.random.default_rng(len(split))
    target = np.arange(300) % 10
    data = rng.uniform(0, 0.2, (300, 3, 32, 32)) + target[:, None, None, None] * 0.08
    names = [f"class {i}" for i in range(10)]
    return Bunch(data=data.astype(np.float32), target=target, target_names=names)


@pytest.fixture(scope="module")
def cifar(tmp_path_factory):
    output = tmp_path_factory.mktemp("cifar")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        # Two epochs do not teach the network every class.
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        patch.setattr(_fairness_cifar, "fetch_cifar10", images)
        tiny = replace(CifarRecipe.small(), n_train=300, n_test=100, luf_train=60, n_least=20)
        patch.setattr(CifarRecipe, "small", classmethod(lambda cls: tiny))
        report = reproduce_fairness(output, dataset="cifar10", verbose=0)
    return output, report


def value(measures, protocol, model, measure, **where):
    rows = measures[
        (measures["protocol"] == protocol)
        & (measures["model"] == model)
        & (measures["measure"] == measure)
    ]
    for column, wanted in where.items():
        rows = rows[rows[column] == wanted]
    assert len(rows) == 1
    return rows["value"].item()


def test_adult_writes_results_report_and_figures(adult):
    output, report = adult
    names = {path.name for path in output.iterdir()}
    assert names == {
        "results", "adult-small-report.md",
        "adult-small-figure4.png", "adult-small-figure5.png", "adult-small-figure6.png",
    }  # fmt: skip
    assert (output / "adult-small-report.md").read_text(encoding="utf-8") == report
    for place in ("Table II", "Table IV", "Table V", "Fig. 5", "Fig. 6", "CAU"):
        assert place in report
    made = json.loads((output / "results" / "adult-small-seed0.json").read_text())
    assert set(made["parts"]) == {"paper", "honest"}
    paper, honest = made["recipes"]["paper"], made["recipes"]["honest"]
    assert paper["max_epochs"] == AdultRecipe.small().max_epochs
    assert set(honest) - set(paper) == {n for n in honest if n.startswith("honest_")}


def test_what_must_hold_on_adult(adult):
    measures, _ = read_runs(adult[0] / "results", "adult", "small")
    for protocol in ("paper", "honest"):
        for model in ("standard", "robust"):
            accuracy = value(measures, protocol, model, "accuracy")
            robust = measures.query(
                "protocol == @protocol and model == @model and measure == 'robust accuracy'"
            )
            # Against the network itself; only examples made for another may raise it.
            rows = 4000 if protocol == "paper" else 60
            assert (robust["value"] <= accuracy + (0 if rows == 4000 else 0.2)).all()
            # A higher budget never helps the defender, where one search serves every eps.
            if protocol == "honest":
                assert robust.sort_values("eps")["value"].is_monotonic_decreasing
    for attribute in ("sex", "race"):
        for label in ("<=50K", ">50K"):
            cells = measures.query(
                "protocol == 'paper' and model == 'standard' and label == @label"
                f" and measure == 'confidence by {attribute}'"
            )["value"]
            eou = value(measures, "paper", "standard", f"EOU by {attribute}", label=label)
            assert eou == pytest.approx(np.ptp(cells))


def test_a_finished_part_is_not_run_again(adult, monkeypatch):
    output, report = adult
    monkeypatch.setattr(_fairness, "measure_adult", lambda *a: pytest.fail("run again"))
    assert reproduce_fairness(output, seeds=[0], verbose=0) == report


def test_one_table_is_all_that_is_printed(adult):
    output, _ = adult
    report = reproduce_fairness(output, table="IV", seeds=[0], verbose=0)
    assert "Table IV" in report
    assert "Table V" not in report
    assert "Figure" not in report


def test_cifar_measures_every_part(cifar):
    output, report = cifar
    measures, runs = read_runs(output / "results", "cifar10", "small")
    assert set(runs[0]["parts"]) == {"classes", "honest", "leave-one-out"}
    for place in ("Table I ", "Table III", "Fig. 1", "Fig. 2"):
        assert place in report
    for model in ("standard", "robust"):
        accuracy = value(measures, "paper", model, "accuracy")
        assert value(measures, "paper", model, "robust accuracy", eps=0.01) <= accuracy
        assert 0 <= value(measures, "paper", model, "LUF") <= 1
        assert value(measures, "paper", model, "n_left_out") == 2
    # The standard network is trained and attacked in the same way by both protocols.
    for measure in ("accuracy", "CAU"):
        assert value(measures, "honest", "standard", measure) == value(
            measures, "paper", "standard", measure
        )


def test_the_command_prints_the_report(adult, capsys):
    output, report = adult
    command = ["reproduce", "adversarial-training-fairness", "--output", str(output), "--quiet"]
    assert cli.main(command) == 0
    assert capsys.readouterr().out == report


@pytest.mark.parametrize(
    "options",
    [
        ["--table", "VI"],
        ["--figure", "7"],
        ["--table", "I", "--figure", "1"],
        ["--dataset", "mnist"],
        ["--seeds", "0"],
    ],
)
def test_bad_options_exit_with_2(options, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["reproduce", "adversarial-training-fairness", *options])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_results_of_another_recipe_are_one_line(adult, tmp_path, capsys):
    results = tmp_path / "results"
    results.mkdir()
    source = adult[0] / "results" / "adult-small-seed0.json"
    text = source.read_text().replace('"width":16', '"width":17')
    (results / source.name).write_text(text)
    command = ["reproduce", "adversarial-training-fairness", "--output", str(tmp_path), "--quiet"]
    assert cli.main(command) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("robfair: ")
    assert "different: width" in captured.err
    assert captured.err.count("\n") == 1


def test_missing_cifar_is_one_line(tmp_path, monkeypatch, capsys):
    def missing(**_):
        raise OSError("CIFAR-10 is not there")

    monkeypatch.setattr(_fairness_cifar, "fetch_cifar10", missing)
    code = cli.main(
        ["reproduce", "adversarial-training-fairness", "--dataset", "cifar10",
         "--output", str(tmp_path), "--quiet"]
    )  # fmt: skip
    assert code == 2
    assert capsys.readouterr().err == "robfair: CIFAR-10 is not there\n"
    assert not (tmp_path / "results").exists()

"""`robfair demo` and `robfair reproduce`: options, and errors in one line."""

import pytest

from robfair import cli, reproduction
from robfair.cli import _papers
from robfair.reproduction import FAIRNESS, FARMUR


@pytest.fixture
def seen(monkeypatch):
    """What `reproduce` was called with."""
    arguments = {}

    def fake(paper, output, **options):
        arguments.update(options, paper=paper, output=output)
        return "a report\n"

    monkeypatch.setattr(reproduction, "reproduce", fake)
    return arguments


def test_farmur_gets_the_options(seen, tmp_path, capsys):
    command = "reproduce farmur --dataset mnist --model alexnet --scale reduced --seeds 3 --quiet"
    place = ["--output", str(tmp_path), "--data-home", str(tmp_path), "--device", "cuda"]
    assert cli.main([*command.split(), *place]) == 0
    assert capsys.readouterr().out == "a report\n"
    assert seen == {
        "paper": FARMUR, "output": tmp_path, "dataset": "mnist", "model": "alexnet",
        "scale": "reduced", "seeds": range(3), "data_home": tmp_path, "device": "cuda",
        "verbose": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "only"), [(["--table", "IV"], "tableIV"), (["--figure", "5"], "figure5"), ([], None)]
)
def test_fairness_gets_the_table_or_figure(seen, words, only):
    assert cli.main(["reproduce", "adversarial-training-fairness", *words]) == 0
    assert seen["paper"] is FAIRNESS
    assert seen["only"] == only
    assert only is None or only in FAIRNESS.excerpts


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("farmur --dataset digits --model lenet5", "choose from: tabular"),
        ("farmur --dataset mnist --scale reduced", "choose from: small, full, paper"),
        ("farmur --dataset imagenet", "invalid choice"),
        ("farmur --model vgg", "invalid choice"),
        ("farmur --scale huge", "invalid choice"),
        ("farmur --seeds 0", "at least 1"),
        ("adversarial-training-fairness --table VI", "invalid choice"),
        ("adversarial-training-fairness --figure 7", "invalid choice"),
        ("adversarial-training-fairness --table I --figure 1", "not allowed with"),
        ("adversarial-training-fairness --dataset mnist", "invalid choice"),
        ("adversarial-training-fairness --seeds 0", "at least 1"),
    ],
)
def test_bad_options_exit_with_2(words, text, capsys):
    try:
        code = cli.main(["reproduce", *words.split()])
    except SystemExit as stop:  # argparse's way out
        code = stop.code
    assert code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert text in captured.err
    assert captured.err.count("\n") == 1


def test_results_of_another_recipe_are_one_line(tmp_path, capsys):
    results = tmp_path / "results"
    results.mkdir()
    (results / "adult-small-seed0.json").write_text(
        '{"seed": 0, "parts": {"paper": []}, "recipes": {"paper": {}}, "seconds": {}, "made": {}}'
    )
    command = ["reproduce", "adversarial-training-fairness", "--output", str(tmp_path), "--quiet"]
    assert cli.main(command) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("robfair: part 'paper'")
    assert captured.err.count("\n") == 1


def test_demo_gets_the_arguments(monkeypatch, tmp_path):
    seen = {}
    monkeypatch.setattr(
        "robfair.demo.run_demo", lambda output, **rest: seen.update(rest, output=output)
    )
    out = tmp_path / "out"
    code = cli.main(["demo", "--output", str(out), "--epochs", "3", "--seed", "7", "--quiet"])
    assert code == 0
    assert seen == {"output": out, "epochs": 3, "random_state": 7, "verbose": 0}


def test_an_output_that_is_a_file_is_one_line(tmp_path, capsys):
    taken = tmp_path / "taken"
    taken.write_text("")
    assert cli.main(["demo", "--output", str(taken), "--quiet"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"robfair: {taken}: File exists\n"


def test_what_the_parsers_repeat_is_what_the_papers_have():
    # The parsers must not import torch, and so cannot import these.
    asked = [f"table{n}" for n in _papers.TABLES] + [f"figure{n}" for n in _papers.FIGURES]
    assert list(FAIRNESS.excerpts) == asked

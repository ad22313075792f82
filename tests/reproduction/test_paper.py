"""The runner, on a paper that only counts: what runs, what is read, and what is refused."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from robfair.exceptions import ResultsError
from robfair.reproduction import FAIRNESS, FARMUR, Paper, reproduce
from robfair.reproduction._claims import Claim
from robfair.reproduction._paper import Excerpt, Experiment, Part


@dataclass(frozen=True)
class Recipe:
    n_rows: int = 3
    honest_eps: float = 0.5


class Calls(list):
    """What the runner asked for, in order."""

    def load(self, recipe, data_home):
        self.append("load")
        return list(range(recipe.n_rows))

    def part(self, name):
        def measure(task):
            self.append(f"{name} {task.run.seed}")
            task.run.add(name, name, "A", "sum", sum(task.data) + task.run.seed)

        return measure


def write(results, excerpt):
    seeds = ", ".join(str(run["seed"]) for run in results.runs)
    where = "all" if excerpt is None else excerpt.where
    claims = [claim.what for claim in results.claims]
    return [f"seeds {seeds}; {where}; {claims}; {results.measures['value'].tolist()}", "", ""]


@pytest.fixture
def calls():
    return Calls()


@pytest.fixture
def paper(calls):
    experiment = Experiment(
        "rows",
        None,
        {"small": Recipe(), "full": Recipe(5)},
        calls.load,
        {"one": Part(calls.part("one"), unused=("honest_",)), "two": Part(calls.part("two"))},
        lambda name, recipe: [Claim("text", f"of {recipe.n_rows} {name}", "sum", "A", "B", 1)],
    )
    excerpts = {"tableI": Excerpt("rows", ("two",), where="Table I")}
    return Paper("A title", (experiment,), write, excerpts)


def test_data_are_loaded_once_and_parts_run_in_order(paper, calls, tmp_path):
    report = reproduce(paper, tmp_path, seeds=[0, 1])
    assert calls == ["load", "one 0", "two 0", "one 1", "two 1"]
    assert report == "seeds 0, 1; all; ['of 3 rows']; [3.0, 3.0, 4.0, 4.0]\n"
    assert (tmp_path / "rows-small-report.md").read_text(encoding="utf-8") == report
    assert {path.name for path in (tmp_path / "results").iterdir()} == {
        "rows-small-seed0.json",
        "rows-small-seed1.json",
    }


def test_finished_parts_are_read(paper, calls, tmp_path):
    report = reproduce(paper, tmp_path)
    calls.clear()
    assert reproduce(paper, tmp_path) == report
    assert calls == []


def test_an_interrupted_run_goes_on_at_the_part_that_failed(paper, calls, tmp_path):
    def die(task):
        raise KeyboardInterrupt

    (experiment,) = paper.experiments
    broken = replace(experiment, parts=experiment.parts | {"two": Part(die)})
    with pytest.raises(KeyboardInterrupt):
        reproduce(replace(paper, experiments=(broken,)), tmp_path)
    assert calls == ["load", "one 0"]
    calls.clear()
    reproduce(paper, tmp_path)
    assert calls == ["load", "two 0"]


def test_an_excerpt_runs_its_parts_alone(paper, calls, tmp_path):
    assert "; Table I;" in reproduce(paper, tmp_path, only="tableI")
    assert calls == ["load", "two 0"]
    assert (tmp_path / "rows-small-tableI.md").exists()


def test_a_part_is_bound_to_the_numbers_that_it_uses(paper, calls, tmp_path):
    reproduce(paper, tmp_path)
    made = json.loads((tmp_path / "results" / "rows-small-seed0.json").read_text())
    assert made["recipes"] == {"one": {"n_rows": 3}, "two": {"n_rows": 3, "honest_eps": 0.5}}
    (experiment,) = paper.experiments
    other = replace(experiment, recipes={"small": Recipe(honest_eps=1.0)})
    calls.clear()
    with pytest.raises(ResultsError, match=r"part 'two'.*differs in: honest_eps"):
        reproduce(replace(paper, experiments=(other,)), tmp_path)
    assert calls == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset": "mice"}, "unknown data set 'mice'; choose from: rows"),
        ({"model": "lenet5"}, "model 'lenet5' does not fit rows"),
        ({"scale": "huge"}, "no scale 'huge' for rows; choose from: small, full"),
        ({"only": "tableII"}, "unknown table or figure 'tableII'; choose from: tableI"),
    ],
)
def test_what_the_paper_does_not_have_is_refused(paper, calls, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        reproduce(paper, tmp_path, **options)
    assert calls == []


def test_the_first_network_of_a_data_set_is_the_default():
    assert FARMUR.experiment("mnist").name == "mnist-lenet5"
    assert FARMUR.experiment("mnist", "alexnet").name == "mnist-alexnet"
    assert FAIRNESS.experiment("adult").name == "adult"
    with pytest.raises(ValueError, match="no scale 'reduced' for mnist with lenet5"):
        FARMUR.experiment("mnist").recipe("reduced")


DOCS = Path(__file__).parents[2] / "docs"
PUBLISHED = sorted((DOCS / "reproduction" / "results").glob("*-seed0.json"))


@pytest.mark.slow
@pytest.mark.parametrize("first", PUBLISHED, ids=lambda path: path.stem)
def test_published_results_are_drawn_without_data_and_are_those_of_the_page(first, tmp_path):
    described = json.loads(first.read_text())
    name, scale = described["dataset"], described["scale"]
    paper, experiment = next(
        (p, e) for p in (FARMUR, FAIRNESS) for e in p.experiments if e.name == name
    )
    files = sorted(first.parent.glob(f"{name}-{scale}-seed*.json"))
    (tmp_path / "results").mkdir()
    for file in files:
        shutil.copy(file, tmp_path / "results")
    report = reproduce(
        paper, tmp_path, dataset=experiment.dataset, model=experiment.model, scale=scale,
        seeds=range(len(files)), data_home=tmp_path / "none", verbose=0,
    )  # fmt: skip
    page = (DOCS / "reproduction.md").read_text()
    (block,) = [
        part for part in page.split("<details>") if f"(reproduction/{name}-{scale}-" in part
    ]
    drawn, shown = (
        [part.strip() for part in text.split("\n\n") if part.startswith("|")]
        for text in (report, block)
    )
    assert set(shown) <= set(drawn)
    claims = [table for table in drawn if table.startswith("| where")]
    overall = [table for table in drawn if table.startswith("| method")][1:]  # not by "paper"
    assert len(claims) == 1
    assert {*claims, *overall} <= set(shown)

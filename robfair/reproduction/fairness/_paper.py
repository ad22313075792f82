"""Paper B as data: `FAIRNESS` holds its experiments, recipes, tables and figures."""

from __future__ import annotations

from robfair.reproduction._claims import markdown
from robfair.reproduction._paper import Excerpt, Experiment, Paper, Part, Results
from robfair.reproduction.fairness import _adult, _cifar
from robfair.reproduction.fairness._adult import AdultRecipe
from robfair.reproduction.fairness._cifar import CifarRecipe
from robfair.reproduction.fairness._claims import CLAIMS, TABLE
from robfair.reproduction.fairness._figures import PROTOCOLS, draw_figure

__all__ = ["FAIRNESS"]

_ADULT = Experiment(
    dataset="adult",
    model=None,
    recipes={
        "small": AdultRecipe(
            n_train=1500, n_test=4000, max_epochs=2, width=16, n_steps=3, honest_rows=60
        ),
        "full": AdultRecipe(),
    },
    load=_adult.load_splits,
    parts={
        "paper": Part(_adult.measure_paper, unused=("honest_",)),
        "honest": Part(_adult.measure_honest),
    },
    claims=lambda name, recipe: CLAIMS[name],
)
_CIFAR = Experiment(
    dataset="cifar10",
    model=None,
    recipes={
        "small": CifarRecipe(
            n_train=1000, n_test=200, max_epochs=2, n_steps=2, honest_steps=1, n_least=50,
            luf_left_out=2, luf_train=100, luf_test=50, luf_epochs=1,
        ),
        "full": CifarRecipe(),
    },
    load=_cifar.load_images,
    parts={
        "classes": Part(_cifar.measure_classes, unused=("honest_", "luf_")),
        "honest": Part(_cifar.measure_honest, unused=("luf_",)),
        "leave-one-out": Part(_cifar.measure_luf, unused=("honest_",)),
    },
    claims=lambda name, recipe: CLAIMS[name],
)  # fmt: skip
_BY_CLASS = ("classes", "honest")
EXCERPTS = {
    "tableI": Excerpt("cifar10", _BY_CLASS, where="Table I"),
    "tableII": Excerpt("adult", tuple(_ADULT.parts), where="Table II"),
    "tableIII": Excerpt("cifar10", ("leave-one-out",), where="Table III"),
    "tableIV": Excerpt("adult", tuple(_ADULT.parts), where="Table IV"),
    "tableV": Excerpt("adult", tuple(_ADULT.parts), where="Table V"),
    **{f"figure{n}": Excerpt("cifar10", _BY_CLASS, figure=n) for n in (1, 2, 3)},
    **{f"figure{n}": Excerpt("adult", tuple(_ADULT.parts), figure=n) for n in (4, 5, 6)},
}


def _report(results: Results, excerpt: Excerpt | None) -> list[str]:
    """Draw the figures, and write the claims beside our numbers."""
    measures, claims = results.measures, results.claims
    dataset = results.experiment.dataset
    figures = [e.figure for e in EXCERPTS.values() if e.dataset == dataset and e.figure]
    if excerpt is not None:
        claims = [claim for claim in claims if claim.where == excerpt.where]
        figures = [] if excerpt.figure is None else [excerpt.figure]
    lines = [
        f"{dataset}, scale {results.scale}, seeds {results.origin}. Mean ± standard deviation over "
        "seeds, standard → robust network. The direction is undecided where the 95 % interval "
        "(Student's t) of the mean difference holds zero.",
        "",
    ]
    if claims:
        protocols = [p for p in PROTOCOLS if (measures["protocol"] == p).any()]
        lines += [markdown(TABLE.compare(claims, measures, protocols)), ""]
    for number in figures:
        path = results.path(f"figure{number}.png")
        if draw_figure(number, measures, path):
            lines.append(f"Figure: {path.name}")
    return lines


FAIRNESS = Paper(
    "Adversarial Training Negatively Affects Fairness", (_ADULT, _CIFAR), _report, EXCERPTS
)

"""Paper B as data: `FAIRNESS` holds its experiments, recipes, tables and figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from robfair.reproduction._claims import JUDGED, Claim, ClaimTable, markdown
from robfair.reproduction._paper import Excerpt, Experiment, Paper, Part, Results
from robfair.reproduction.fairness import _adult, _cifar
from robfair.reproduction.fairness._adult import AdultRecipe
from robfair.reproduction.fairness._cifar import CifarRecipe
from robfair.reproduction.fairness._figures import PROTOCOLS, draw_figure

__all__ = ["CLAIMS", "FAIRNESS"]

POOR, RICH = "<=50K", ">50K"
_SEXES = ("Male", "Female")
_RACES = ("White", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Black", "Other")
# The honest protocol perturbs Adult in standard deviations, the paper in raw units.
_ADULT_EPS = {10: 0.25, 15: 0.5, 20: 1.0}
_STATIC = "accuracy on the examples made for the standard network, eps"


def _claim(
    where: str, what: str, numbers: tuple[float, float], measure: str,
    eps: Mapping[str, float] | None = None, **place: Any,
) -> Claim:  # fmt: skip
    """Build a claim of the networks, whose sign is that of the numbers."""
    sign = int(np.sign(numbers[1] - numbers[0]))
    return Claim(where, what, measure, "standard", "robust", sign, numbers,
                 eps=eps or {}, **place)  # fmt: skip


def _confidences(
    where: str, attribute: str, label: str, groups: Iterable[str], *numbers: Iterable[float]
) -> list[Claim]:
    return [
        _claim(where, f"mean confidence in >50K: {group}, income {label}", (standard, robust),
               f"confidence by {attribute}", label=label, group=group)
        for group, standard, robust in zip(groups, *numbers, strict=True)
    ]  # fmt: skip


CLAIMS: dict[str, list[Claim]] = {
    "adult": [
        _claim("text", "accuracy", (0.7953, 0.7937), "accuracy"),
        _claim("text", f"{_STATIC} 10", (0.143, 0.9637), "static robust accuracy", {"paper": 10}),
        _claim("text", "CAU", (0.0195, 0.0205), "CAU"),
        *(_claim("Table II", f"CRU_s, eps {eps}", numbers, "CRU_s",
                 {"paper": eps, "honest": _ADULT_EPS[eps]})
          for eps, numbers in ((10, (0.0611, 0.1866)), (15, (0.1081, 0.2338)),
                               (20, (0.107, 0.2272)))),
        *_confidences("Table IV", "sex", POOR, _SEXES, (0.272, 0.198), (0.248, 0.168)),
        *_confidences("Table IV", "sex", RICH, _SEXES, (0.717, 0.626), (0.762, 0.668)),
        *_confidences("Table V", "race", POOR, _RACES, (0.255, 0.24, 0.21, 0.203, 0.215),
                      (0.233, 0.242, 0.148, 0.159, 0.149)),
        *_confidences("Table V", "race", RICH, _RACES, (0.706, 0.688, 0.65, 0.639, 0.657),
                      (0.754, 0.763, 0.64, 0.658, 0.642)),
        # The figures print no numbers; these follow from Tables IV and V.
        _claim("Fig. 5", "EOU by sex, income <=50K", (0.074, 0.08), "EOU by sex", label=POOR),
        _claim("Fig. 5", "EOU by sex, income >50K", (0.091, 0.094), "EOU by sex", label=RICH),
        _claim("Fig. 6", "EOU by race, income <=50K", (0.052, 0.094), "EOU by race", label=POOR),
        _claim("Fig. 6", "EOU by race, income >50K", (0.067, 0.123), "EOU by race", label=RICH),
    ],
    "cifar10": [
        _claim("text", "accuracy", (0.7196, 0.7243), "accuracy"),
        _claim("text", f"{_STATIC} 0.01", (0.0424, 0.8312), "static robust accuracy",
               {"paper": 0.01}),
        _claim("text", "CAU (Fig. 1)", (0.286, 0.344), "CAU"),
        _claim("text", "CRU_eps (Fig. 2)", (0.0014, 0.005), "CRU_eps"),
        *(_claim("Table I", f"CRU_s, eps {eps}", numbers, "CRU_s", {"paper": eps, "honest": eps})
          for eps, numbers in ((0.01, (0.1343, 0.2585)), (0.012, (0.0845, 0.1627)),
                               (0.014, (0.0471, 0.1056)))),
        _claim("Table III", "LUF", (0.7694, 0.7945), "LUF"),
        _claim("Table III", "LUF_t, as a share of the models left out", (0.2926, 0.2935), "LUF_t"),
    ],
}  # fmt: skip
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


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 0.1 else f"{value:.3f}"


_TABLE = ClaimTable("what", "ours, {} protocol", "same direction? ({})", _number)


def _report(results: Results, excerpt: Excerpt | None) -> list[str]:
    """Draw the figures, and write the claims beside our numbers."""
    measures, claims, dataset = results.measures, results.claims, results.experiment.dataset
    figures = [e.figure for e in EXCERPTS.values() if e.dataset == dataset and e.figure]
    if excerpt is not None:
        claims = [claim for claim in claims if claim.where == excerpt.where]
        figures = [] if excerpt.figure is None else [excerpt.figure]
    lines = [
        f"{dataset}, scale {results.scale}, seeds {results.origin}. Mean ± standard deviation over "
        f"seeds, standard → robust network. {JUDGED}",
        "",
    ]
    if claims:
        protocols = [p for p in PROTOCOLS if (measures["protocol"] == p).any()]
        lines += [markdown(_TABLE.compare(claims, measures, protocols)), ""]
    for number in figures:
        path = results.path(f"figure{number}.png")
        if draw_figure(number, measures, path):
            lines.append(f"Figure: {path.name}")
    return lines


FAIRNESS = Paper(
    "Adversarial Training Negatively Affects Fairness", (_ADULT, _CIFAR), _report, EXCERPTS
)

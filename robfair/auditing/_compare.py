"""`compare`: audits of several models in one table."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike

from robfair._text import Verdict
from robfair.auditing._audit import Audit, _certified, _number, audit
from robfair.auditing.report._export import Exports, escaped, markdown_table
from robfair.auditing.report._tables import model_group_table, model_table
from robfair.auditing.report._verdict_models import judge_models

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Exports):
    """Audits of several models on the same samples and partition.

    Attributes
    ----------
    audits : dict of str to Audit
        The audit of each model.
    """

    audits: dict[str, Audit]

    @property
    def overall(self) -> pd.DataFrame:
        """A row per model: accuracy, Rob(f), V_f, CV, worst group and gap."""
        return pd.DataFrame({name: a.overall["value"] for name, a in self.audits.items()}).T

    @property
    def by_group(self) -> pd.DataFrame:
        """A row per model and group, with the columns of `Audit.by_group`."""
        return pd.concat({name: a.by_group for name, a in self.audits.items()}, names=["model"])

    def to_frame(self) -> pd.DataFrame:
        """Return the table of the models.

        Returns
        -------
        pandas.DataFrame
            The same as `overall`.
        """
        return self.overall

    def __str__(self) -> str:
        first = next(iter(self.audits.values()))
        percent = f"{100 * first.settings['confidence']:g} % interval"
        groups = first.by_group[["size"]].copy()
        for name, result in self.audits.items():
            table = result.by_group
            cells = [
                _number(rob) + ("" if pd.isna(low) else f" ({_number(low)} to {_number(high)})")
                for rob, low, high in zip(
                    table["robustness"], table["lower"], table["upper"], strict=True
                )
            ]
            # insert, since a model may be called "size"
            groups.insert(groups.shape[1], name, cells, allow_duplicates=True)
        methods: dict[str, list[str]] = {}
        for name, result in self.audits.items():
            methods.setdefault(result.method_line(), []).append(name)
        return "\n".join(
            [
                self.overall.map(_number).to_string(),
                "",
                f"Rob(P) of each group, with its {percent}:",
                groups.to_string(),
                "",
                *self._certified(),
                *(
                    line
                    for method, names in methods.items()
                    for line in textwrap.wrap(
                        method if len(methods) == 1 else f"{', '.join(names)}: {method}", 96
                    )
                ),
                *(f"{name}: {a.status_line()}" for name, a in self.audits.items()),
                *self._notes(),
            ]
        )

    def _certified(self) -> list[str]:
        """Return the lines of the table of proven intervals, a column per model; none without."""
        columns = {
            name: pd.concat([_certified(a.overall.iloc[1:]), _certified(a.by_group)])
            for name, a in self.audits.items()
            if "low" in a.by_group
        }
        if not columns:
            return []
        title = "Where each measure lies for certain, by proof from below and search from above:"
        return [title, pd.concat(columns, axis=1).to_string(), ""]

    def _notes(self) -> list[str]:
        """Return what the audits say of their own trustworthiness, by model."""
        lines = []
        for name, a in self.audits.items():
            lines += [
                part
                for note in a.notes()
                for part in textwrap.wrap(f"{name}: {note}", 96, subsequent_indent="  ")
            ]
        return ["", *lines] if lines else []

    def __repr__(self) -> str:
        return str(self)

    def _judge(self) -> Verdict:
        return judge_models(self)

    def _record(self) -> dict[str, Any]:
        return {"verdict": self.verdict(), "models": [a._record() for a in self.audits.values()]}

    def _markdown(self) -> list[str]:
        return [
            markdown_table(model_table(self)),
            markdown_table(model_group_table(self)),
            *(
                escaped(f"{name}: {line}")
                for name, a in self.audits.items()
                for line in (*a.notes(), f"{a.method_line()}. {a.status_line()}.")
            ),
        ]

    def _render(self) -> str:
        from robfair.auditing.report._html import render_comparison

        return render_comparison(self)


def compare(
    models: Mapping[str, Any], X: Any, y: ArrayLike, *, sensitive_features: Any, **options: Any
) -> Comparison:
    """Audit several models on the same samples.

    Parameters
    ----------
    models : mapping of str to model
        Fitted classifiers by name.
    X : array-like of shape (n_samples, n_features)
        Samples that no model was trained on.
    y : array-like of shape (n_samples,)
        True labels.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
        The group of each sample.
    **options
        Options of `audit`, the same for all models.

    Returns
    -------
    Comparison
        A table that prints.

    Raises
    ------
    TypeError, ValueError
        As `audit` does; TypeError also if `models` is not a mapping, ValueError if it is empty.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression, RidgeClassifier
    >>> from robfair import compare
    >>> from robfair.datasets import make_group_margins
    >>> data = make_group_margins(random_state=0)
    >>> models = {"logistic": LogisticRegression(), "ridge": RidgeClassifier()}
    >>> models = {name: model.fit(data.X, data.y) for name, model in models.items()}
    >>> compare(models, data.X, data.y, sensitive_features=data.groups).overall.columns.tolist()
    ['accuracy', 'Rob(f)', 'V_f', 'CV', 'worst group', 'gap']
    """
    if not isinstance(models, Mapping):
        raise TypeError(f"models must map names to models; got a {type(models).__name__}.")
    if not models:
        raise ValueError("models is empty: pass at least one.")
    if len({str(name) for name in models}) < len(models):
        raise ValueError(f"two models have the same name as text: {list(models)}.")
    return Comparison(
        {
            str(name): audit(
                model, X, y, sensitive_features=sensitive_features, name=str(name), **options
            )
            for name, model in models.items()
        }
    )

"""Where the reports of ``--html`` go, checked before any work."""

from __future__ import annotations

import re
from pathlib import Path

from robfair.cli._errors import BadInput

__all__ = ["check_reports"]


def check_reports(path: Path | None, titles: list[str]) -> dict[str, Path]:
    """Name a report for each audit.

    Parameters
    ----------
    path : Path or None
        What was given; None: no reports.
    titles : list of str
        The audits.

    Returns
    -------
    dict of str to Path
        The path itself for one audit, else one with the name of the audit in it.

    Raises
    ------
    BadInput
        If a report could not be written there.
    """
    if path is None:
        return {}
    paths = dict.fromkeys(titles, path)
    if len(titles) > 1:
        slugs = {title: re.sub(r"[^\w-]+", "-", title).strip("-") for title in titles}
        paths = {t: path.with_name(f"{path.stem}-{slugs[t]}{path.suffix}") for t in titles}
    if len(set(paths.values())) < len(titles):
        raise BadInput(f"the reports by {' and by '.join(titles)} would have the same name.")
    for each in paths.values():
        if each.is_dir():
            raise BadInput(f"--html {each} is a folder; give the name of a file.")
        if not each.parent.is_dir():
            raise BadInput(f"--html: there is no folder {each.parent}.")
    return paths

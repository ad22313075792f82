"""The reports of ``--html``: their paths are checked before any work."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

from robfair._files import check_target
from robfair.auditing import Audit
from robfair.cli._errors import BadInput, one_line
from robfair.cli._inputs import is_same_file

__all__ = ["check_reports", "write_report"]


def check_reports(
    path: Path | None, titles: list[str], *, inputs: Sequence[Path] = ()
) -> dict[str, Path]:
    """Return the path of each audit's report: `path`, or for several one with the audit's title.

    `path` None gives none. Raises BadInput if a report could not be written there or would take
    the place of an input, and ImportError if jinja2 or matplotlib is not installed.
    """
    if path is None:
        return {}
    for name in ("jinja2", "matplotlib"):
        if importlib.util.find_spec(name) is None:  # not imported: that takes a second
            raise ImportError(f'the report needs {name}: pip install "robfair[cli]"')
    paths = dict.fromkeys(titles, path)
    if len(titles) > 1:
        # Titles may hold what file names may not.
        slugs = {title: re.sub(r"[^\w-]+", "-", title).strip("-") for title in titles}
        paths = {t: path.with_name(f"{path.stem}-{slugs[t]}{path.suffix}") for t in titles}
    if len(set(paths.values())) < len(titles):  # titles may differ in such characters only
        raise BadInput(f"the reports by {' and by '.join(titles)} would have the same name.")
    for each in paths.values():
        try:
            check_target(each)
        except OSError as error:
            raise BadInput(f"--html: {one_line(error)}") from error
        if any(is_same_file(each, taken) for taken in inputs):
            raise BadInput(f"--html {each} is a file that is read: give another name.")
    return paths


def write_report(audit: Audit, path: Path) -> None:
    """Write the report of an audit; raises BadInput if that is impossible."""
    try:
        audit.to_html(path)
    except OSError as error:
        raise BadInput(
            f"the report {path} could not be written: {one_line(error)}. If there was one, it is "
            "as it was."
        ) from error

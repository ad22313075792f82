"""Opens every page of the documentation, and three reports, as ``make pages`` does.

Each is laid out at the widths of a desk and of a phone, light and dark, and for print. None may be
wider than the screen, faint (WCAG AA), without landmarks, ask anything of the network, or say
something on the console. Prints the height of the longest pages and the faults, and ends with 1 if
there are any::

    .venv/bin/python tests/open_pages.py docs/_build/html [--only guide/labels]
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from chromium import DESK, LOOKS, faults, listen, open_chromium
from robfair import audit, compare
from robfair.datasets import load_adult, make_group_margins

TALL = 10  # pages whose height is told


def write_reports(folder):
    """Write a report of a table, of two models, and of many groups with long names."""
    table = load_adult(split="test")
    columns = ["age", "education-num", "hours-per-week"]
    X, y = table.data[columns][:400], table.target[:400]
    sex = table.sensitive_features["sex"][:400]
    model = LogisticRegression(max_iter=1000).fit(table.data[columns], table.target)
    found = audit(
        model, X, y, sensitive_features=sex, favorable_label=">50K", discover=True, tau_max=50
    )
    found.to_html(folder / "one.html", notes="Owner: the credit team.")

    data = make_group_margins(150, n_features=3, flip=(0.2, 0.1, 0.0), random_state=0)
    models = {f"C = {c}": LogisticRegression(C=c).fit(data.X, data.y) for c in (0.1, 9)}
    compare(models, data.X, data.y, sensitive_features=data.groups).to_html(folder / "two.html")

    margins = np.linspace(1, 2, 60)
    data = make_group_margins([20] * 60, n_features=3, margins=margins, random_state=0)
    names = pd.Categorical([f"a rather long name of a group, number {g}" for g in data.groups])
    model = LogisticRegression().fit(data.X, data.y)
    audit(model, data.X, data.y, sensitive_features=names).to_html(folder / "many.html")


def look_at(pages):
    """Return the faults of pages, each with where it was seen, and the heights at a desk."""
    seen, heights = defaultdict(set), {}
    with open_chromium() as browser:
        page = browser.new_page()
        wrong = listen(page)
        for name, path in pages.items():
            page.set_viewport_size({"width": DESK, "height": 800})
            page.emulate_media(media="screen", color_scheme="light", reduced_motion="reduce")
            page.goto(path.as_uri())
            heights[name] = page.evaluate("document.documentElement.scrollHeight")
            for look in LOOKS:
                for fault in faults(page, *look):
                    seen[fault].add((name, " ".join(map(str, look))))
            for text in wrong:
                seen[text].add((name, "when it is opened"))
            wrong.clear()
    return seen, heights


def main():
    """Look at all pages and print the faults; return how many there are."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="part of the names of pages")
    options = parser.parse_args()
    root = options.folder.resolve()
    pages = {
        name: path
        for path in sorted(root.rglob("*.html"))
        if options.only in (name := path.relative_to(root).as_posix()) and "_static" not in name
    }
    if not pages:
        parser.error(f"no page {options.only!r} in {root}: make docs")
    with tempfile.TemporaryDirectory() as folder:
        if not options.only:
            write_reports(Path(folder))
            pages |= {f"report {p.stem}": p for p in sorted(Path(folder).glob("*.html"))}
        seen, heights = look_at(pages)
    for name in sorted(heights, key=heights.get, reverse=True)[:TALL]:
        print(f"{heights[name]:7,} pixels high: {name}")
    for fault, places in sorted(seen.items(), key=lambda item: -len(item[1])):
        names = sorted({name for name, _ in places})
        looks = sorted({look for _, look in places})
        print(f"{fault}\n    on {len(names)} pages, such as {names[0]} ({', '.join(looks)})")
    print(f"{len(pages)} pages opened, {len(seen)} faults")
    return len(seen)


if __name__ == "__main__":
    sys.exit(min(main(), 1))

"""Large files: `robfair audit` on a Parquet file that is made here, in memory that is measured.

Target: 5 million rows in at most 2 GB, with all passes over the rows (`--favorable`), two columns
of groups and reports. Fewer rows are run by default: of each case a small and a larger file, each
audited by a process of its own, whose peak is the `ru_maxrss` of the finished child. The memory
that 5 million rows need is the line through both, which is said to be one; with
``--rows 5000000`` it is measured.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import skops.io
from common import machine, options, table, verdict
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

TARGET = 2_000.0  # MB
WHOLE = 5_000_000
GROUP = 100_000  # rows of a row group
NUMBERS = ["age", "hours", "education", "gain"]


def rows(n: int, seed: int) -> pd.DataFrame:
    """Make people with four numbers, a job, a group and an income."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "hours": rng.integers(1, 99, n),
            "education": rng.integers(1, 16, n),
            "gain": rng.normal(size=n).round(3),
            "job": rng.choice(["clerk", "nurse", "smith", "tutor"], n),
            "race": rng.choice(["a", "b", "c"], n, p=[0.7, 0.2, 0.1]),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    score = (frame["age"] - 50) / 20 + (frame["hours"] - 50) / 30 + frame["gain"]
    frame["income"] = np.where(score + rng.normal(size=n) > 0.5, "high", "low")
    return frame


def write(path: Path, n: int) -> None:
    """Write n rows, a row group at a time."""
    writer = None
    for start in range(0, n, GROUP):
        part = pa.Table.from_pandas(rows(min(GROUP, n - start), start), preserve_index=False)
        writer = writer or pq.ParquetWriter(path, part.schema)
        writer.write_table(part)
    assert writer is not None
    writer.close()


def models(folder: Path) -> dict[str, str]:
    """Write classifiers; return the options of an audit with each."""
    train = rows(20_000, 1)
    y = train["income"]
    plain = LogisticRegression(max_iter=500).fit(train[NUMBERS], y)
    skops.io.dump(plain, folder / "numbers.skops")
    encode = make_column_transformer((StandardScaler(), NUMBERS), (OneHotEncoder(), ["job"]))
    pipeline = make_pipeline(encode, LogisticRegression()).fit(train, y)
    skops.io.dump(pipeline, folder / "columns.skops")
    return {"numbers": "numbers.skops", "columns": "columns.skops"}


def measure(folder: Path, model: str, data: Path) -> tuple[float, float]:
    """Audit in a process of its own; return its peak in MB and the seconds."""
    command = [
        sys.executable, "-m", "robfair", "audit", str(folder / model), str(data), "--quiet",
        "--target", "income", "--sensitive", "race,sex", "--tau-max", "10",
        "--favorable", "high", "--html", str(folder / "audit.html"),
        "--resume", str(folder / f"{model}-{data.stem}.rows"),
    ]  # fmt: skip
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with {status}")
    # In units of 1,024 bytes, but on macOS in bytes.
    size = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return size / 1e6, time.perf_counter() - start


def main(args: argparse.Namespace) -> None:
    """Print the table."""
    sizes = (20_000, 120_000) if args.quick else (200_000, args.rows)
    print("## Large files\n")
    print(f"{machine(['pyarrow', 'pandas'])}\n")
    lines, worst = [], 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n in sizes:
            write(folder / f"{n}.parquet", n)
        for title, model in models(folder).items():
            if args.model not in (None, title):
                continue
            found = [measure(folder, model, folder / f"{n}.parquet") for n in sizes]
            (low, _), (high, seconds) = found
            a_row = max(high - low, 0) / (sizes[1] - sizes[0])
            whole = max(high, high + a_row * (WHOLE - sizes[1]))
            worst = max(worst, whole)
            lines.append(
                {
                    "what changes": title,
                    **{
                        f"{n:,} rows, MB": f"{mb:.0f}"
                        for n, (mb, _) in zip(sizes, found, strict=True)
                    },
                    "seconds": f"{seconds:.0f}",
                    f"{WHOLE:,} rows, MB": f"{whole:.0f}" + " (by the line)" * (sizes[1] < WHOLE),
                }
            )
    print(table(lines))
    print(f"\nWorst case: {worst:.0f} MB, target {TARGET:g}: {verdict(worst <= TARGET)}.\n")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{usage.ru_utime + usage.ru_stime:.0f} seconds of processors in all.\n")


if __name__ == "__main__":
    extra = {
        "--rows": {"type": int, "default": 1_000_000, "help": "rows of the larger file"},
        "--model": {"choices": ("numbers", "columns"), "help": "one case only"},
    }
    main(options(__doc__ or "", extra))

"""Runs the Python blocks of a Markdown page, as a reader would: from top to bottom."""

import doctest
import re
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(?:python|pycon)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


class AboutEqual(doctest.OutputChecker):
    """Lets numbers differ by 5 %: those of a trained network are not the same on all machines."""

    def check_output(self, want, got, optionflags):
        wanted, given = NUMBER.findall(want), NUMBER.findall(got)
        if len(wanted) == len(given):
            close = np.isclose(np.float64(given), np.float64(wanted), rtol=0.05, atol=0.01)
            numbers = iter(np.where(close, wanted, given))
            got = NUMBER.sub(lambda match: next(numbers), got)
        return super().check_output(want, got, optionflags)


def run_blocks(path):
    """Run the Python blocks of a page in one namespace, and return how many there are."""
    text = path.read_text(encoding="utf-8")
    namespace = {"__name__": path.stem}
    blocks = list(BLOCK.finditer(text))
    for block in blocks:
        code, line = block[1], text.count("\n", 0, block.start(1))
        if ">>>" in code:
            run_examples(code, namespace, line, path)
        else:
            # Line numbers in a traceback are those of the page.
            exec(compile("\n" * line + code, str(path), "exec"), namespace)
    return len(blocks)


def run_examples(code, namespace, line, path):
    """Run a block of ``>>>`` examples; doctest on the file would take the fence for output."""
    test = doctest.DocTestParser().get_doctest(code, namespace, path.name, str(path), line)
    report = []
    runner = doctest.DocTestRunner(AboutEqual(), optionflags=FLAGS)
    runner.run(test, out=report.append, clear_globs=False)
    namespace.update(test.globs)  # get_doctest copies the namespace
    assert not runner.failures, "".join(report)


def make_targets_missing(text):
    """Return the targets of make that a page names and the Makefile does not have."""
    shell = "\n".join(re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, re.DOTALL | re.M))
    named = re.findall(r"`make ([a-z-]+)", text) + re.findall(
        r"^(?:\$ )?make ([a-z-]+)", shell, re.M
    )
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return [t for t in named if not re.search(rf"^{t}:", makefile, re.MULTILINE)]

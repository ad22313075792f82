"""Every Python block of README.md runs, from top to bottom in one namespace, as a reader would."""

import doctest
import re
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
BLOCK = re.compile(r"^```(?:python|pycon)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def test_blocks_run(tmp_path, monkeypatch, capsys):
    text = README.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert blocks, "README.md shows no Python"
    monkeypatch.chdir(tmp_path)  # what a block writes goes away with the test
    namespace = {"__name__": "readme"}
    for block in blocks:
        code, line = block[1], text.count("\n", 0, block.start(1))
        if ">>>" in code:
            run_examples(code, namespace, line)
        else:
            # Line numbers in a traceback are those of README.md.
            exec(compile("\n" * line + code, str(README), "exec"), namespace)


def run_examples(code, namespace, line):
    """Run a block of ``>>>`` examples; doctest on the file would take the fence for output."""
    test = doctest.DocTestParser().get_doctest(code, namespace, "README.md", str(README), line)
    report = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(test, out=report.append, clear_globs=False)
    namespace.update(test.globs)  # get_doctest copies the namespace
    assert not runner.failures, "".join(report)


def test_links_to_files_lead_somewhere():
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", README.read_text(encoding="utf-8"))
    assert [target for target in targets if not (README.parent / target).exists()] == []


def test_make_targets_that_are_named_exist():
    text = README.read_text(encoding="utf-8")
    shell = "\n".join(re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, re.DOTALL | re.M))
    named = re.findall(r"`make ([a-z-]+)", text) + re.findall(
        r"^(?:\$ )?make ([a-z-]+)", shell, re.M
    )
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    assert [t for t in named if not re.search(rf"^{t}:", makefile, re.MULTILINE)] == []

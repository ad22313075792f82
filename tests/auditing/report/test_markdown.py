"""Audits as Markdown: a row per measure, group and model; names are data."""

from exported import CLF, DATA, GROUPS
from robfair import audit
from robfair._text import escaped
from robfair.metrics import AUDIT_MEASURES


def cells(line):
    """Split a line of a Markdown table at the bars that are not escaped."""
    return [c.strip() for c in line.replace(r"\|", "\0").strip("|").split("|")]


def test_markdown_tables_have_a_row_per_measure_and_group(result):
    lines = [line for line in result.to_markdown().splitlines() if line.startswith("|")]
    n = 2 + len(AUDIT_MEASURES)
    end = n + 2 + len(result.by_group)
    measures, groups = lines[2:n], lines[n + 2 : end]
    assert [cells(line)[0] for line in measures] == [escaped(name) for name in result.overall.index]
    assert [cells(line)[0].replace("\0", "|") for line in groups] == ["&lt;b&gt;", "a|b", r"c\_c"]
    assert len({len(cells(line)) for line in lines[:n]}) == 1
    assert len({len(cells(line)) for line in lines[n:end]}) == 1
    row = result.by_group.loc["a|b"]
    assert f"{row['robustness']:.4g}" in cells(groups[1])
    assert f"{row['low']:.4g} to {row['high']:.4g}" in cells(groups[1])


def test_what_stands_beside_the_distance_has_a_caption(result):
    blocks = result.to_markdown().split("\n\n")
    (eps,) = [i for i, block in enumerate(blocks) if block.startswith("Withstands eps: ")]
    assert cells(blocks[eps + 1].splitlines()[0]) == ["group", "eps 0.1", "eps 0.5", "eps 1"]
    assert blocks[eps + 2].endswith("the positive class is 1:")
    first = cells(blocks[eps + 3].splitlines()[2])
    assert first[0] == "all rows"
    assert first[1] == f"{result.metrics_overall['selection_rate']:.4g}"


def test_markdown_of_a_comparison(comparison):
    text = comparison.to_markdown()
    assert text.startswith("V\\_f is smallest for one, ")
    assert "no more than chance can make of models that are equal in it" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert cells(lines[0]) == ["model", *(escaped(m.symbol) for m in AUDIT_MEASURES)]
    assert [cells(line)[0] for line in lines[2:4]] == ["one", "two"]
    assert cells(lines[4])[1:] == ["size", "one", "two"]


def test_warnings_stand_in_markdown():
    few = audit(CLF, DATA.X[:60], DATA.y[:60], sensitive_features=GROUPS[:60])
    assert few.warnings
    assert escaped(few.warnings[0]) in few.to_markdown()

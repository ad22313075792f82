"""Names are data and fit; lines can be told apart without colour."""

import pytest

from robfair.plotting._style import MANY, looks, text


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Black", "Black"),
        (7, "7"),
        (("Black", "Female"), "Black, Female"),
        ("two\nlines", "two lines"),
        ("$5$", r"\$5\$"),
        ("", '""'),
        ("abcdefghij" * 3, "abcdefghijabcd…hijabcdefghij"),
    ],
)
def test_text(label, expected):
    assert text(label) == expected


def test_a_name_of_the_full_width_is_whole():
    assert text("a" * 28) == "a" * 28
    assert len(text("a" * 29)) == 28


def test_a_legend_shows_a_leading_underscore():
    assert text("_a").lstrip("\u200b") == "_a"
    assert not text("_a").startswith("_")


def test_lines_differ_in_more_than_colour():
    styles = looks(dict.fromkeys(range(MANY), 0.0)).values()
    assert len({(s["color"], s["linestyle"]) for s in styles}) == MANY == 12
    assert len({s["linestyle"] for s in list(styles)[:4]}) == 4


def test_groups_without_a_score_are_among_the_others():
    scores = {i: float("nan") if i < 10 else float(i) for i in range(15)}
    named = [label for label, style in looks(scores).items() if style["color"] != "0.75"]
    assert named == [14, 13, 12, 11, 10]
    assert looks(scores)[0]["label"] is None

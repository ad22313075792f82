"""Claims beside our numbers: measures found by name, directions that follow the seeds."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from papers import frame, rows
from robfair.reproduction._claims import Claim, ClaimTable, judge, spread, values_of

CAU = Claim("text", "CAU", "CAU", "standard", "robust", 1, (0.02, 0.03))
TABLE = ClaimTable("what", "ours, {}", "holds? ({})", "{:.3f}".format)


def compare(before, after, claim=CAU, table=TABLE):
    measures = frame(
        rows("paper", claim.before, claim.measure, before),
        rows("paper", claim.after, claim.measure, after),
    )
    return table.compare([claim], measures, ["paper"]).iloc[0]


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        ([0.1, 0.11, 0.12], "yes"),
        ([-0.1, -0.11, -0.12], "no"),
        # Mean 0.15, standard error 0.05: Student's t asks for 12.7 of them with two seeds.
        ([0.1, 0.2], "undecided"),
        ([0.0, 0.0], "undecided"),
        ([0.1], "yes (1 seed)"),
        ([0.0], "no (1 seed)"),
        ([np.nan, 0.1], "-"),
        ([], "-"),
    ],
)
def test_a_sentence_by_itself(difference, expected):
    assert judge([np.array(difference)]) == [expected]


def test_sentences_are_corrected_for_their_number():
    # By scipy.stats.ttest_1samp the p-values are 0.0072, 0.030 and 0.0008; Holm's bounds for three
    # are 0.0167, 0.025 and 0.05, from the least p-value on.
    sure, weak, surer = [0.9, 1.0, 1.2], [0.5, 1.0, 1.1, 1.9], [1.0, 1.1, 1.05]
    p = [ttest_1samp(values, 0).pvalue for values in (sure, weak, surer)]
    assert p[2] < 0.05 / 3
    assert p[0] < 0.05 / 2
    assert p[1] < 0.05
    assert judge([np.array(v) for v in (sure, weak, surer)]) == ["yes", "yes", "yes"]
    # Eight more of which nothing is known leave the number of tests as it is, eight that say
    # nothing do not.
    unknown, noise = [np.array([])] * 8, [np.array([-1.0, 1.0, 0.1])] * 8
    arrays = [np.array(v) for v in (sure, weak, surer)]
    assert judge([*arrays, *unknown])[:3] == ["yes", "yes", "yes"]
    assert judge([*arrays, *noise])[:3] == ["undecided", "undecided", "yes"]


@pytest.mark.parametrize(
    ("standard", "robust", "expected"),
    [
        ([0.1, 0.11, 0.12], [0.2, 0.21, 0.22], "yes"),
        ([0.2, 0.21, 0.22], [0.1, 0.11, 0.12], "no"),
        # Differences 0.1 and 0.2, 1 and 0: 0.15 is three standard errors from zero, and Student's
        # t asks for 12.7 of them with two seeds, for 4.3 with three.
        ([0.1, 0.1], [0.2, 0.3], "undecided"),
        ([0.1, 0.1, 0.1], [0.2, 0.3, 0.22], "yes"),
        ([0.1, 0.1, 0.1], [0.2, 0.3, 0.15], "undecided"),
        ([0.1], [0.2], "yes (1 seed)"),
        ([0.2], [0.1], "no (1 seed)"),
        ([], [], "-"),
    ],
)
def test_direction(standard, robust, expected):
    assert compare(standard, robust)["holds? (paper)"] == expected


def test_a_seed_that_lacks_a_method_is_not_judged():
    row = compare([0.1, 0.2], [0.3])
    assert row["holds? (paper)"] == "-"
    assert compare([], [0.3])["ours, paper"] == "-"


def test_numbers_are_means_and_deviations_over_seeds():
    row = compare([0.1, 0.3], [0.005, 0.015])
    assert row["ours, paper"] == "0.200 ± 0.141 → 0.010 ± 0.007"
    assert row["paper"] == "0.020 → 0.030"
    assert spread(np.array([]), str) == "-"
    assert spread(np.array([0.5]), str) == "0.5"


def test_a_detailed_table_shows_the_measure_and_its_change():
    table = ClaimTable("sentence", "{}", "{}?", "{:.2g}".format, is_detailed=True)
    claim = Claim("text", "it falls", "V_f", "A", "B", -1, "-29 %")
    row = compare([0.4, 0.6], [0.2, 0.3], claim, table)
    assert row.to_dict() == {
        "where": "text", "sentence": "it falls", "measure": "V_f", "paper": "-29 %",
        "paper?": "undecided",
    } | {"paper": "0.5 ± 0.14 → 0.25 ± 0.071 (-50%)"}  # fmt: skip
    assert compare([0.0], [0.2], claim, table)["paper"] == "0 → 0.2"


def test_what_is_kept_is_compared_with_less():
    claim = Claim("text", "stays almost the same", "Rob(f)", "A", "B", 1, kept=0.9)
    before = [1.0, 1.2, 1.1, 1.3]
    assert compare(before, [0.95 * v for v in before], claim)["holds? (paper)"] == "yes"
    assert compare(before, [0.85 * v for v in before], claim)["holds? (paper)"] == "no"


def test_eps_label_and_group_choose_the_row():
    claim = Claim("T", "x", "m", "standard", "robust", 1, (0.0, 1.0),
                  eps={"paper": 10, "honest": 0.5}, label="rich", group="f")  # fmt: skip
    where = {"eps": 10, "label": "rich", "group": "f"}
    measures = frame(
        rows("paper", "standard", "m", [0.1], **where),
        rows("paper", "standard", "m", [9], **where | {"eps": 15}),
        rows("paper", "standard", "m", [9], **where | {"label": "poor"}),
        rows("paper", "standard", "m", [9], **where | {"group": "m"}),
        rows("paper", "standard", "m", [9]),
        rows("paper", "robust", "m", [0.2], **where),
        rows("honest", "standard", "m", [0.3], **where | {"eps": 0.5}),
        rows("honest", "robust", "m", [0.4], **where | {"eps": 0.5}),
    )
    row = TABLE.compare([claim], measures, ("paper", "honest")).iloc[0]
    assert row["ours, paper"] == "0.100 → 0.200"
    assert row["ours, honest"] == "0.300 → 0.400"


def test_values_are_in_the_order_of_seeds():
    measures = frame(rows("auto", "A", "t", [0.1, 0.2, 0.3]), rows("auto", "A", "t", [9], eps=1))
    np.testing.assert_array_equal(values_of(measures[::-1], "auto", "A", "t"), [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(values_of(measures, "auto", "A", "t", eps=1), [9])
    assert len(values_of(measures, "auto", "A", "t", label="upper")) == 0

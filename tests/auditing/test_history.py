"""Audits over time: every number of the files, in the order of their dates."""

import json

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from exported import CLF, DATA, GROUPS
from robfair import ThreatModel, audit, compare
from robfair.auditing import audit_history
from robfair.exceptions import ResultsError


@pytest.fixture(scope="module")
def result():
    groups = pd.Series(GROUPS, name="kind")
    return audit(CLF, DATA.X, DATA.y, sensitive_features=groups, name="new")


def write(result, path, date):
    record = json.loads(result.to_json())
    record["settings"]["date"] = date
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def test_the_oldest_comes_first_and_every_number_is_there(result, tmp_path):
    new = write(result, tmp_path / "a.json", "2026-11-02T00:00:00+00:00")
    old = write(result, tmp_path / "b.json", "2026-10-02T00:00:00+00:00")
    history = audit_history([new, str(old)])
    assert history["date"].str[:7].tolist() == ["2026-10", "2026-11"]
    assert history[["name", "groups", "rows"]].iloc[0].tolist() == ["new", "kind", len(DATA.y)]
    numbers = result.as_dict()
    expected = pd.DataFrame([numbers, numbers])
    assert_frame_equal(history[list(numbers)], expected, check_exact=True)


def test_documents_of_several_audits_are_read(result, tmp_path):
    both = compare({"one": CLF, "two": CLF}, DATA.X, DATA.y, sensitive_features=GROUPS)
    both.to_json(tmp_path / "both.json")
    document = {"audits": {"kind": json.loads(result.to_json())}}
    (tmp_path / "shell.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.warns(UserWarning, match=r"differ in groups \(group, kind\)"):
        history = audit_history([tmp_path / "both.json", tmp_path / "shell.json"])
    assert sorted(history["name"]) == ["new", "one", "two"]


def test_other_norms_are_not_compared_in_silence(result, tmp_path):
    other = audit(
        CLF, DATA.X, DATA.y, threat_model=ThreatModel(norm=float("inf")),
        sensitive_features=pd.Series(GROUPS, name="kind"), confidence=None, examples=0,
    )  # fmt: skip
    files = tmp_path / "a.json", tmp_path / "b.json"
    result.to_json(files[0])
    other.to_json(files[1])
    with pytest.warns(UserWarning, match=r"differ in threat model \(ThreatModel\(norm=2\), "):
        history = audit_history(files)
    assert history["v_f.lower"].isna().sum() == 1  # without intervals


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"audits": 3}', '{"models": [{}]}', "["])
def test_what_is_no_audit_is_refused(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ResultsError, match=r"x\.json holds no audit .* has written"):
        audit_history([path])

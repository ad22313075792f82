"""Labels of models: their own, those of the target, or named."""

import pytest

pytestmark = pytest.mark.usefixtures("read_here")

FAST = ("--quiet", "--max-rows", "40")


@pytest.mark.slow
def test_labels_are_those_of_the_target_or_named(shell_audit, refused, people, tmp_path):
    xgboost = pytest.importorskip("xgboost")
    path = tmp_path / "model.ubj"
    model = xgboost.XGBClassifier(n_estimators=4, max_depth=3)
    model.fit(people[["age", "hours"]], (people["income"] == "high").astype(int)).save_model(path)
    code, out, _ = shell_audit(path, "people.csv", *FAST)
    assert code == 0
    assert "are those of 'income' in sorted order: 0 is 'high', 1 is 'low'" in out
    _, named, _ = shell_audit(path, "people.csv", *FAST, "--classes", "low,high")
    assert "sorted order" not in named
    wrong, right = (float(text.split("accuracy")[1].split()[0]) for text in (out, named))
    assert right == pytest.approx(1 - wrong, abs=1e-3)
    assert "names 3 labels, and the model has 2" in refused(
        path, "people.csv", "--classes", "a,b,c"
    )
    assert "and the model has 2 classes without labels" in refused(path, "people.csv", target="age")
    people.assign(hours=1e400).to_csv(tmp_path / "infinite.csv", index=False)
    text = refused(path, tmp_path / "infinite.csv")
    assert "column 'hours' of the frame holds infinity" in text
    assert "--trust is for skops files" in refused(path, "people.csv", "--trust", "numpy.log")

"""What the guide's page on tools says of skops and of CI, held against skops and the parser."""

import re
import shlex

import numpy as np
import pytest
import skops.io
import yaml
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from pages import ROOT
from robfair.cli._main import build_parser

PAGE = (ROOT / "docs" / "guide" / "tools.md").read_text(encoding="utf-8")
SMALL = {"n_estimators": 2, "random_state": 0}
SAVED = {
    "linear models": [LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression())],
    "`SVC`": [SVC()],
    "naive Bayes": [GaussianNB()],
    "decision trees": [DecisionTreeClassifier()],
    "forests": [RandomForestClassifier(**SMALL)],
    "extra trees": [ExtraTreesClassifier(**SMALL)],
    "boosting": [GradientBoostingClassifier(**SMALL)],
    "AdaBoost": [AdaBoostClassifier(**SMALL)],
    "bagging of trees": [BaggingClassifier(**SMALL)],
    "`HistGradientBoostingClassifier`": [HistGradientBoostingClassifier(max_iter=2)],
    "`MLPClassifier`": [MLPClassifier((3,), tol=10.0, n_iter_no_change=1)],
    "`KNeighborsClassifier`": [KNeighborsClassifier()],
    "`CalibratedClassifierCV`": [CalibratedClassifierCV(LogisticRegression(), cv=2)],
}


def trusted_by_the_table(name):
    (row,) = re.findall(rf"^\| (?=[^|]*{re.escape(name)})[^|]*\|([^|]*)\|$", PAGE, re.MULTILINE)
    return set(re.findall(r"`([\w.]+)`", row))


@pytest.mark.parametrize("name", SAVED)
def test_skops_asks_for_the_types_of_the_table(name, tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 3))
    for model in SAVED[name]:
        skops.io.dump(model.fit(X, X[:, 0] > 0), tmp_path / "model.skops")
        asked = set(skops.io.get_untrusted_types(file=tmp_path / "model.skops"))
        assert asked == trusted_by_the_table(name)


def jobs():
    github, gitlab = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
    steps = github["jobs"]["audit"]["steps"]
    return [[step["run"] for step in steps if "run" in step], gitlab["audit"]["script"]]


@pytest.mark.parametrize("commands", jobs(), ids=["github", "gitlab"])
def test_the_jobs_audit_and_keep_the_report(commands):
    install, line = map(shlex.split, commands)
    assert install == ["pip", "install", "-c", "constraints.txt", ".[cli]"]
    given = build_parser().parse_args(line[1:])
    limits = [(limit.measure, limit.column, limit.symbol, limit.limit) for limit in given.fail_if]
    assert limits == [("gap", "lower", ">", 0.2), ("accuracy", "value", "<", 0.8)]
    assert str(given.html) == "audit.html"

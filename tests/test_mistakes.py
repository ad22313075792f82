"""The forty most likely mistakes: each message says what was wrong, what was got, what to do."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from robfair import (
    AdversarialClassifier,
    FarmurClassifier,
    NaturalClassifier,
    ThreatModel,
    audit,
    boundary_distance,
    compare,
    get_scorer,
)
from robfair.attacks import attack, least_eps
from robfair.datasets import load_adult, make_group_margins
from robfair.leave_one_out import leave_one_out
from robfair.metrics import classifier_robustness
from robfair.scorers import neg_v_f_scorer

DATA = make_group_margins(90, random_state=0)
X, Y, G = DATA.X, DATA.y, DATA.groups
N = len(X)
CLF = LogisticRegression().fit(X, Y)
TREE = DecisionTreeClassifier(max_depth=2).fit(X, Y)
NET = nn.Sequential(nn.Linear(X.shape[1], 2))
NAMED = pd.DataFrame(X).add_prefix("x")
ON_NAMES = LogisticRegression().fit(NAMED, Y)
ROWS = pd.DataFrame({"age": np.arange(N) % 40 + 0.5, "job": np.array(["a", "b"])[np.arange(N) % 2]})
PIPE = make_pipeline(
    make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(), ["job"])),
    LogisticRegression(),
).fit(ROWS, Y)
EPOCH = {"max_epochs": 1, "random_state": 0}


class Pair(nn.Module):
    def forward(self, x):
        return NET(x), None


def on(model=CLF, X=X, y=Y, groups=G, **options):
    return audit(model, X, y, sensitive_features=groups, **options)


# Name, call, error, and of its message: what was wrong, what was got, what to do.
MISTAKES = [
    # What is given for a model
    ("a model that is not fitted", lambda: on(LogisticRegression()), ValueError,
     "not fitted", "LogisticRegression", "Call 'fit'"),
    ("a class", lambda: on(LogisticRegression), TypeError,
     "not a fitted instance", "class LogisticRegression", "Supported: "),
    ("the name of a file", lambda: on("model.skops"), TypeError,
     "cannot get labels", "type str", "Load the file"),
    ("weights", lambda: on(NET.state_dict()), TypeError,
     "cannot get labels", "type OrderedDict", "load_state_dict"),
    ("several models", lambda: on({"a": CLF}), TypeError,
     "cannot get labels", "type dict", "robfair.compare"),
    ("predictions", lambda: on(CLF.predict(X)), TypeError,
     "cannot get labels", "type ndarray", "the model itself"),
    ("a regressor", lambda: on(LinearRegression().fit(X, Y)), TypeError,
     "only a classifier", "LinearRegression", "model.predict(X) > threshold"),
    ("probabilities for labels", lambda: boundary_distance(CLF.predict_proba, X), ValueError,
     "one label per sample", f"({N}, 2)", "argmax"),
    ("a tuple for logits", lambda: boundary_distance(Pair(), X), ValueError,
     "must return logits", "a tuple", "Wrap it"),
    ("a list of models", lambda: compare([CLF], X, Y, sensitive_features=G), TypeError,
     "map names to models", "a list", "Pass a dict"),
    # Rows
    ("sparse rows", lambda: on(X=csr_matrix(X)), ValueError, "sparse", "X", "X.toarray()"),
    ("gaps", lambda: on(X=np.where(X > 1, np.nan, X)), ValueError,
     "finite", "NaN in columns", "imputer"),
    ("text", lambda: on(X=ROWS, groups=ROWS["job"]), ValueError,
     "finite numbers", "'job'", "make_pipeline(encoder, classifier)"),
    ("columns in another order", lambda: on(ON_NAMES, NAMED[NAMED.columns[::-1]]), ValueError,
     "another order", "'x9'", "in the order of"),
    ("a column that is missing", lambda: on(PIPE, ROWS.drop(columns="age")), ValueError,
     "other columns", "lacks column 'age'", "Pass the columns"),
    ("a single row", lambda: boundary_distance(CLF, X[0]), ValueError,
     "2D array", "1D array", "reshape"),
    # Labels and groups
    ("X and y swapped", lambda: on(X=Y, y=X), ValueError,
     "one value per sample", f"({N}, 10)", "1-D array"),
    ("one-hot labels", lambda: on(y=np.eye(2)[Y]), ValueError,
     "one value per sample", f"({N}, 2)", "1-D array"),
    ("labels of another kind", lambda: on(y=np.where(Y == 1, "yes", "no")), ValueError,
     "does not know", "'no' 'yes'", "that the model was fitted on"),
    ("groups of other rows", lambda: on(groups=G[:-1]), ValueError,
     "sensitive_features", f"{N - 1} samples", "same samples in the same order"),
    ("groups that are missing", lambda: on(groups=np.where(G == 1, np.nan, G)), ValueError,
     "missing", "30 of 90", "fillna"),
    ("the name of a column", lambda: on(PIPE, ROWS, groups="job"), ValueError,
     "must have shape", "a str", "X['job']"),
    ("names of columns", lambda: on(PIPE, ROWS, groups=["job"]), ValueError,
     "has 1 samples", "['job']", "X[['job']]"),
    # Options
    ("a slip in an option", lambda: on(taumax=3), TypeError,
     "no option", "'taumax'", "'tau_max'"),
    ("a part of the threat model", lambda: on(norm=2), TypeError,
     "no option", "'norm'", "threat_model=ThreatModel(norm="),
    ("columns that may change", lambda: on(PIPE, ROWS, mutable=["age"]), TypeError,
     "no option", "'mutable'", "ThreatModel.from_frame(X, mutable="),
    ("a model for its transformer",
     lambda: ThreatModel.from_transformer(CLF, ROWS, mutable=["age"]), TypeError,
     "must be a fitted ColumnTransformer", "LogisticRegression", "ThreatModel.from_frame"),
    ("the name of a threat", lambda: on(threat_model="linf"), TypeError,
     "must be a ThreatModel", "'linf'", "ThreatModel(norm="),
    ("a slip in a method", lambda: on(method="deep-fool"), ValueError,
     "method must be one of", "'deep-fool'", "deepfool"),
    ("gradients of a tree", lambda: on(TREE, method="deepfool"), TypeError,
     "cannot differentiate", "DecisionTreeClassifier", "Supported"),
    ("per cent", lambda: on(confidence=95), ValueError, "between 0 and 1", "95", "0.95"),
    ("a word for a cap", lambda: on(tau_max="auto"), ValueError,
     "positive, finite", "'auto'", "None for no cap"),
    ("a word for a seed", lambda: on(random_state="zero"), ValueError,
     "random_state", "'zero'", "an integer"),
    ("L1", lambda: ThreatModel(norm=1), ValueError, "norm", "got 1", "2 or numpy.inf"),
    ("bounds of unscaled rows",
     lambda: boundary_distance(CLF, 10 * X, threat_model=ThreatModel(bounds=(0, 1))), ValueError,
     "leaves the bounds", "[0, 1]", "Widen the bounds"),
    ("names for a mask",
     lambda: boundary_distance(CLF, X, threat_model=ThreatModel(mutable=["age"])), TypeError,
     "array of bool", "<U3", "from_frame(X, mutable=names)"),
    ("a column that does not exist",
     lambda: ThreatModel.from_transformer(PIPE[0], ROWS, mutable=["agee"]), ValueError,
     "not a column", "'agee'", "It has 'age'"),
    ("an attack on a negative eps", lambda: attack(CLF, X, Y, eps=-1), ValueError,
     "eps", "got -1", "not negative"),
    ("no eps to search up to", lambda: least_eps(CLF, X, Y, eps_max=0), ValueError,
     "eps_max", "got 0", "positive"),
    # Measures, scorers, training
    ("a result for its distances",
     lambda: classifier_robustness(Y, Y, distance=boundary_distance(CLF, X), sensitive_features=G),
     ValueError, "one value per sample", "a BoundaryDistance", "its attribute `distance`"),
    ("signed margins",
     lambda: classifier_robustness(Y, Y, distance=CLF.decision_function(X), sensitive_features=G),
     ValueError, "negative", "of 90 samples", "absolute values"),
    ("a measure for a scorer", lambda: get_scorer("v_f"), ValueError,
     "must be a scorer", "'v_f'", "neg_v_f"),
    ("a scorer without groups", lambda: neg_v_f_scorer(CLF, X, Y), ValueError,
     "needs the group", "got none", "enable_metadata_routing"),
    ("a slip in an objective", lambda: AdversarialClassifier(objective="trade").fit(X, Y),
     ValueError, "'objective'", "'trade'", "'trades'"),
    ("no sequence of layers", lambda: NaturalClassifier(hidden_layer_sizes=64).fit(X, Y),
     ValueError, "'hidden_layer_sizes'", "Got 64", "an array-like"),
    ("predicting before fit", lambda: NaturalClassifier().predict(X), ValueError,
     "not fitted", "NaturalClassifier", "Call 'fit'"),
    ("groups of other rows in fit",
     lambda: FarmurClassifier(**EPOCH).fit(X, Y, groups=G[:3]), ValueError,
     "groups", "3 samples", "same samples"),
    ("a device that is not there",
     lambda: NaturalClassifier(device="cuda:99", **EPOCH).fit(X, Y), ValueError,
     "cannot be used here", "'cuda:99'", "device='cpu'"),
    ("a checkpoint without a seed",
     lambda: NaturalClassifier(checkpoint="run", max_epochs=1).fit(X, Y), ValueError,
     "same random numbers", "got None", "must be an integer"),
    ("refits without probabilities", lambda: leave_one_out(LinearSVC(), X, Y, X), TypeError,
     "compares confidences", "LinearSVC", "CalibratedClassifierCV"),
    ("more refits than rows", lambda: leave_one_out(CLF, X, Y, X, n_left_out=N + 1), ValueError,
     "n_left_out", f"got {N + 1}", f"between 1 and {N}"),
    ("a part that does not exist", lambda: load_adult(split="validation"), ValueError,
     "split", "'validation'", "'train', 'test'"),
    # Files
    ("a folder that does not exist", lambda: on().to_html("none/audit.html"), OSError,
     "no folder", "none", "make it"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "error", "parts"),
    [pytest.param(call, error, parts, id=name) for name, call, error, *parts in MISTAKES],
)
@pytest.mark.filterwarnings("ignore")
def test_a_message_says_what_was_wrong_what_was_got_and_what_to_do(call, error, parts):
    with pytest.raises(error) as raised:
        call()
    for part in parts:
        assert part in str(raised.value)


def test_these_are_at_least_forty():
    names = [name for name, *_ in MISTAKES]
    assert len(set(names)) == len(names) >= 40
    assert torch.is_grad_enabled()  # no call has left something behind

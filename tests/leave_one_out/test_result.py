"""A result shows what was measured beside the baseline."""

import pytest
from matplotlib.figure import Figure
from sklearn.neural_network import MLPClassifier

from refits import data
from robfair.leave_one_out import leave_one_out
from robfair.metrics import leave_one_out_unfairness


def test_result_says_what_stands_beside_what():
    X, y, X_test = data()
    estimator = MLPClassifier((3,), solver="lbfgs", max_iter=5000)
    result = leave_one_out(estimator, X, y, X_test, n_left_out=3)
    frame = result.to_frame()
    assert frame.index.tolist() == ["left out", "other seed"]
    assert frame["n_refits"].tolist() == [3, 3]  # a maximum over as many
    for row, part in (("left out", result), ("other seed", result.baseline)):
        assert frame.loc[row, "luf"] == leave_one_out_unfairness(part.proba, part.proba_refitted)
        assert frame.loc[row, "luf_t"] == part.luf_t
        assert part.luf_l == pytest.approx(len(X_test) / 3 * part.luf_t)
    assert "3 left out, 7 test samples" in repr(result)
    assert "3 other seeds" in repr(result)
    shown = result._repr_html_()
    assert shown.count("<polyline") == 2
    assert "3 left out, 7 test samples" in shown
    lines = result.plot(ax=Figure().subplots()).lines
    for line, part in zip(lines, (result, result.baseline), strict=True):
        x, share = line.get_data()
        assert share == pytest.approx([(part.luf > at).mean() for at in x])
    bare = leave_one_out(estimator, X, y, X_test, n_left_out=1, n_baseline=0)
    assert bare.to_frame().index.tolist() == ["left out"]
    assert "no other seeds" in repr(bare)
    assert bare._repr_html_().count("<polyline") == 1

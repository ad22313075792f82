"""Leave-one-out unfairness (LUF): the effect of one training sample on a classifier.

An estimator is fitted again without each of some training samples, and the confidences of these
models are compared with those of the model that was trained on all samples. Beside it stands what
another seed changes on the *same* data, without which LUF says little.
"""

from robfair.leave_one_out._api import leave_one_out
from robfair.leave_one_out._result import LeaveOneOut, Refits

__all__ = ["LeaveOneOut", "Refits", "leave_one_out"]

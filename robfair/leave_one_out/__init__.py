"""Leave-one-out unfairness (LUF): what one training sample more or less changes.

An estimator is fitted again without each of some training samples, and the confidences of these
models are compared with those of the model that was trained on all samples. Beside it stands what
another seed changes on the *same* data, without which LUF says little.
"""

from robfair.leave_one_out._result import LeaveOneOut, Refits
from robfair.leave_one_out._runner import leave_one_out

__all__ = ["LeaveOneOut", "Refits", "leave_one_out"]

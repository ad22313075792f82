"""Any model as a function to logits, or to labels, in the space that is perturbed.

Distances and attacks see a model only through what the adapters return. `ForwardVjp` is the type of
a function from points to logits and their `Vjp`, the vector-Jacobian product: it turns weights of
the logits into the gradient of their weighted sum. `Sees` names what is needed of a model:
"logits", "labels" or "either".
"""

from robfair.adapters._affine import AffineLayer, affine_layers, affine_map, is_identity
from robfair.adapters._as_found import leaves_as_found, left_as_found
from robfair.adapters._boosters import with_labels
from robfair.adapters._codes import check_codes, code_columns, declared_codes, refuses_floats
from robfair.adapters._encoders import known_categories
from robfair.adapters._first_pass import check_output
from robfair.adapters._given import as_given, some_rows
from robfair.adapters._label_kinds import check_labels
from robfair.adapters._labels import LabelModel, as_labels, as_model
from robfair.adapters._logits import LogitModel, NotDifferentiable, as_logits
from robfair.adapters._modes import evaluation_mode
from robfair.adapters._plain import is_plain
from robfair.adapters._reading import Reading, Sees, adapt, hold, label_model
from robfair.adapters._steps import transformers
from robfair.adapters._tables import TableModel, of_array, of_table
from robfair.adapters._vjp import ForwardVjp, Vjp, autograd_vjp, forward_vjp

__all__ = [
    "AffineLayer",
    "ForwardVjp",
    "LabelModel",
    "LogitModel",
    "NotDifferentiable",
    "Reading",
    "Sees",
    "TableModel",
    "Vjp",
    "adapt",
    "affine_layers",
    "affine_map",
    "as_given",
    "as_labels",
    "as_logits",
    "as_model",
    "autograd_vjp",
    "check_codes",
    "check_labels",
    "check_output",
    "code_columns",
    "declared_codes",
    "evaluation_mode",
    "forward_vjp",
    "hold",
    "is_identity",
    "is_plain",
    "known_categories",
    "label_model",
    "leaves_as_found",
    "left_as_found",
    "of_array",
    "of_table",
    "refuses_floats",
    "some_rows",
    "transformers",
    "with_labels",
]

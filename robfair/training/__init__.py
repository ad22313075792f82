"""Training: objectives (a loss per sample), strategies (a plan per group) and the net.

An objective knows nothing of groups and a strategy nothing of losses: the net gives each sample
the eps, beta and weights that the strategy plans for its group, the objective turns them into a
loss per sample, and the net takes one optimiser step. A new training method is a new strategy, a
new loss a new objective; the net stays as it is. `SCHEDULES` maps the names of learning-rate
schedules to functions of the part of the run that is done.
"""

from robfair.training._average import Average
from robfair.training._batches import TensorBatches
from robfair.training._callbacks import EpochProgress
from robfair.training._checkpoint import Checkpoint, Snapshots, StartFrom
from robfair.training._evaluator import GroupEvaluator
from robfair.training._guard import OverfittingGuard
from robfair.training._hold_out import draw_held_out, draw_seed, held_out_mask
from robfair.training._loss_variance import LossVariance
from robfair.training._margin_control import MarginControl
from robfair.training._net import RobustNet
from robfair.training._noise import Noise
from robfair.training._objectives import (
    Attack,
    Losses,
    NaturalObjective,
    Objective,
    PgdObjective,
    TradesObjective,
)
from robfair.training._plan import GroupPlan
from robfair.training._schedule import SCHEDULES
from robfair.training._step import EpochEnd, Step
from robfair.training._stopping import EarlyStopping
from robfair.training._strategies import Farmur, Strategy
from robfair.training._weight_control import WeightControl

__all__ = [
    "SCHEDULES",
    "Attack",
    "Average",
    "Checkpoint",
    "EarlyStopping",
    "EpochEnd",
    "EpochProgress",
    "Farmur",
    "GroupEvaluator",
    "GroupPlan",
    "LossVariance",
    "Losses",
    "MarginControl",
    "NaturalObjective",
    "Noise",
    "Objective",
    "OverfittingGuard",
    "PgdObjective",
    "RobustNet",
    "Snapshots",
    "StartFrom",
    "Step",
    "Strategy",
    "TensorBatches",
    "TradesObjective",
    "WeightControl",
    "draw_held_out",
    "draw_seed",
    "held_out_mask",
]

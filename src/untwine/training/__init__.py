"""Training, and the runs that it makes."""

from .averaging import EMA, SWA, Averaging
from .callbacks import Callback, Every, State
from .checkpoint import Checkpoint, CheckpointError, Checkpoints, Position
from .critics import CriticRecord, critic_records
from .finite import NonFiniteLoss
from .fit import fit
from .run import Run
from .snapshots import PriorSnapshots, Snapshots, read_snapshots
from .stacking import Unstackable, fit_stacked
from .watching import RateWatch, TraversalFrames, read_frames, read_rates

__all__ = [
    "EMA",
    "SWA",
    "Averaging",
    "Callback",
    "Checkpoint",
    "CheckpointError",
    "Checkpoints",
    "CriticRecord",
    "Every",
    "NonFiniteLoss",
    "Position",
    "PriorSnapshots",
    "RateWatch",
    "Run",
    "Snapshots",
    "State",
    "TraversalFrames",
    "Unstackable",
    "critic_records",
    "fit",
    "fit_stacked",
    "read_frames",
    "read_rates",
    "read_snapshots",
]

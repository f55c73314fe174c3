"""Training, and the runs that it makes."""

from .callbacks import Callback, Every, State
from .checkpoint import Checkpoint, CheckpointError, Checkpoints, Position
from .finite import NonFiniteLoss
from .fit import fit
from .run import Run

__all__ = [
    "Callback",
    "Checkpoint",
    "CheckpointError",
    "Checkpoints",
    "Every",
    "NonFiniteLoss",
    "Position",
    "Run",
    "State",
    "fit",
]

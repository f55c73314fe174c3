"""The weights that a stage ends with: the last, their averages, or the best."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor

from .averaging import Averaged, Averaging
from .callbacks import State
from .checkpoint import Checkpoint
from .course import Course
from .held_out import Validation
from .run_folder import RunFolder

__all__ = ["Ending"]


class Ending:
    """Averages of the weights, and those with the lowest held-out value.

    Args:
        state: Method and position.
        folder: Where checkpoints are.
        course: Held-out values.
        averaging: How weights are averaged, if they are.
        validation: What is held out, if anything.
        found: The checkpoint that the run goes on from.
    """

    def __init__(
        self,
        state: State,
        folder: RunFolder,
        course: Course,
        averaging: Averaging | None,
        validation: Validation | None,
        found: Checkpoint | None,
    ) -> None:
        self.state, self.folder, self.course = state, folder, course
        self.averaging, self.validation, self._found = averaging, validation, found
        self._averaged: Averaged | None = None
        self._best: dict[str, Tensor] | None = None

    def begin(self, index: int, step: int) -> None:
        """Averages of a stage, those of the checkpoint if it is resumed; no best weights yet."""
        self._best = None
        if self.averaging is not None:
            state = None
            if self._found is not None:
                start = self._found.position
                state = self._found.average if (start.index, start.step) == (index, step) else None
            self._averaged = Averaged(self.averaging, self.state.method, step, state)

    def step(self) -> None:
        """After each step."""
        if self._averaged is not None:
            self._averaged.step()

    def put(self) -> AbstractContextManager[Any]:
        """The averages in the weights' place, meanwhile."""
        return nullcontext() if self._averaged is None else self._averaged.put()

    @property
    def average(self) -> Any:
        """What a checkpoint holds of the averages."""
        return None if self._averaged is None else self._averaged.values

    def improved(self) -> None:
        """Notes the weights as the best ones."""
        self._best = {n: v.clone() for n, v in self.state.method.state_dict().items()}

    def settle(self, index: int) -> None:
        """The weights that a stage ends with: averages, and the best ones where they are kept."""
        if self.validation is not None and self.validation.best:
            best = self.course.best(index)
            position = self.state.position
            if best is not None and best != position.step:
                if self._best is None:
                    self._load_best(f"{position.stage}-{best:08d}", index, best)
                    return
                self.state.method.load_state_dict(self._best)
                return
        if self._averaged is not None:
            self._averaged.take()

    def _load_best(self, name: str, index: int, step: int) -> None:
        """The weights of the lowest held-out value, from their checkpoint."""
        checkpoint = self.folder.at(name)
        if checkpoint is None:
            warnings.warn(
                f"the checkpoint {name} of the best weights is gone or damaged; keeping the last "
                "weights",
                stacklevel=2,
            )
            return
        checkpoint.load(self.state.method)
        if self.averaging is not None:
            Averaged(self.averaging, self.state.method, step, checkpoint.average).take()

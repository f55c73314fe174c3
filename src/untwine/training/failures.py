"""What a training says when numbers are no longer finite: the cause, and what to try."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from ..data.batches import Batch
from ..distributions.likelihoods import CountLikelihood
from ..methods.method import Method
from .callbacks import State
from .finite import NonFiniteLoss, large_inputs, non_finite_inputs, non_finite_parameter
from .replicas import Replicas
from .run_folder import RunFolder

__all__ = ["SCALE", "Failures", "large_observations"]

SCALE = "networks learn from numbers around 1, so scale columns first, as in (x - mean) / deviation"
"""What to do about large observations."""


class Failures:
    """Errors of one training.

    Args:
        state: Method and position.
        replicas: Whose precision is asked.
        folder: Where good checkpoints are.
        batch: The batch of a stage's and a step's number.
    """

    def __init__(
        self,
        state: State,
        replicas: Replicas,
        folder: RunFolder,
        batch: Callable[[int, int], Any],
    ) -> None:
        self.state, self.replicas, self.folder, self.batch = state, replicas, folder, batch

    def stop(self, player: str, term: str, step: int, parameter: bool = False) -> NoReturn:
        """Says which term or parameter is not finite."""
        position = self.state.position
        number = position.done - position.step + step - 1
        batch = self.batch(position.index, number) if step else None
        inputs = None if batch is None else non_finite_inputs(batch)
        if parameter:
            what = f"parameter {term!r} of player {player!r} is not finite after step {step}"
        else:
            what = f"term {term!r} of player {player!r} is not finite at step {step}"
        large = None if batch is None else large_observations(self.state.method, batch)
        raise self._non_finite(what, step, player, term, inputs, large)

    def refused(self, error: ValueError, batch: Any) -> None:
        """Explains an error in a move, if what is not finite is the cause of it."""
        step = self.state.position.step + 1
        what = f"step {step} failed ({str(error).splitlines()[0]})"
        inputs = non_finite_inputs(batch)
        bad = non_finite_parameter(self.state.method, self.state.method.players())
        if inputs is not None:
            raise self._non_finite(what, step, "", "", inputs) from error
        if bad is not None:
            what += f" since parameter {bad[1]!r} of player {bad[0]!r} is not finite"
            raise self._non_finite(
                what, step, *bad, None, large_observations(self.state.method, batch)
            ) from error

    def _non_finite(
        self,
        what: str,
        step: int,
        player: str,
        term: str,
        inputs: str | None,
        large: str | None = None,
    ) -> NonFiniteLoss:
        """The error, with what to try and where the last good weights are."""
        stage = self.state.position.stage
        if inputs is not None:
            advice = f"The data is the cause: in that step's batch {inputs}. Clean it."
        elif large is not None:
            advice = f"In that step's batch {large}: {SCALE}."
        else:
            advice = (
                f"Try a lower learning rate for {player!r} (its optimizer argument), smaller or "
                "slowly growing weights of the other terms, and check that the data is what the "
                "likelihood expects (Bernoulli: values in [0, 1])"
                + (", or precision '32-true'." if self.replicas.mixed else ".")
            )
        kept = self.folder.last
        where = f" The last good checkpoint is {kept}." if kept is not None else ""
        message = f"{what}, in stage {stage!r}. {advice}{where}"
        return NonFiniteLoss(message, stage, step, player, term)


def large_observations(method: Method, batch: Any) -> str | None:
    """Which observations are too large to learn from; counts, whose logarithms are, are not."""
    counts = any(isinstance(part, CountLikelihood) for part in method.modules())
    return None if counts or not isinstance(batch, Batch) else large_inputs(batch)

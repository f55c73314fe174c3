"""Stages of training: players with their optimizers, and the batches that a stage begins with."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch.optim import Optimizer, SparseAdam

from ..methods.method import Method, Player, Stage

__all__ = ["Batches", "check_optimizers", "check_players", "optimizers_of", "playing"]


class Batches:
    """As many examples as the data has, in the batches that a stage's moves will begin with.

    Args:
        loader: ``step -> batch``.
        first: The number of the stage's first batch.
        examples: How many there are in a batch, over all processes.
    """

    def __init__(self, loader: Any, first: int, examples: Callable[[Any], int]) -> None:
        self._loader, self._first, self._examples = loader, first, examples

    def __iter__(self) -> Iterator[Any]:
        seen, number = 0, self._first
        while seen < self._loader.size:
            batch = self._loader(number)
            seen, number = seen + self._examples(batch), number + 1
            yield batch


def check_players(method: Method, stages: Sequence[Stage]) -> None:
    """Refuses players that do not exist, and stages in which nobody owns anything.

    Players of a stage may share parameters; those of one move may not, see `methods.play`.

    Raises:
        ValueError: naming them.

    Warns:
        UserWarning: of parameters that nobody owns, which would never be trained.
    """
    names = {id(p): name for name, p in method.named_parameters()}
    owned: set[int] = set()
    for stage in stages:
        of_stage = {id(p) for v in playing(method, stage).values() for p in v.parameters()}
        if not of_stage:
            raise ValueError(
                f"no player of stage {stage.name!r} owns a parameter: there is nothing to learn"
            )
        owned |= of_stage
    unowned = [names[id(p)] for p in method.parameters() if p.requires_grad and id(p) not in owned]
    if unowned:
        warnings.warn(
            f"no player of {type(method).__name__} owns {', '.join(unowned)}: they will not be "
            "trained; add them to a player, or freeze them with requires_grad_(False)",
            stacklevel=3,
        )


def check_optimizers(method: Method, stages: Sequence[Stage]) -> None:
    """Makes the optimizers of all stages once, and lets them go: what is wrong shows at the start.

    Raises:
        ValueError: naming the player, for an optimizer that cannot be made, has a learning rate
            that is negative or not finite, calls the loss itself, or takes sparse gradients.
    """
    for stage in stages:
        for name, player in playing(method, stage).items():
            parameters = [p for p in player.parameters() if p.requires_grad]
            if parameters:
                _check_optimizer(name, player, parameters)


def _check_optimizer(name: str, player: Player, parameters: list[Any]) -> None:
    whose = f"the optimizer of player {name!r}"
    try:
        optimizer = player.optimizer(parameters)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{whose} cannot be made: {error}") from error
    if not isinstance(optimizer, Optimizer):
        raise ValueError(f"{whose} is a {type(optimizer).__name__}; expected a torch Optimizer")
    kind = type(optimizer).__name__
    for group in optimizer.param_groups:
        rate = group.get("lr", 0.0)
        if not (math.isfinite(rate) and rate >= 0):
            raise ValueError(f"{whose} has the learning rate lr={rate}; expected a finite one")
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise ValueError(
            f"{whose}, {kind}, evaluates the loss several times in a step, but a move is made "
            "once: take one that does not, such as Adam"
        )
    if isinstance(optimizer, SparseAdam):
        raise ValueError(
            f"{whose}, {kind}, takes sparse gradients; those here are dense: take Adam"
        )


def playing(method: Method, stage: Stage) -> dict[str, Player]:
    """The players of a stage by name.

    Raises:
        ValueError: if the stage names one that the method does not have.
    """
    players = dict(method.players())
    if stage.players is None:
        return players
    unknown = set(stage.players) - set(players)
    if unknown:
        raise ValueError(
            f"stage {stage.name!r} names the players {sorted(unknown)}, but the method has "
            f"{sorted(players)}"
        )
    return {name: players[name] for name in stage.players}


def optimizers_of(method: Method, stage: Stage) -> dict[str, Optimizer]:
    """Fresh optimizers of the players who have something to learn.

    Raises:
        ValueError: if there are none.
    """
    trained = {
        name: (player, [p for p in player.parameters() if p.requires_grad])
        for name, player in playing(method, stage).items()
    }
    found = {name: player.optimizer(own) for name, (player, own) in trained.items() if own}
    if not found:
        raise ValueError(f"every parameter of stage {stage.name!r} is frozen: nothing can learn")
    return found

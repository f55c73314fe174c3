"""Gradient steps: every player minimizes its loss over its own parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from torch import Tensor
from torch.optim import Optimizer

from .loss import Loss

__all__ = ["Backward", "Move", "Moves", "play"]

Move = Mapping[str | tuple[str, ...], Loss]
"""By player, its loss; several players that minimize one loss stand together, as a tuple."""

Moves = Iterator[Move]


class Backward(Protocol):
    """How gradients are taken."""

    def __call__(self, loss: Tensor, *, inputs: list[Tensor], retain_graph: bool) -> object:
        """Adds the gradients of ``loss`` to those of ``inputs``."""


def play(
    moves: Moves,
    optimizers: Mapping[str, Optimizer],
    backward: Backward | Callable[..., object] = Tensor.backward,
) -> Iterator[tuple[str, Loss]]:
    """Steps each player on its own parameters, and on nobody else's.

    Gradients are taken with ``inputs=`` the parameters of the player's optimizer, so ownership
    does not depend on anyone remembering ``detach``. Players that minimize one loss,
    ``{("codes", "generator"): loss}``, share one backward pass. What follows a ``yield`` in
    ``moves`` runs after that move's players have stepped.

    Args:
        moves: What ``Method.moves(batch, ctx)`` returned.
        optimizers: By player.
        backward: ``(loss, inputs=..., retain_graph=...)``; replaces ``Tensor.backward`` where
            gradients are scaled or averaged over processes.

    Yields:
        ``(player, loss)`` after that player's step.

    Raises:
        KeyError: if a move names a player without an optimizer.
        ValueError: if two players of one move own the same parameter.
    """
    for move in moves:
        teams = [((key,) if isinstance(key, str) else key, loss) for key, loss in move.items()]
        players = [player for team, _ in teams for player in team]
        owned = {player: _parameters(player, optimizers) for player in players}
        if len(players) > 1:
            _check_disjoint(owned, players)
        for i, (team, loss) in enumerate(teams, 1):
            for player in team:
                optimizers[player].zero_grad()
            inputs = [parameter for player in team for parameter in owned[player]]
            backward(loss.total, inputs=inputs, retain_graph=i < len(teams))
        for team, loss in teams:
            for player in team:
                optimizers[player].step()
                yield player, loss


def _parameters(player: str, optimizers: Mapping[str, Optimizer]) -> list[Tensor]:
    if player not in optimizers:
        raise KeyError(f"a move names player {player!r}; the players are {sorted(optimizers)}")
    return [p for group in optimizers[player].param_groups for p in group["params"]]


def _check_disjoint(owned: Mapping[str, list[Tensor]], players: list[str]) -> None:
    owner: dict[int, str] = {}
    for player in players:
        for parameter in owned[player]:
            if owner.setdefault(id(parameter), player) != player:
                raise ValueError(
                    f"players {owner[id(parameter)]!r} and {player!r} of one move both own a "
                    f"parameter of shape {tuple(parameter.shape)}: let them move one after the "
                    "other, or give it to one of them"
                )

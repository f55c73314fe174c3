"""Weights of several seeds of one method as one stack, which moves as each of them would alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.distributions import Distribution
from torch.func import functional_call, stack_module_state, vmap

from ..data.batches import Batch
from ..methods.method import Context, Loss, Method, Player
from .stacked_noise import NoiseReplay

__all__ = ["Stacked", "Unstackable", "seed_all", "unchecked"]

_ELEMENTWISE = (optim.Adam, optim.AdamW, optim.NAdam, optim.RAdam, optim.Adamax, optim.Adadelta,
                optim.Adagrad, optim.RMSprop, optim.SGD)  # fmt: skip
"""Optimizers that treat each number of a parameter alone, so that stacked ones move alike."""


class Unstackable(ValueError):
    """Methods whose seeds cannot be trained at once; the message says why."""


class Stacked:
    """Weights of several seeds as one, and one optimizer for them."""

    def __init__(
        self,
        methods: Sequence[Method],
        player: Player,
        name: str,
        calls: Sequence[Callable[[], Tensor]],
        kind: type[Batch],
        ctx: Context,
    ) -> None:
        try:
            self._weights, self._buffers = stack_module_state(list(methods))
        except RuntimeError as error:
            raise Unstackable(f"the methods are not alike: {str(error).splitlines()[0]}") from error
        names = {id(p): key for key, p in methods[0].named_parameters()}
        self._own = [self._weights[names[id(p)]] for p in player.parameters() if p.requires_grad]
        self._optimizer = player.optimizer(self._own)
        if type(self._optimizer) not in _ELEMENTWISE:
            owner = type(self._optimizer).__name__
            raise Unstackable(f"{owner} does not treat each weight alone: train its seeds alone")
        shell = _Shell(copy.deepcopy(methods[0]), kind, ctx)

        def losses(weights: Any, buffers: Any, batch: Any, noise: Any) -> dict[str, Tensor]:
            state = {f"method.{k}": v for k, v in {**weights, **buffers}.items()}
            with NoiseReplay(noise):
                move = functional_call(shell, state, (batch,))
            return _values(move[name])

        self._losses, self._calls = vmap(losses), calls

    def step(self, batches: Sequence[Batch], seeds: Sequence[int]) -> dict[str, Tensor]:
        """One move of every seed; its terms and total, ``(S,)`` each."""
        noise = []
        for seed in seeds:
            seed_all(seed)
            noise.append([call() for call in self._calls])
        together = [torch.stack(parts) for parts in zip(*noise, strict=True)]
        values = self._losses(self._weights, self._buffers, _stack(batches), together)
        self._optimizer.zero_grad()
        values["total"].sum().backward(inputs=self._own)
        self._optimizer.step()
        return {key: value.detach() for key, value in values.items()}

    def optimizer_of(self, method: Method, place: int) -> optim.Optimizer:
        """A seed's own optimizer, as it is after the steps that were made."""
        ((_, player),) = method.players().items()
        optimizer = player.optimizer([p for p in player.parameters() if p.requires_grad])
        written = self._optimizer.state_dict()
        state = {
            number: {
                key: value[place].clone() if isinstance(value, Tensor) and value.ndim else value
                for key, value in values.items()
            }
            for number, values in written["state"].items()
        }
        optimizer.load_state_dict({**written, "state": state})
        return optimizer

    @torch.no_grad()
    def give_back(self, methods: Sequence[Method]) -> None:
        """Writes the weights into the methods."""
        for place, method in enumerate(methods):
            for key, parameter in method.named_parameters():
                parameter.copy_(self._weights[key][place])


class _Shell(nn.Module):
    """A method whose call is its moves, so that `functional_call` can put weights into it."""

    def __init__(self, method: Method, kind: type[Batch], ctx: Context) -> None:
        super().__init__()
        self.method, self.kind, self.ctx = method, kind, ctx

    def forward(self, batch: Mapping[str, Tensor]) -> Mapping[Any, Loss]:
        return next(iter(self.method.moves(self.kind(**batch), self.ctx)))


def _values(loss: Loss) -> dict[str, Tensor]:
    """Terms, changing weights and the total of a loss."""
    values = dict(loss.terms)
    values |= {f"{k}.weight": w for k, w in loss.weights.items() if isinstance(w, Tensor)}
    return {**values, "total": loss.total}


def _stack(batches: Sequence[Batch]) -> dict[str, Tensor]:
    """The fields of batches that are there, stacked."""
    stacked: dict[str, Tensor] = {}
    for field in fields(batches[0]):  # type: ignore[arg-type]
        values = [getattr(batch, field.name) for batch in batches]
        if all(isinstance(value, Tensor) for value in values):
            stacked[field.name] = torch.stack(values)
        elif any(value is not None for value in values):
            kind = type(batches[0]).__name__
            raise Unstackable(f"{field.name} of {kind} is no tensor: train seeds alone")
    return stacked


def seed_all(value: int) -> None:
    torch.default_generator.manual_seed(value)
    if torch.cuda.is_available():
        torch.cuda.manual_seed(value)


@contextmanager
def unchecked() -> Iterator[None]:
    """Distributions do not look at their parameters' values, which stacked ones have several of."""
    checked = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(checked)

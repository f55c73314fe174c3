"""The protocol: a method is a game that its players play on their own parameters."""

from __future__ import annotations

import ast
import difflib
import inspect
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.optim import Optimizer

from ..spec import Recorded

if TYPE_CHECKING:
    from ..data import FactorDataset, Sampler

__all__ = [
    "Context",
    "Loss",
    "Method",
    "Moves",
    "Player",
    "Stage",
    "hyperparameter_names",
    "play",
]


@dataclass(frozen=True)
class Context:
    """What a loss may know besides its batch.

    Attributes:
        step: 0-dim integer tensor on the method's device: moves of this stage so far.
        size: :math:`N`, the number of training examples.
    """

    step: Tensor
    size: int


class Loss:
    r"""Named, weighted terms: :math:`\mathcal{L} = \sum_i w_i \, \overline{\ell_i}`.

    Args:
        **terms: Each a tensor, or a pair ``(weight, tensor)``. A term has one value per example,
            ``(B,)``, or is a scalar; it is averaged over the batch here and nowhere else.

    Raises:
        TypeError: if a term is no tensor.

    Example:
        >>> loss = Loss(nll=torch.tensor([1.0, 3.0]), kl=(4.0, torch.tensor([0.5, 0.5])))
        >>> loss.total.item(), loss.terms["nll"].item()
        (4.0, 2.0)
    """

    weights: dict[str, float | Tensor]
    terms: dict[str, Tensor]

    def __init__(self, **terms: Tensor | tuple[float | Tensor, Tensor]) -> None:
        self.weights, self.terms = {}, {}
        for name, term in terms.items():
            weight, value = term if isinstance(term, tuple) else (1.0, term)
            if not isinstance(value, Tensor):
                raise TypeError(f"term {name!r} is a {type(value).__name__}; expected a Tensor")
            self.weights[name] = weight
            self.terms[name] = value.mean()

    @property
    def total(self) -> Tensor:
        """The weighted sum, a scalar that gradients flow from."""
        return torch.stack(
            [
                value if isinstance(weight, float | int) and weight == 1 else weight * value
                for weight, value in ((self.weights[name], self.terms[name]) for name in self.terms)
            ]
        ).sum()

    def __repr__(self) -> str:
        return " + ".join(
            f"{float(self.weights[n]):g} {n}={float(t.detach()):.4g}" for n, t in self.terms.items()
        )


Moves = Iterator[Mapping[str, Loss]]


@dataclass(frozen=True)
class Player:
    """The modules that one optimizer owns, and the recipe of that optimizer.

    Attributes:
        modules: Disjoint from those of every other player of the same stage.
        optimizer: Called with an iterable of the modules' parameters.
    """

    modules: tuple[nn.Module, ...]
    optimizer: Callable[..., Optimizer]

    def parameters(self) -> list[nn.Parameter]:
        """Every parameter that it owns, each once."""
        unique = {id(p): p for module in self.modules for p in module.parameters()}
        return list(unique.values())


@dataclass(frozen=True)
class Stage:
    """A phase of training, and what to do with the data before its first move.

    Attributes:
        name: Shown in progress, logs and checkpoints.
        moves: ``(batch, ctx) -> iterator of {player: loss}``.
        begin: Called once with an iterable over batches of the data, before the first move of the
            stage (not again when a run is resumed inside the stage).
        players: The names of those who play in this stage; ``None`` means all.
    """

    name: str
    moves: Callable[[Any, Context], Moves]
    begin: Callable[[Iterable[Any]], None] | None = None
    players: tuple[str, ...] | None = None


class Method(Recorded, nn.Module, ABC):
    """A way to learn a representation: parts, players, and the moves that they make.

    A subclass owns its parts (``nn.Module`` attributes), says in `players` who owns which, and in
    `moves` who minimizes what, in which order. Moves are *capture-safe*: no ``.item()``, no Python
    branch on a tensor's value, random numbers drawn on the batch's device, shapes that do not
    change from step to step, schedules computed from ``ctx.step`` with tensor operations.
    """

    supervision: ClassVar[type]
    """The batch type that the method learns from: the type of the batch is the supervision."""

    seed_drawn: bool = False
    """Whether `build` drew the seed of the initial weights because none was given."""

    @abstractmethod
    def players(self) -> Mapping[str, Player]:
        """Who owns which parameters; disjoint, and together all of them."""

    @abstractmethod
    def moves(self, batch: Any, ctx: Context) -> Moves:
        """Yields ``{player: loss}``: one player is a turn, several a simultaneous turn."""

    @abstractmethod
    def represent(self, x: Tensor) -> Distribution:
        """The representation of ``x``, ``(B, ...) -> (B, D)``; its ``.mean`` is the code."""

    def stages(self) -> tuple[Stage, ...]:
        """The phases of training, in order; one unless a method says otherwise."""
        return (Stage("fit", self.moves),)

    def sampler(self) -> Sampler | None:
        """Draws what the method learns from; ``None`` means its supervision's default sampler."""
        return None

    @classmethod
    def parts(cls, data: FactorDataset, latent_dim: int = 10) -> dict[str, Any]:
        """Constructor arguments that fit the data's shape; a family of methods overrides it.

        Its keyword arguments are hyper-parameters too: `build` passes them on.
        """
        raise NotImplementedError(
            f"{cls.__name__} has no default parts: call its constructor with yours, or define "
            f"{cls.__name__}.parts(data, latent_dim) -> dict of constructor arguments"
        )

    @classmethod
    def build(
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        seed: int | None = None,
        **hyperparameters: Any,
    ) -> Self:
        """Makes the default parts that fit the data's shape, and the method of them.

        Args:
            data: What the method will learn from; its shape, covariates and factors are asked.
            latent_dim: The number of code dimensions.
            seed: Of the initial weights. By default one is drawn from torch's global generator
                and noted, so that the method can be written down and made again. A run goes on
                from its checkpoint whatever was drawn.
            **hyperparameters: Of `parts` and of the constructor.

        Raises:
            TypeError: for a hyper-parameter that the method does not have, naming those it has.
        """
        named = hyperparameter_names(cls)
        for name in hyperparameters:
            if name not in named:
                close = difflib.get_close_matches(name, named, 1)
                raise TypeError(
                    f"{cls.__name__} has no hyper-parameter {name!r}"
                    + (f": did you mean {close[0]!r}?" if close else "")
                    + f" It has: {', '.join(named)}"
                )
        drawn = seed is None
        if seed is None:
            seed = int(torch.randint(2**31, ()))
        of_parts = _keywords(cls, "parts")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            parts = cls.parts(
                data, latent_dim, **{k: v for k, v in hyperparameters.items() if k in of_parts}
            )
            rest = {k: v for k, v in hyperparameters.items() if k not in of_parts}
            method = cls(**parts, **rest)
        method.seed_drawn = drawn
        return method.made_by("build", latent_dim=latent_dim, seed=seed, **hyperparameters)


def hyperparameter_names(cls: type[Method]) -> list[str]:
    """What `Method.build` takes beside the data: arguments of ``parts`` and of the constructor."""
    taken = ["latent_dim", "seed"]
    return [*taken, *_keywords(cls, "parts"), *_keywords(cls, "__init__")]


def _keywords(cls: type, name: str) -> list[str]:
    """Keyword-only arguments of a class's function and of the parents' that it passes them on to.

    Parents are followed for as long as keyword arguments are passed on; an argument that a subclass
    gives its parent itself is no longer the user's to set.
    """
    found: list[str] = []
    fixed: set[str] = set()
    for owner in cls.__mro__:
        function = owner.__dict__.get(name)
        if function is None:
            continue
        function = getattr(function, "__func__", function)
        parameters = inspect.signature(function).parameters.values()
        found += [
            p.name
            for p in parameters
            if p.kind is p.KEYWORD_ONLY and p.name not in fixed and p.name not in found
        ]
        if owner is Method or not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
        fixed |= _given_to_parent(function)
    return found


def _given_to_parent(function: Callable[..., Any]) -> set[str]:
    """Names that a function passes to its parent's function itself, read from its source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):  # made interactively, without a source to read
        return set()
    return {
        keyword.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"super().{function.__name__}"
        for keyword in node.keywords
        if keyword.arg is not None
    }


def play(
    moves: Moves,
    optimizers: Mapping[str, Optimizer],
    backward: Callable[..., Any] = Tensor.backward,
) -> Iterator[tuple[str, Loss]]:
    """Steps each player on its own parameters, and on nobody else's.

    Gradients are taken with ``inputs=`` the parameters of the player's optimizer, so ownership
    does not depend on anyone remembering ``detach``. What follows a ``yield`` in ``moves`` runs
    after that move's players have stepped.

    Args:
        moves: What ``Method.moves(batch, ctx)`` returned.
        optimizers: By player.
        backward: ``(loss, inputs=..., retain_graph=...)``; replaces ``Tensor.backward`` where
            gradients are scaled or averaged over processes.

    Yields:
        ``(player, loss)`` after that player's step.

    Raises:
        KeyError: if a move names a player without an optimizer.
    """
    for move in moves:
        for i, (name, loss) in enumerate(move.items(), 1):
            if name not in optimizers:
                raise KeyError(
                    f"a move names player {name!r}; the players are {sorted(optimizers)}"
                )
            optimizers[name].zero_grad()
            own = [p for group in optimizers[name].param_groups for p in group["params"]]
            backward(loss.total, inputs=own, retain_graph=i < len(move))
        for name, loss in move.items():
            optimizers[name].step()
            yield name, loss

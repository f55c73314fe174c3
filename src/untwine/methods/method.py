"""The protocol: a method is a game that its players play on their own parameters."""

from __future__ import annotations

import difflib
import inspect
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.optim import Adam, Optimizer

from ..checks import check_kind, check_size, hints_of
from ..data.batches import Batch
from ..data.dataset import FactorDataset
from ..data.modalities import check_data
from ..data.outline import outline
from ..data.seeds import check_seed
from ..distributions import NegativeBinomial
from ..functional.schedules import check_weights
from ..spec import Recorded
from .loss import Loss
from .play import Move, Moves, play
from .snapshot import Noted, Snapshot

if TYPE_CHECKING:
    from ..data import Data, Sampler

__all__ = [
    "ADAM",
    "Context",
    "Loss",
    "MakeOptimizer",
    "Method",
    "Move",
    "Moves",
    "Observations",
    "Player",
    "Stage",
    "build_parameters",
    "hyperparameter_names",
    "play",
]

MakeOptimizer = Callable[..., Optimizer]
"""From parameters to their optimizer: a class, or a `functools.partial` of one."""

ADAM: MakeOptimizer = partial(Adam, lr=1e-4, fused=True)
"""The usual optimizer of the large-scale studies."""

Observations = Tensor | Mapping[str, Tensor]
"""``(B, ...)``, or that by modality."""


@dataclass(frozen=True)
class Context:
    """What a loss may know besides its batch.

    Attributes:
        step: 0-dim integer tensor on the method's device: moves of this stage so far.
        size: :math:`N`, the number of training examples.
    """

    step: Tensor
    size: int


@dataclass(frozen=True)
class Player:
    """The modules that one optimizer owns, and the recipe of that optimizer.

    Two players may own one module, such as an encoder that has an optimizer for each phase of an
    adversarial autoencoder, if they never move at once.

    Attributes:
        modules: Disjoint from those of every other player of the same move.
        optimizer: Called with an iterable of the modules' parameters.
    """

    modules: tuple[nn.Module, ...]
    optimizer: MakeOptimizer

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
        every: By n, further moves that follow in every n-th step, the first one included, such as
            a gradient penalty of every 16th. They are declared, not branched on: each kind of
            step does the same thing each time, and can be captured as a graph of its own.
    """

    name: str
    moves: Callable[[Batch, Context], Moves]
    begin: Callable[[Iterable[Batch]], None] | None = None
    players: tuple[str, ...] | None = None
    every: Mapping[int, Callable[[Batch, Context], Moves]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for n in self.every:
            if n < 1:
                raise ValueError(f"every names {n}; expected a number of steps from 1 on")

    def due(self, step: int) -> tuple[Callable[[Batch, Context], Moves], ...]:
        """The moves of a step, counted from 0."""
        return (self.moves, *(moves for n, moves in self.every.items() if step % n == 0))


class Method(Recorded, nn.Module, metaclass=Noted):
    """A way to learn a representation: a model, players, and the moves that they make.

    A subclass owns its parts (``nn.Module`` attributes), says in `players` who owns which, and in
    `moves` who minimizes what, in which order. Moves are *capture-safe*: no ``.item()``, no Python
    branch on a tensor's value, random numbers drawn on the batch's device, shapes that do not
    change from step to step, schedules computed from ``ctx.step`` with tensor operations.

    Its constructor takes its parts, then settings by keyword, and keeps each setting as an
    attribute of the same name. `parts` makes those parts for a data set. What the constructor
    annotates as ``float | Schedule`` is a weight, and not negative.
    """

    supervision: ClassVar[type[Batch]]
    """The batch type that the method learns from: the type of the batch is the supervision."""

    without_covariates: ClassVar[str | None] = None
    """Why the method takes no covariates, if it takes none."""

    classes_beside_code: int | None = None
    """How many classes ``decode`` takes as ``y`` because the code does not hold them, if any."""

    snapshot: Snapshot
    """What it was when its constructor was done, so that a run can say what was changed since."""

    built_for: Mapping[str, object] | None = None
    """What `build` asked of the data: size, shape, covariates, factors; see `data.outline`."""

    seed_drawn: bool = False
    """Whether `build` drew the seed of the initial weights because none was given."""

    @classmethod
    def check_arguments(cls, arguments: Mapping[str, object]) -> None:
        """Refuses objects of a wrong kind, and weights below 0."""
        super().check_arguments(arguments)
        check_weights(cls, arguments)

    @abstractmethod
    def players(self) -> Mapping[str, Player]:
        """Who owns which parameters; together all of them."""

    @abstractmethod
    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """Yields ``{player: loss}``: one player is a turn, several a simultaneous turn."""

    @abstractmethod
    def represent(self, batch: Batch | Observations) -> Distribution:
        """The representation of a batch, or of plain observations: ``(B, ...) -> (B, D)``.

        Its ``.mean`` is the code, and the same each time. A code that has parts is a
        `distributions.Blocks`, which names them.
        """

    def stages(self) -> tuple[Stage, ...]:
        """The phases of training, in order; one unless a method says otherwise."""
        return (Stage("fit", self.moves),)

    def check_batch(self, batch: Batch) -> None:
        """Refuses a batch that the method cannot learn from; asked once, about the first one.

        Raises:
            ValueError: naming what is wrong, such as values that the likelihood cannot have.
        """

    def sampler(self) -> Sampler | None:
        """Draws what the method learns from; ``None`` means its supervision's default sampler."""
        return None

    @classmethod
    def parts(cls, data: Data, latent_dim: int = 10) -> dict[str, object]:
        """The constructor's arguments that fit a data set, by name.

        What it takes by keyword, `build` takes, too.
        """
        raise NotImplementedError(
            f"{cls.__name__} has no default parts: call its constructor with yours, or define "
            f"{cls.__name__}.parts(data, latent_dim) -> dict of constructor arguments"
        )

    @classmethod
    def build(
        cls,
        data: Data,
        latent_dim: int = 10,
        *,
        seed: int | None = None,
        **arguments: object,
    ) -> Self:
        """Makes the parts that fit a data set, and the method of them.

        Of counts of genes (`FactorDataset.counts`) the likelihood is negative binomial by default,
        and Adam's learning rate 1e-3.

        Args:
            data: What the method will learn from; its shape, covariates and factors are asked.
            latent_dim: The number of code dimensions.
            seed: Of the initial weights. By default one is drawn from torch's global generator
                and noted, so that the method can be written down and made again. A run goes on
                from its checkpoint whatever was drawn.
            **arguments: Of `parts` and of the constructor, by name.

        Raises:
            TypeError: for an argument that neither takes, naming those there are, for one that
                the constructor replaces, and for objects of a wrong kind.
            ValueError: for data with covariates, if the method takes none, for sizes and seeds out
                of range, and for weights below 0.
        """
        check_data(data)
        takes = build_parameters(cls)
        for name in arguments:
            if name not in takes:
                close = difflib.get_close_matches(name, takes, 1)
                raise TypeError(
                    f"{cls.__name__} has no hyper-parameter {name!r}"
                    + (f": did you mean {close[0]!r}?" if close else "")
                    + f" It has: {', '.join(takes)}"
                )
        hints = hints_of(cls, "parts")
        for name, value in {"latent_dim": latent_dim, **arguments}.items():
            check_kind(name, value, hints.get(name, Any))
        cls.check_arguments({k: v for k, v in arguments.items() if k not in hints})
        check_size("latent_dim", latent_dim, least=0)
        if cls.without_covariates is not None and data.covariates is not None:
            raise ValueError(
                f"the data has covariates, and {cls.__name__} takes none: {cls.without_covariates}"
            )
        arguments = {**_suited(data, takes, arguments), **arguments}
        drawn = seed is None
        if seed is None:
            seed = int(torch.randint(2**31, ()))
        seed = check_seed(seed)
        of_parts = _settings(cls, "parts")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            parts = cls.parts(
                data, latent_dim, **{k: v for k, v in arguments.items() if k in of_parts}
            )
            settings = {k: v for k, v in arguments.items() if k not in of_parts}
            method = cls(**{**parts, **settings})
        _check_kept(method, settings)
        method.seed_drawn, method.built_for = drawn, outline(data)
        return method.made_by("build", latent_dim=latent_dim, seed=seed, **arguments)


def _suited(
    data: Data,
    takes: Mapping[str, tuple[Callable[..., Any], inspect.Parameter]],
    arguments: Mapping[str, object],
) -> dict[str, object]:
    """Defaults for counts of genes: their likelihood, and the learning rate of cells by genes."""
    suited: dict[str, object] = {}
    if isinstance(data, FactorDataset) and data.counts:
        if "likelihood" in takes and arguments.get("likelihood") is None:
            suited["likelihood"] = NegativeBinomial()
        if "optimizer" in takes and takes["optimizer"][1].default is ADAM:
            suited["optimizer"] = partial(Adam, lr=1e-3)
    return suited


def hyperparameter_names(cls: type[Method]) -> list[str]:
    """What `Method.build` takes beside the data."""
    return list(build_parameters(cls))


def build_parameters(cls: type[Method]) -> dict[str, tuple[Callable[..., Any], inspect.Parameter]]:
    """What `Method.build` takes beside the data: by name, the function that has it, and its place.

    These are the keyword arguments of ``parts``, and the constructor's.
    """
    of_build = inspect.signature(Method.build).parameters
    return {
        **{name: (Method.build, of_build[name]) for name in ("latent_dim", "seed")},
        **_settings(cls, "parts"),
        **{
            name: place
            for name, place in _settings(cls, "__init__").items()
            if name not in _settings(cls, "parts")
        },
    }


def _settings(
    cls: type[Method], name: str
) -> dict[str, tuple[Callable[..., Any], inspect.Parameter]]:
    """The arguments of a class's ``parts`` or constructor that a user may set.

    Of ``parts``, those by keyword; of the constructor, all that have a default. A class of a user
    that passes ``**options`` on to its parent has that parent's, too.
    """
    settings: dict[str, tuple[Callable[..., Any], inspect.Parameter]] = {}
    for owner in cls.__mro__:
        function = owner.__dict__.get(name)
        if function is None or owner is nn.Module:
            continue
        function = getattr(function, "__func__", function)
        parameters = inspect.signature(function).parameters.values()
        for p in parameters:
            if p.default is not p.empty if name == "__init__" else p.kind is p.KEYWORD_ONLY:
                settings.setdefault(p.name, (function, p))
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return settings


def _check_kept(method: Method, settings: Mapping[str, object]) -> None:
    """Refuses a setting that the constructor did not keep: it would be lost without a word."""
    for name, value in settings.items():
        if hasattr(method, name) and value is not None and getattr(method, name) is not value:
            kept = getattr(method, name)
            if type(kept) is type(value) and (kept == value) is True:
                continue
            if name not in inspect.signature(type(method).__init__).parameters:
                raise TypeError(
                    f"{type(method).__name__} replaces {name} by {kept!r}: it cannot be set; "
                    f"a constructor that lets it be set names it"
                )

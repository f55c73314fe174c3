"""Several seeds of one method trained at once, in one process, with stacked weights."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn, optim
from torch.distributions import Distribution
from torch.func import functional_call, stack_module_state, vmap
from torch.overrides import TorchFunctionMode

from ..checks import check_kind
from ..data.batches import Batch
from ..methods.method import Context, Loss, Method, Player
from ..reading import expanded
from .checkpoint import Position
from .course import Course
from .finite import NonFiniteLoss
from .memory import keep_freed_memory
from .plan import check_positive, moves_by_stage, plan, start
from .record import Row
from .run_folder import RunFolder
from .seeding import step_seed
from .stages import Batches, playing

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["Unstackable", "fit_stacked"]

_ELEMENTWISE = (optim.Adam, optim.AdamW, optim.NAdam, optim.RAdam, optim.Adamax, optim.Adadelta,
                optim.Adagrad, optim.RMSprop, optim.SGD)  # fmt: skip
"""Optimizers that treat each number of a parameter alone, so that stacked ones move alike."""

_DRAWS = (torch.rand, torch.randn, torch.rand_like, torch.randn_like, torch.randperm,
          Tensor.normal_, Tensor.uniform_, Tensor.exponential_)  # fmt: skip
"""Random numbers that depend on shapes alone, and so can be drawn before they are asked for."""


class Unstackable(ValueError):
    """Methods whose seeds cannot be trained at once; the message says why."""


def fit_stacked(
    methods: Sequence[Method],
    data: FactorDataset,
    *,
    seeds: Sequence[int],
    steps: int,
    batch_size: int = 64,
    sampler: Any = None,
    out: Sequence[str | Path] | None = None,
    log_every: int = 100,
    checkpoint_every: int = 1000,
    keep: int = 2,
) -> list[list[Row]]:
    r"""Trains several seeds of one method at once; each ends as `fit` with its seed ends.

    Weights of all seeds are stacked, :math:`(S, \ldots)`, one pass of `torch.func.vmap` computes
    the losses :math:`\mathcal{L}_s`, and the gradient of :math:`\sum_s \mathcal{L}_s` is each
    seed's own. Batches and noise are those that each seed has alone, so that weights differ by
    rounding only. Small models gain, for which a step is mostly calls (`benchmarks/stacking.py`);
    convolutions on the CPU do not. There are no checkpoints: what was killed begins again.

    Args:
        methods: One for each seed, alike but for their weights; trained in place, and left in
            evaluation mode.
        data: A data set.
        seeds: Of batches and noise, one for each method.
        steps: Moves to make.
        batch_size: Examples of a step, of each seed.
        sampler: Draws examples; by default the method's, or its supervision's default.
        out: The runs' folders, one for each method, written when training is done; none by
            default.
        log_every: Steps from one row to the next.
        checkpoint_every: Noted in the folders, as `fit` does.
        keep: Likewise.

    Returns:
        The rows of the log of each seed, as `fit` writes them.

    Raises:
        Unstackable: for methods of several stages, players or moves, weights that are of other
            shapes, normalization over batches, optimizers that look at a whole parameter, and
            noise that depends on values.
        NonFiniteLoss: when a loss of any seed becomes NaN or infinite.
        FileExistsError: if a run is in one of the folders.

    Example:
        >>> from untwine.data import FactorDataset
        >>> from untwine.methods import BetaVAE
        >>> data = FactorDataset.from_arrays(torch.rand(100, 7))
        >>> methods = [BetaVAE.build(data, latent_dim=2, seed=seed) for seed in range(3)]
        >>> rows = fit_stacked(methods, data, seeds=range(3), steps=3)
        >>> len(rows), rows[0][-1]["step"]
        (3, 3)
    """
    check_kind("methods", methods, Sequence[Method])
    for name, number in (("steps", steps), ("batch_size", batch_size), ("log_every", log_every)):
        check_positive(name, number)
    if not methods or len(methods) != len(seeds):
        raise ValueError(f"there are {len(methods)} methods and {len(seeds)} seeds: give as many")
    if out is not None and len(out) != len(methods):
        raise ValueError(f"there are {len(methods)} methods and {len(out)} folders: give as many")
    stage, name, player = _only(methods[0])
    steps = moves_by_stage(steps, methods[0].stages())[stage]
    device = next(methods[0].parameters()).device
    loaders = [
        _loader(m, data, batch_size, s, sampler) for m, s in zip(methods, seeds, strict=True)
    ]
    ctx = Context(torch.zeros((), dtype=torch.int64, device=device), loaders[0].size)
    rows: list[list[Row]] = [[] for _ in methods]
    folders = []
    for method, seed, path in zip(methods, seeds, out or (), strict=out is not None):
        spec = plan(
            method, data, sampler, digests=True, steps=steps, batch_size=batch_size, seed=int(seed),
            precision="32-true", devices=1, log_every=log_every,
            checkpoint_every=checkpoint_every, keep=keep,
        )  # fmt: skip
        folder = RunFolder(expanded(path), spec, keep, True, False, method.seed_drawn)
        folder.starts(start(method))
        folders.append(folder)
    if device.type == "cpu":
        keep_freed_memory()
    began = since = time.monotonic()
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), _unchecked():
        for method, loader, seed in zip(methods, loaders, seeds, strict=True):
            _begin(method, loader, seed)
        first = [_drawn(loader, seed, 0) for loader, seed in zip(loaders, seeds, strict=True)]
        calls, alone = _probe(methods, first, seeds, ctx, name)
        stacked = _Stacked(methods, player, name, calls, type(first[0]), ctx)
        for step in range(steps):
            batches = first if step == 0 else [
                _drawn(loader, seed, step) for loader, seed in zip(loaders, seeds, strict=True)
            ]  # fmt: skip
            values = stacked.step(batches, [step_seed(seed, 0, step, 0) for seed in seeds])
            if step == 0:
                _agree(values["total"], alone)
            _check_finite(values, seeds, stage, step + 1, name)
            ctx.step.add_(1)
            if step == 0 or (step + 1) % log_every == 0 or step + 1 == steps:
                now = time.monotonic()
                every = log_every if step else 1
                speed = round(len(methods) * every * batch_size / max(now - since, 1e-9), 1)
                about = {"step": step + 1, "stage": stage, "seconds": round(now - began, 3),
                         "images/s": speed}  # fmt: skip
                for place, row in enumerate(rows):
                    row.append(about | {f"{name}/{k}": float(v[place]) for k, v in values.items()})
                since = now
        stacked.give_back(methods)
    for method in methods:
        method.eval()
    for place, folder in enumerate(folders):
        folder.begin({stage: 0}, False)
        try:
            for line in rows[place]:
                folder.record.write(line)
            seconds = rows[place][-1]["seconds"]
            position = Position(stage, 0, steps, steps, seconds)
            optimizers = {name: stacked.optimizer_of(methods[place], place)}
            folder.checkpoint(position, methods[place], optimizers, course=Course().written())
            folder.finish(methods[place])
        finally:
            folder.close()
    return rows


class _Stacked:
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
            with _Replay(noise):
                move = functional_call(shell, state, (batch,))
            return _values(move[name])

        self._losses, self._calls = vmap(losses), calls

    def step(self, batches: Sequence[Batch], seeds: Sequence[int]) -> dict[str, Tensor]:
        """One move of every seed; its terms and total, ``(S,)`` each."""
        noise = []
        for seed in seeds:
            _seed_all(seed)
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


class _Record(TorchFunctionMode):
    """Notes which random numbers are drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Callable[[], Tensor]] = []

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        if function in _DRAWS:
            like = torch.empty_like(result)
            if args and isinstance(args[0], Tensor):  # such as x.normal_() and rand_like(x)

                def call() -> Tensor:
                    return function(like.clone(), *args[1:], **kwargs)
            else:

                def call() -> Tensor:
                    return function(*args, **kwargs)

            self.calls.append(call)
        return result


class _Replay(TorchFunctionMode):
    """Hands out random numbers that were drawn before."""

    def __init__(self, noise: Sequence[Tensor]) -> None:
        super().__init__()
        self._noise = iter(noise)

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return next(self._noise) if function in _DRAWS else function(*args, **(kwargs or {}))


def _only(method: Method) -> tuple[str, str, Player]:
    """The one stage and the one player of a method."""
    kind = type(method).__name__
    stages = method.stages()
    if len(stages) != 1 or stages[0].every:
        raise Unstackable(
            f"{kind} has several stages, or moves that are not due in every step: train its seeds "
            "alone"
        )
    players = playing(method, stages[0])
    if len(players) != 1:
        raise Unstackable(
            f"{kind} has the players {', '.join(players)}: the second moves after the first has "
            "stepped, which stacked seeds cannot wait for; train them alone"
        )
    ((name, player),) = players.items()
    return stages[0].name, name, player


def _probe(
    methods: Sequence[Method],
    batches: Sequence[Batch],
    seeds: Sequence[int],
    ctx: Context,
    name: str,
) -> tuple[list[Callable[[], Tensor]], Tensor]:
    """The random numbers that a step draws, and the first loss of each seed alone."""
    calls: list[Callable[[], Tensor]] = []
    totals = []
    for method, batch, seed in zip(methods, batches, seeds, strict=True):
        copied = copy.deepcopy(method)
        _seed_all(step_seed(seed, 0, 0, 0))
        with _Record() as record, torch.no_grad():
            moves = list(copied.moves(batch, ctx))
        if len(moves) != 1 or set(moves[0]) != {name}:
            raise Unstackable(
                f"a step of {type(method).__name__} has {len(moves)} moves: train its seeds alone"
            )
        before = dict(method.named_buffers())
        if any(not torch.equal(value, before[key]) for key, value in copied.named_buffers()):
            raise Unstackable(
                f"a step of {type(method).__name__} changes buffers, such as those of batch "
                "normalization: train its seeds alone"
            )
        calls = record.calls
        totals.append(moves[0][name].total)
    return calls, torch.stack(totals)


def _agree(together: Tensor, alone: Tensor) -> None:
    """Refuses a stack whose first losses are not those of its seeds alone."""
    if not torch.allclose(together, alone, rtol=1e-3, atol=1e-4, equal_nan=True):
        raise Unstackable(
            f"stacked losses are {together.tolist()}, and {alone.tolist()} alone: the method draws "
            "noise in a way that is not followed; train its seeds alone"
        )


def _check_finite(
    values: Mapping[str, Tensor], seeds: Sequence[int], stage: str, step: int, name: str
) -> None:
    if bool(torch.isfinite(values["total"]).all()):
        return
    term = next(k for k, v in values.items() if not bool(torch.isfinite(v).all()))
    bad = [
        s for s, fine in zip(seeds, torch.isfinite(values[term]).tolist(), strict=True) if not fine
    ]
    raise NonFiniteLoss(
        f"term {term!r} of player {name!r} is not finite at step {step} with seeds "
        f"{', '.join(map(str, bad))}: try a lower learning rate",
        stage, step, name, term,
    )  # fmt: skip


def _values(loss: Loss) -> dict[str, Tensor]:
    """Terms, changing weights and the total of a loss."""
    values = dict(loss.terms)
    values |= {f"{k}.weight": w for k, w in loss.weights.items() if isinstance(w, Tensor)}
    return {**values, "total": loss.total}


def _loader(method: Method, data: Any, batch_size: int, seed: int, sampler: Any) -> Any:
    from ..data import Loader, as_loader
    from ..encoding import placement

    learned = data if sampler is None else Loader(data, sampler, batch_size=batch_size, seed=seed)
    device, dtype = placement(method)
    return as_loader(learned, method, batch_size, seed, device=device, dtype=dtype)


def _begin(method: Method, loader: Any, seed: int) -> None:
    """What a stage does before its first move, such as to start a prior from codes."""
    (stage,) = method.stages()
    method.train()
    if stage.begin is not None:
        _seed_all(step_seed(seed, 0, "begin", 0))
        stage.begin(Batches(loader, 0, len))
        method.train()


def _drawn(loader: Any, seed: int, number: int) -> Batch:
    _seed_all(step_seed(seed, 0, number, "batch", 0))
    return loader(number)


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


def _seed_all(value: int) -> None:
    torch.default_generator.manual_seed(value)
    if torch.cuda.is_available():
        torch.cuda.manual_seed(value)


@contextmanager
def _unchecked() -> Iterator[None]:
    """Distributions do not look at their parameters' values, which stacked ones have several of."""
    checked = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(checked)

"""Lightning's side: its callbacks in `fit`, and a method as a module of its Trainer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader, IterableDataset

from ..data import IID, FactorDataset, Loader, Multimodal, default_sampler
from ..data.batches import Batch
from ..encoding import placement
from ..methods.loss import Loss
from ..methods.method import Context, Method, Stage, play
from .callbacks import Callback, State
from .held_out import PREFIX
from .record import merged, numbers
from .stages import Batches, check_players, optimizers_of

__all__ = ["LightningCallback", "MethodModule"]

_TAKEN = {
    "on_fit_start": "on_start",
    "on_train_start": "on_start",
    "on_train_batch_end": "on_step",
    "on_validation_epoch_end": "on_validation",
    "on_validation_end": "on_validation",
    "on_train_end": "on_end",
    "on_fit_end": "on_end",
}
"""Lightning's hooks in the order in which they are called, and ours."""

_INSTEAD = {
    "Checkpoint": 'a run writes checkpoints itself; fit(keep="best") keeps the best weights',
    "EarlyStopping": "fit(validation=, patience=) does it, and survives a kill",
    "WeightAveraging": "fit(average=EMA()) or fit(average=SWA()) does it, and survives a kill",
    "StochasticWeightAveraging": "fit(average=SWA()) does it, and survives a kill",
    "LearningRateMonitor": "learning rates that change are in the log already",
    "ProgressBar": "fit shows its own bar",
    "GradientAccumulationScheduler": "each move is one step: give a larger batch_size",
    "BatchSizeFinder": "it trains by trial; choose batch_size yourself",
    "LearningRateFinder": "it trains by trial; choose the optimizer's rate yourself",
    "BaseFinetuning": "freeze parameters with requires_grad_(False), and train in two calls",
    "ModelSummary": "print(method) shows its modules",
}


class LightningCallback(Callback):
    """A callback of Lightning's, called by `fit`.

    Its hooks around a whole training, after each step and after each validation are called with a
    view of the training as ``trainer``, and with the method itself as ``pl_module``. That view has
    ``global_step``, ``max_steps``, ``current_epoch``, ``callback_metrics``, ``optimizers``,
    ``should_stop``, ``default_root_dir``, ``global_rank``, ``world_size`` and ``is_global_zero``;
    setting ``should_stop`` ends the training.

    Args:
        callback: Lightning's.

    Raises:
        TypeError: for what is no callback of Lightning's, for callbacks that do what `fit` does
            itself (checkpoints, early stopping, averages, bars), for hooks that have no place
            here, and for state that is to survive a restart; each by name.

    Example:
        >>> from lightning.pytorch.callbacks import LambdaCallback
        >>> LightningCallback(LambdaCallback(on_train_end=lambda trainer, module: None))
        LightningCallback(LambdaCallback: on_train_end)
    """

    def __init__(self, callback: pl.Callback) -> None:
        if not isinstance(callback, pl.Callback):
            raise TypeError(
                f"callback is a {type(callback).__name__}; expected one of Lightning's, such as "
                "lightning.pytorch.callbacks.LambdaCallback"
            )
        name = type(callback).__name__
        for base in type(callback).__mro__:
            if base.__name__ in _INSTEAD:
                raise TypeError(f"{name} has no place in fit: {_INSTEAD[base.__name__]}")
        hooks = _overridden(callback)
        strange = [hook for hook in hooks if hook not in _TAKEN]
        if strange:
            raise TypeError(
                f"{name} has the hooks {', '.join(strange)}, which have no place in fit; those "
                f"that have are {', '.join(_TAKEN)}"
            )
        self.callback, self.hooks = callback, hooks
        self._view = _View()

    def on_start(self, state: State) -> None:
        """Calls ``on_fit_start`` and ``on_train_start``."""
        self._view.max_steps = sum(state.steps.values())
        self._view.default_root_dir = str(state.out or "")
        self._view.global_rank = state.fabric.global_rank
        self._view.world_size = state.fabric.world_size
        self._call("on_start", state)

    def on_step(self, state: State, losses: Mapping[str, Loss]) -> None:
        """Calls ``on_train_batch_end``; ``outputs`` is the totals by player."""
        outputs = {name: loss.total.detach() for name, loss in losses.items()}
        self._view.callback_metrics |= {f"{name}/total": v for name, v in outputs.items()}
        self._call("on_step", state, outputs, None, state.position.done - 1)

    def on_validation(self, state: State, terms: Mapping[str, float]) -> None:
        """Calls ``on_validation_epoch_end`` and ``on_validation_end``."""
        values = {PREFIX + name: torch.tensor(value) for name, value in terms.items()}
        self._view.callback_metrics |= values
        self._call("on_validation", state)

    def on_end(self, state: State) -> None:
        """Calls ``on_train_end`` and ``on_fit_end``."""
        self._call("on_end", state)

    def __repr__(self) -> str:
        return f"LightningCallback({type(self.callback).__name__}: {', '.join(self.hooks)})"

    def _call(self, ours: str, state: State, *arguments: Any) -> None:
        view = self._view
        view.global_step, view.optimizers = state.position.done, [*state.optimizers.values()]
        view.current_epoch = state.position.index
        for hook, place in _TAKEN.items():
            if place == ours and hook in self.hooks:
                getattr(self.callback, hook)(view, state.method, *arguments)
        if view.should_stop and state.stopping is None:
            state.stop(f"{type(self.callback).__name__} set should_stop")


@dataclass(kw_only=True)
class _View:
    """A training, as far as a callback of Lightning's may look at it."""

    global_step: int = 0
    max_steps: int = 0
    current_epoch: int = 0
    callback_metrics: dict[str, Any] = field(default_factory=dict)
    optimizers: list[Optimizer] = field(default_factory=list)
    should_stop: bool = False
    default_root_dir: str = ""
    global_rank: int = 0
    world_size: int = 1

    @property
    def is_global_zero(self) -> bool:
        return self.global_rank == 0

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"a callback of Lightning's asks for trainer.{name}, which a training by fit does not "
            f"have; it has {', '.join(vars(self))} and is_global_zero"
        )


def _overridden(callback: pl.Callback) -> list[str]:
    """The hooks that a callback has something to say to."""
    names = [name for name in vars(pl.Callback) if name.startswith("on_")]
    names += ["setup", "teardown", "state_dict", "load_state_dict"]
    base = {name: vars(pl.Callback)[name] for name in names}
    return [
        name
        for name in names
        if name in vars(callback)
        or next(vars(c)[name] for c in type(callback).__mro__ if name in vars(c)) is not base[name]
    ]


class MethodModule(pl.LightningModule):
    """A method as a module of Lightning's Trainer, for those who have one.

    It optimizes by hand, as every game of several players does: each player steps on its own
    parameters. Terms are logged as ``player/term``, held-out ones as ``validation/player/term``.

    Lightning counts the steps of every optimizer: with two players that move once each, a training
    step counts as two of ``max_steps``. A Trainer promises no batches after a restart that are
    those of before, and runs of its own are no folders that `Run.load` reads; `fit` does both.

    Args:
        method: What is trained.
        data: What it is trained on; needed unless the Trainer is given loaders of its own, which
            must make batches of the type that the method learns from.
        validation: What is held out.
        batch_size: Examples per step.
        seed: Of the batches.
        stage: The stage to train, by name, for methods of several.

    Raises:
        ValueError: for a stage that there is not, and for methods of several stages if none is
            named.

    Example:
        >>> import torch
        >>> from untwine.data import FactorDataset
        >>> from untwine.methods import VAE
        >>> data = FactorDataset.from_arrays(torch.rand(100, 7))
        >>> module = MethodModule(VAE.build(data, latent_dim=2), data, batch_size=16)
        >>> quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        >>> trainer = pl.Trainer(max_steps=3, enable_checkpointing=False, **quiet)
        >>> trainer.fit(module)
        >>> sorted(trainer.callback_metrics)
        ['vae/kl', 'vae/nll', 'vae/total']
    """

    made: Tensor
    """Training steps of the stage so far."""

    def __init__(
        self,
        method: Method,
        data: FactorDataset | Multimodal | None = None,
        validation: FactorDataset | Multimodal | None = None,
        *,
        batch_size: int = 64,
        seed: int = 0,
        stage: str | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.method, self.data, self.validation = method, data, validation
        self.batch_size, self.seed = batch_size, seed
        self.stage = _stage_of(method, stage)
        check_players(method, method.stages())
        self.register_buffer("made", torch.zeros((), dtype=torch.int64))
        self._names: list[str] = []

    def configure_optimizers(self) -> list[Optimizer]:
        """Those of the stage's players."""
        optimizers = optimizers_of(self.method, self.stage)
        self._names = [*optimizers]
        return [*optimizers.values()]

    def on_train_start(self) -> None:
        """What the stage begins with."""
        if self.stage.begin is not None and self.made == 0:
            if self.data is None:
                raise ValueError(f"stage {self.stage.name!r} begins with the data: give data=")
            loader = self._loader(self.data)
            self.stage.begin(Batches(loader, 0, len))
            self.method.train()

    def training_step(self, batch: Batch, number: int) -> None:
        """One call of the moves that are due."""
        optimizers = self.optimizers()
        listed = optimizers if isinstance(optimizers, list) else [optimizers]
        # Lightning's wrappers stand for the optimizers that they wrap
        players: dict[str, Any] = dict(zip(self._names, listed, strict=True))
        losses: dict[str, Loss] = {}
        for moves in self.stage.due(number):
            played = play(moves(batch, self._context()), players, self._backward)
            for player, loss in played:
                losses = merged(losses, player, loss)
        self.made += 1
        self.log_dict(numbers(losses), batch_size=len(batch))

    def validation_step(self, batch: Batch, number: int) -> None:
        """The terms of the moves, without a step."""
        losses: dict[str, Loss] = {}
        with torch.enable_grad():
            for move in self.stage.moves(batch, self._context()):
                for key, loss in move.items():
                    for player in [key] if isinstance(key, str) else key:
                        losses = merged(losses, player, loss)
        values = {PREFIX + name: value for name, value in numbers(losses).items()}
        self.log_dict(values, batch_size=len(batch))

    def train_dataloader(self) -> Any:
        """Batches without end, so that the Trainer's ``max_steps`` decides."""
        if self.data is None:
            raise ValueError(
                "data is missing: give MethodModule(method, data), or the Trainer loaders"
            )
        return DataLoader(_Endless(self._loader(self.data)), batch_size=None)

    def val_dataloader(self) -> Any:
        """As many batches as what is held out fills."""
        if self.validation is None:
            return []
        loader = self._loader(self.validation)
        count = -(-len(self.validation) // self.batch_size)
        return DataLoader(_Endless(loader, count), batch_size=None)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, idx: int) -> Any:
        """Moves a batch as `fit` does."""
        return batch.to(device, dtype=placement(self.method)[1])

    def _backward(self, loss: Tensor, **options: Any) -> None:
        self.manual_backward(loss, **options)

    def _context(self) -> Context:
        size = len(self.data) if self.data is not None else self.batch_size
        return Context(self.made, size)

    def _loader(self, data: FactorDataset | Multimodal) -> Loader:
        sampler = self.method.sampler() or default_sampler(self.method.supervision)
        return Loader(data, sampler or IID(), batch_size=self.batch_size, seed=self.seed)


class _Endless(IterableDataset):
    """The batches of a loader, or the first of them."""

    def __init__(self, loader: Loader, count: int | None = None) -> None:
        self.loader, self.count = loader, count

    def __iter__(self) -> Iterator[Any]:
        yield from self.loader if self.count is None else self.loader.batches(self.count)


def _stage_of(method: Method, name: str | None) -> Stage:
    stages = {stage.name: stage for stage in method.stages()}
    if name is None and len(stages) > 1:
        raise ValueError(
            f"{type(method).__name__} has the stages {', '.join(stages)}, and a Trainer trains "
            "one: name it, as in MethodModule(method, data, stage=...), one after the other"
        )
    name = next(iter(stages)) if name is None else name
    if name not in stages:
        raise ValueError(f"stage is {name!r}; the method has {', '.join(stages)}")
    return stages[name]

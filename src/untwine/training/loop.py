"""The training loop: every step is a function of (seed, stage, step, process)."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from itertools import chain
from typing import Any, NoReturn

import torch

from ..data.batches import Batch
from ..distributions.likelihoods import CountLikelihood
from ..encoding import placement
from ..methods.method import Context, Loss, Method, Moves, Stage, play
from .callbacks import State, call
from .checkpoint import Position
from .finite import NonFiniteLoss, Watch, large_inputs, non_finite_inputs, non_finite_parameter
from .interrupt import Interruption
from .progress import Progress
from .record import merged, numbers
from .replicas import Replicas
from .run_folder import RunFolder
from .stages import Batches, optimizers_of

__all__ = ["Loop"]

_SCALE = (
    "networks learn from numbers around 1, so scale columns first, as in (x - mean) / deviation"
)


class Loop:
    """One call of `fit`: makes the moves that are left, and writes down what happens.

    Args:
        method: On its device.
        stages: The method's.
        moves: To make, by stage.
        loader: ``step -> batch``, where ``step`` counts the moves of all stages.
        seed: Of the noise.
        replicas: Devices and processes.
        folder: Where the run is written, and what is there of it.
        progress: Shows it.
        callbacks: See `Callback`.
        loggers: Lightning's.
        log_every: Steps between rows.
        checkpoint_every: Steps between checkpoints.
        batch_size: Examples per step, of all processes.
    """

    def __init__(
        self,
        *,
        method: Method,
        stages: Sequence[Stage],
        moves: Mapping[str, int],
        loader: Any,
        seed: int,
        replicas: Replicas,
        folder: RunFolder,
        progress: Progress,
        callbacks: Sequence[Any],
        loggers: Sequence[Any],
        log_every: int,
        checkpoint_every: int,
        batch_size: int,
    ) -> None:
        self.method, self.stages, self.moves = method, stages, moves
        self.loader, self.seed, self.batch_size = loader, seed, batch_size
        self.replicas, self.folder, self.progress = replicas, folder, progress
        self.callbacks, self.loggers = callbacks, loggers
        self.log_every, self.checkpoint_every = log_every, checkpoint_every
        self.device = replicas.fabric.device
        self._found = folder.found
        start = self._found.position if self._found else Position(stages[0].name, 0, 0, 0)
        self.state = State(method, loader, replicas.fabric, start, moves, out=folder.path)
        self._drawn: tuple[int, Any] | None = None
        self._fits = False  # whether a step has succeeded, so that shapes and types fit
        self._began = time.monotonic() - start.seconds
        self._examples, self._since = 0, time.monotonic()
        self._shown: dict[str, float] = {}

    def run(self) -> int:
        """Makes the moves; returns how many there are now, of all stages."""
        finished = self._check_start()
        with ExitStack() as stack:
            cuda = [self.device] if self.device.type == "cuda" else []
            stack.enter_context(torch.random.fork_rng(devices=cuda))
            stack.callback(self.method.eval)
            if not finished:
                self._check_batch()
                self._check_optimizers()
            self.replicas.fabric.barrier()  # all have read the folder before one writes to it
            stack.callback(self.folder.close)
            order = {stage.name: place for place, stage in enumerate(self.stages)}
            self.folder.begin(order, finished)
            if self._found is not None and finished:
                self._found.load(self.method)
            else:
                alone = self.replicas.count == 1 and self.folder.path is not None
                self.interruption = stack.enter_context(Interruption(alone))
                stack.enter_context(self.progress)
                self._play()
            self.folder.finish(self.method)
            self.replicas.fabric.barrier()
        return self.state.position.done

    def _play(self) -> None:
        """The stages that are left."""
        status = "failed"
        for logger in self.loggers:
            logger.log_hyperparams(self.folder.spec)
        try:
            if self._found is None:
                self.replicas.share(self.method)
            call(self.callbacks, "on_start", self.state)
            first = self.state.position.index
            for index, stage in enumerate(self.stages[first:], first):
                self._stage(index, stage, self._found is not None and index == first)
            call(self.callbacks, "on_end", self.state)
            status = "success"
        finally:
            for logger in self.loggers:
                logger.finalize(status)

    def _stage(self, index: int, stage: Stage, resumed: bool) -> None:
        """The moves of a stage, or those that are left of it."""
        first = self.state.position.step if resumed else 0
        before = self.state.position.done - first
        self.method.train()
        if stage.begin is not None and not resumed:
            self._seed(index, "begin")
            stage.begin(Batches(self.loader, before, self._count))
            self.method.train()
            self.replicas.share(self.method)
        optimizers = optimizers_of(self.method, stage)
        if resumed and self._found is not None:
            self._found.load(self.method, optimizers)
            self.replicas.share(self.method)
        self.state.optimizers = optimizers
        alone_on_cpu = self.device.type == "cpu" and self.replicas.count == 1
        self._watch = Watch(alone_on_cpu, self.replicas.minimum)
        self._advance(stage.name, index, first, before)
        self.progress.stage(self.state.position)
        if not resumed:
            self._checkpoint()
        ctx = Context(torch.tensor(first, device=self.device), self.loader.size)
        for step in range(first, self.moves[stage.name]):
            batch = self._batch(index, before + step)
            losses = self._step(stage.due(step), index, before + step, batch, ctx)
            self._advance(stage.name, index, step + 1, before)
            self._after(losses, batch)

    def _step(
        self,
        due: Sequence[Callable[[Any, Context], Moves]],
        index: int,
        number: int,
        batch: Any,
        ctx: Context,
    ) -> dict[str, Loss]:
        """One call of the moves that are due, on the batch of that number."""
        losses: dict[str, Loss] = {}
        self._seed(index, number)
        try:
            with self.replicas.autocast():
                moves = chain.from_iterable(moves(batch, ctx) for moves in due)
                for player, loss in play(moves, self.state.optimizers, self.replicas.backward):
                    self.replicas.moved()
                    bad = self._watch.see(player, loss, ctx.step)
                    if bad is not None:
                        self._stop(*bad)
                    losses = merged(losses, player, loss)
        except ValueError as error:  # torch's distributions refuse parameters that are not finite
            self._refused(error, batch)
            raise
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError) or self._fits:
                raise
            _, dtype = placement(self.method)
            raise ValueError(
                f"the first step failed on a batch of {batch!r}, with parameters of {dtype}: "
                f"{str(error).splitlines()[0]}. If shapes are the cause, build the method for data "
                "like this batch"
            ) from error
        self._fits = True
        self.replicas.share_buffers(self.method)
        ctx.step.add_(1)
        return losses

    def _after(self, losses: Mapping[str, Loss], batch: Any) -> None:
        """What is written down after a step."""
        here = self.state.position
        self._examples += self._count(batch)
        last = here.step == self.moves[here.stage]
        interrupted = self.interruption.signal is not None
        if here.step == 1 or here.step % self.log_every == 0 or last:
            self._check()
            self._log(losses)
        self.progress.step(here, self._count(batch))
        call(self.callbacks, "on_step", self.state, losses)
        if here.step % self.checkpoint_every == 0 or last or interrupted:
            self._checkpoint()
        if interrupted:
            where = f"stopped after step {here.step} of stage {here.stage!r}"
            again = f"the same command again continues from {self.folder.path}"
            quietly = self.interruption.name == "SIGINT"  # the error says it
            self.progress.say(f"{self.interruption.name}: {where}; {again}", always=not quietly)
            self.interruption.stop(f"{where}; saved in {self.folder.path}")

    def _log(self, losses: Mapping[str, Loss]) -> None:
        here, now = self.state.position, time.monotonic()
        values = numbers(losses, self.replicas.average)
        speed = self._examples / max(now - self._since, 1e-9)
        self._examples, self._since = 0, now
        self.folder.record.write(
            {
                "step": here.step,
                "stage": here.stage,
                "seconds": round(here.seconds, 3),
                "images/s": round(speed, 1),
                **values,
            }
        )
        self.progress.terms(values)
        for logger in self.loggers:
            logger.log_metrics({**values, "images/s": speed}, step=here.done)

    def _checkpoint(self) -> None:
        """Writes one, if everything is finite."""
        self._check()
        bad = non_finite_parameter(self.method, self.method.players())
        if bad is not None:
            self._stop(bad[0], bad[1], self.state.position.step, parameter=True)
        if self.folder.path is not None:
            self.folder.checkpoint(self.state.position, self.method, self.state.optimizers)
            call(self.callbacks, "on_checkpoint", self.state)

    def _check(self) -> None:
        bad = self._watch.check()
        if bad is not None:
            self._stop(*bad)

    def _stop(self, player: str, term: str, step: int, parameter: bool = False) -> NoReturn:
        """Says which term or parameter is not finite."""
        here = self.state.position
        number = here.done - here.step + step - 1
        batch = self._batch(here.index, number) if step else None
        inputs = None if batch is None else non_finite_inputs(batch)
        if parameter:
            what = f"parameter {term!r} of player {player!r} is not finite after step {step}"
        else:
            what = f"term {term!r} of player {player!r} is not finite at step {step}"
        large = None if batch is None else self._large(batch)
        raise self._non_finite(what, step, player, term, inputs, large)

    def _refused(self, error: ValueError, batch: Any) -> None:
        """Explains an error in a move, if what is not finite is the cause of it."""
        step = self.state.position.step + 1
        what = f"step {step} failed ({str(error).splitlines()[0]})"
        inputs = non_finite_inputs(batch)
        bad = non_finite_parameter(self.method, self.method.players())
        if inputs is not None:
            raise self._non_finite(what, step, "", "", inputs) from error
        if bad is not None:
            what += f" since parameter {bad[1]!r} of player {bad[0]!r} is not finite"
            raise self._non_finite(what, step, *bad, None, self._large(batch)) from error

    def _large(self, batch: Any) -> str | None:
        """Which observations are too large to learn from; counts, whose logarithms are, are not."""
        counts = any(isinstance(part, CountLikelihood) for part in self.method.modules())
        return None if counts or not isinstance(batch, Batch) else large_inputs(batch)

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
            advice = f"In that step's batch {large}: {_SCALE}."
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

    def _batch(self, index: int, number: int) -> Any:
        """The batch of a number; loaders that draw from torch's generators are made to repeat."""
        drawn, self._drawn = self._drawn, None
        if drawn is not None and drawn[0] == number:
            return drawn[1]
        self._seed(index, number, "batch")
        return self.loader(number)

    def _check_batch(self) -> None:
        """Refuses batches that are not what the method learns from, before anything is written."""
        here = self.state.position
        over = here.step == self.moves[here.stage]
        batch = self._batch(here.index + over, here.done)
        expected = self.method.supervision
        if not isinstance(batch, expected):
            raise TypeError(
                f"{type(self.method).__name__} learns from {expected.__name__}, but the batches "
                f"are {type(batch).__name__}: give fit a sampler or loader of {expected.__name__}, "
                f"or choose a method that learns from {type(batch).__name__}"
            )
        self.method.check_batch(batch)
        large = self._large(batch)
        if large is not None:
            warnings.warn(f"{large}: {_SCALE}", stacklevel=4)
        self._drawn = here.done, batch

    def _check_optimizers(self) -> None:
        """Refuses another optimizer's state, before anything is written."""
        here = self.state.position
        if self._found is not None:
            self._found.check(optimizers_of(self.method, self.stages[here.index]))

    def _check_start(self) -> bool:
        """Whether all moves have been made.

        Raises:
            ValueError: if the run in the folder has other stages or has made more moves.
        """
        here, names = self.state.position, list(self.moves)
        if here.index >= len(names) or names[here.index] != here.stage:
            raise ValueError(
                f"the run in {self.folder.path} is in stage {here.stage!r}, which is not stage "
                f"{here.index + 1} of {names}: the method has changed; choose another folder"
            )
        made = here.done - here.step
        asked = sum(self.moves[name] for name in names[: here.index])
        if made != asked or here.step > self.moves[here.stage]:
            raise ValueError(
                f"the run in {self.folder.path} has made {here.step} moves of stage {here.stage!r} "
                f"and {made} before it, but steps asks for {self.moves[here.stage]} and {asked}: "
                "ask for at least as many in its latest stage and for as many in earlier ones, or "
                "choose another folder"
            )
        return here.index == len(names) - 1 and here.step == self.moves[here.stage]

    def _count(self, batch: Any) -> int:
        """The examples of a batch and of the other processes' batches."""
        own = len(batch) * self.replicas.count if hasattr(batch, "__len__") else 0
        return own or self.batch_size

    def _advance(self, stage: str, index: int, step: int, before: int) -> None:
        seconds = time.monotonic() - self._began
        self.state.position = Position(stage, index, step, before + step, seconds)

    def _seed(self, *place: Any) -> None:
        """Seeds torch's generators for one purpose at one place of the training."""
        words = repr((self.seed, *place, self.replicas.rank)).encode()
        value = int.from_bytes(blake2b(words, digest_size=8).digest(), "little") >> 1
        torch.default_generator.manual_seed(value)
        if self.device.type != "cpu":
            torch.get_device_module(self.device).manual_seed(value)

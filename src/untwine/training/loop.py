"""The training loop: every step is a function of (seed, stage, step, process)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import Any

import torch

from ..encoding import placement
from ..methods.method import Context, Loss, Method, Moves, Stage, play
from .averaging import Averaging
from .beginning import check_batch, check_start
from .callbacks import State, call
from .checkpoint import Position
from .course import Course
from .ending import Ending
from .failures import Failures
from .finite import Watch, non_finite_parameter
from .held_out import PREFIX, HeldOutTerms, Validation
from .interrupt import Interruption
from .progress import Progress
from .rates import Rates, Steering
from .record import merged, numbers
from .replicas import Replicas
from .run_folder import RunFolder
from .seeding import step_seed
from .skips import SkipWatch
from .stages import Batches, optimizers_of

__all__ = ["Loop"]


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
        steering: Schedules, warm-up and clipping.
        averaging: How weights are averaged, if they are.
        validation: What is held out, if anything.
        held_out: Its terms.
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
        steering: Steering,
        averaging: Averaging | None = None,
        validation: Validation | None = None,
        held_out: HeldOutTerms | None = None,
    ) -> None:
        self.method, self.stages, self.moves = method, stages, moves
        self.loader, self.seed, self.batch_size = loader, seed, batch_size
        self.replicas, self.folder, self.progress = replicas, folder, progress
        self.callbacks, self.loggers = callbacks, loggers
        self.log_every, self.checkpoint_every = log_every, checkpoint_every
        self.device = replicas.fabric.device
        self.steering, self.averaging = steering, averaging
        self.validation, self.held_out = validation, held_out
        self._found = folder.found
        self.course = Course.read(self._found.course) if self._found else Course()
        start = self._found.position if self._found else Position(stages[0].name, 0, 0, 0)
        self.state = State(method, loader, replicas.fabric, start, moves, out=folder.path)
        self._drawn: tuple[int, Any] | None = None
        self._fits = False  # whether a step has succeeded, so that shapes and types fit
        self._began = time.monotonic() - start.seconds
        self._examples, self._since = 0, time.monotonic()
        self._shown: dict[str, float] = {}
        self._skips = SkipWatch()
        self._ending = Ending(self.state, folder, self.course, averaging, validation, self._found)
        self._failures = Failures(self.state, replicas, folder, self._batch)

    def run(self) -> int:
        """Makes the moves; returns how many there are now, of all stages."""
        finished = check_start(self.state, self.moves, self.course, self._exhausted)
        with ExitStack() as stack:
            cuda = [self.device] if self.device.type == "cuda" else []
            stack.enter_context(torch.random.fork_rng(devices=cuda))
            stack.callback(self.method.eval)
            if not finished:
                check_batch(self.method, self._first_batch())
                self._check_optimizers()
            self.replicas.fabric.barrier()  # all have read the folder before one writes to it
            stack.callback(self.folder.close)
            order = {stage.name: place for place, stage in enumerate(self.stages)}
            self.folder.begin(order, finished)
            if self._found is not None and finished:
                self._found.load(self.method)
                self._ending.begin(self.state.position.index, self.state.position.step)
                self._ending.settle(self.state.position.index)
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
                if self.state.stopping is not None:
                    break
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
        if self.validation is not None and resumed and first < self.moves[stage.name]:
            self.course.continued(index, self.validation.every)
        held_out_values = self.course.values.get(index, [])
        self._rates = Rates(self.steering, optimizers, first, held_out_values)
        if resumed and self._found is not None:
            self._found.load(self.method, optimizers)
            self.replicas.share(self.method)
        self.state.optimizers = optimizers
        self._ending.begin(index, first)
        self._shown = {}
        alone_on_cpu = self.device.type == "cpu" and self.replicas.count == 1
        self._watch = Watch(alone_on_cpu, self.replicas.minimum)
        self._advance(stage.name, index, first, before)
        self.progress.stage(self.state.position)
        if not resumed:
            self._checkpoint()
        ctx = Context(torch.tensor(first, device=self.device), self.loader.size)
        if self.held_out is not None:
            self._seed(index, "validation", 0)
            self.held_out.check(stage, ctx)
        ended = self._exhausted(index)
        for step in range(first, first if ended else self.moves[stage.name]):
            batch = self._batch(index, before + step)
            self._rates.before(step)
            losses = self._step(stage.due(step), index, before + step, batch, ctx)
            self._rates.after()
            self._ending.step()
            self._advance(stage.name, index, step + 1, before)
            if self._after(stage, losses, batch, ctx):
                break
        self._ending.settle(index)

    def _exhausted(self, index: int) -> bool:
        """Whether a stage ends because held-out values do not fall any more."""
        patience = None if self.validation is None else self.validation.patience
        return patience is not None and self.course.since_best(index) >= patience

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
                        self._failures.stop(*bad)
                    losses = merged(losses, player, loss)
        except ValueError as error:  # torch's distributions refuse parameters that are not finite
            self._failures.refused(error, batch)
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

    def _after(self, stage: Stage, losses: Mapping[str, Loss], batch: Any, ctx: Context) -> bool:
        """What is written down after a step; returns whether the stage ends with it."""
        position = self.state.position
        self._examples += self._count(batch)
        last = position.step == self.moves[position.stage]
        interrupted = self.interruption.signal is not None
        held_out, improved = self._validate(stage, ctx, last)
        if position.step == 1 or position.step % self.log_every == 0 or last or held_out:
            self._check()
            self._log(losses, held_out)
        self.progress.step(position, self._count(batch))
        call(self.callbacks, "on_step", self.state, losses)
        if held_out:
            call(self.callbacks, "on_validation", self.state, held_out)
        ended = self._ends(position, last)
        if position.step % self.checkpoint_every == 0 or last or ended or interrupted or improved:
            self._checkpoint()
        if interrupted:
            where = f"stopped after step {position.step} of stage {position.stage!r}"
            again = f"the same command again continues from {self.folder.path}"
            quietly = self.interruption.name == "SIGINT"  # the error says it
            self.progress.say(f"{self.interruption.name}: {where}; {again}", always=not quietly)
            self.interruption.stop(f"{where}; saved in {self.folder.path}")
        return ended

    def _validate(self, stage: Stage, ctx: Context, last: bool) -> tuple[dict[str, float], bool]:
        """Held-out terms, where it is time to look, and whether their weights are to be kept."""
        position = self.state.position
        if self.validation is None or self.held_out is None:
            return {}, False
        if position.step % self.validation.every and not last:
            return {}, False
        with self._ending.put():
            terms = self.held_out.terms(
                stage, ctx, lambda number: self._seed(position.index, "validation", number)
            )
            value = self.held_out.monitored(terms)
            improved = self.course.add(position.index, position.step, value)
            if improved and self.validation.best:
                self._ending.improved()
        if position.step % self.validation.every == 0:
            self._rates.tell(value)
        return terms, improved and self.validation.best

    def _ends(self, position: Position, last: bool) -> bool:
        """Whether a stage ends before its last step; notes it."""
        if self.replicas.count > 1 and self.callbacks:
            asked = torch.tensor(float(self.state.stopping is None), device=self.device)
            if self.replicas.minimum(asked).item() == 0 and self.state.stopping is None:
                self.state.stop()
        reason = self.state.stopping
        if reason is None and not last and self._exhausted(position.index):
            best = self.course.best(position.index)
            reason = f"held-out values have not fallen since step {best}"
        if reason is None:
            return False
        asked_steps = self.moves[position.stage]
        if self.state.stopping is not None or position.index == len(self.stages) - 1:
            self.course.stop = (asked_steps, f"step {position.step:,} of {asked_steps:,}: {reason}")
        else:
            self.course.ended[position.stage] = position.step
        where = f"step {position.step:,} of {asked_steps:,}"
        self.progress.say(f"{position.stage} ends at {where}: {reason}")
        return True

    def _log(self, losses: Mapping[str, Loss], held_out: Mapping[str, float]) -> None:
        position, now = self.state.position, time.monotonic()
        values = numbers(losses, self.replicas.average)
        self._skips.see(values)
        speed = self._examples / max(now - self._since, 1e-9)
        self._examples, self._since = 0, now
        values |= self._rates.row()
        finite = {n: v if math.isfinite(v) else None for n, v in held_out.items()}
        self.folder.record.write(
            {
                "step": position.step,
                "stage": position.stage,
                "seconds": round(position.seconds, 3),
                "images/s": round(speed, 1),
                **values,
                **{PREFIX + name: value for name, value in finite.items()},
            }
        )
        values |= {PREFIX + name: value for name, value in held_out.items()}
        self._shown |= values
        self.progress.terms(self._shown)
        for logger in self.loggers:
            logger.log_metrics({**values, "images/s": speed}, step=position.done)

    def _checkpoint(self) -> None:
        """Writes one, if everything is finite."""
        self._check()
        bad = non_finite_parameter(self.method, self.method.players())
        if bad is not None:
            self._failures.stop(bad[0], bad[1], self.state.position.step, parameter=True)
        if self.folder.path is not None:
            position, best = self.state.position, set[int]()
            if self.validation is not None and self.validation.best:
                best = self.course.wanted(position.index, self.validation.every)
            self.folder.checkpoint(
                position,
                self.method,
                self.state.optimizers,
                course=self.course.written(),
                average=self._ending.average,
                also={f"{position.stage}-{step:08d}" for step in best},
            )
            call(self.callbacks, "on_checkpoint", self.state)

    def _check(self) -> None:
        bad = self._watch.check()
        if bad is not None:
            self._failures.stop(*bad)

    def _batch(self, index: int, number: int) -> Any:
        """The batch of a number; loaders that draw from torch's generators are made to repeat."""
        drawn, self._drawn = self._drawn, None
        if drawn is not None and drawn[0] == number:
            return drawn[1]
        self._seed(index, number, "batch")
        return self.loader(number)

    def _first_batch(self) -> Any:
        position = self.state.position
        over = position.step == self.moves[position.stage]
        batch = self._batch(position.index + over, position.done)
        self._drawn = position.done, batch
        return batch

    def _check_optimizers(self) -> None:
        """Refuses another optimizer's state, before anything is written."""
        position = self.state.position
        if self._found is not None:
            self._found.check(optimizers_of(self.method, self.stages[position.index]))

    def _count(self, batch: Any) -> int:
        """The examples of a batch and of the other processes' batches."""
        own = len(batch) * self.replicas.count if hasattr(batch, "__len__") else 0
        return own or self.batch_size

    def _advance(self, stage: str, index: int, step: int, before: int) -> None:
        seconds = time.monotonic() - self._began
        self.state.position = Position(stage, index, step, before + step, seconds)

    def _seed(self, *place: Any) -> None:
        """Seeds torch's generators for one purpose at one place of the training."""
        value = step_seed(self.seed, *place, self.replicas.rank)
        torch.default_generator.manual_seed(value)
        if self.device.type != "cpu":
            torch.get_device_module(self.device).manual_seed(value)

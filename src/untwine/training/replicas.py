"""Data-parallel training: processes with equal weights and averaged gradients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

if TYPE_CHECKING:
    from lightning.fabric import Fabric

__all__ = ["Replicas"]

_PRECISIONS = ("32-true", "bf16-mixed")


class Replicas:
    """The copies of a method that train together, one per process.

    Every process takes its slice of the global batch; gradients of the player who moves are
    averaged before it steps. No wrapper watches the modules: `torch.nn.parallel` waits for hooks
    that a gradient taken for one player's parameters never fires. Buffers (running statistics)
    are the first process's, copied from it after each step.

    Args:
        fabric: Launched here, if it takes launching and has not been.

    Raises:
        ValueError: for a precision or a strategy under which training would silently be another.
    """

    def __init__(self, fabric: Fabric) -> None:
        from lightning.fabric.strategies import DDPStrategy, SingleDeviceStrategy

        if not isinstance(fabric.strategy, DDPStrategy | SingleDeviceStrategy):
            raise ValueError(
                f"strategy is a {type(fabric.strategy).__name__}, which shards or wraps modules, "
                "and players do not allow that: use Fabric(strategy='ddp') or a single device"
            )
        self.precision = str(getattr(fabric.strategy.precision, "precision", "32-true"))
        if self.precision not in _PRECISIONS:
            raise ValueError(
                f"precision {self.precision!r} is not supported: use 'bf16-mixed', or '32-true', "
                "which trains in whatever type the method's parameters and the batches have"
            )
        if not (dist.is_available() and dist.is_initialized()):
            fabric.launch()
        self.fabric = fabric
        self.rank, self.count = fabric.global_rank, fabric.world_size
        self.mixed = self.precision == "bf16-mixed"

    def autocast(self) -> Any:
        """The context in which moves are made."""
        return self.fabric.autocast() if self.mixed else nullcontext()

    def backward(
        self, loss: Tensor, inputs: Sequence[Tensor], retain_graph: bool | None = None
    ) -> None:
        """Gradients of a loss with respect to ``inputs``, averaged over the processes."""
        if self.mixed:  # the gradient's operations have the types of the forward's already
            with torch.autocast(loss.device.type, enabled=False):
                loss.backward(inputs=inputs, retain_graph=retain_graph)
        else:
            loss.backward(inputs=inputs, retain_graph=retain_graph)
        if self.count > 1:
            self._average([p.grad for p in inputs if p.grad is not None])

    def moved(self) -> None:
        """Called after a player's step: copies of its weights in lower precision are stale now."""
        if self.mixed:
            torch.clear_autocast_cache()

    def average(self, values: Tensor) -> Tensor:
        """The mean over the processes, in place."""
        if self.count > 1:
            dist.all_reduce(values)
            values /= self.count
        return values

    def minimum(self, values: Tensor) -> Tensor:
        """The minimum over the processes, in place."""
        if self.count > 1:
            dist.all_reduce(values, op=dist.ReduceOp.MIN)
        return values

    def first(self, value: Any) -> Any:
        """The first process's value."""
        return self.fabric.broadcast(value) if self.count > 1 else value

    def share(self, method: nn.Module) -> None:
        """Gives every process the first one's parameters and buffers."""
        if self.count > 1:
            self._share(list(method.state_dict().values()))

    def share_buffers(self, method: nn.Module) -> None:
        """Gives every process the first one's buffers."""
        if self.count > 1:
            self._share([buffer.detach() for buffer in method.buffers()])

    @torch.no_grad()
    def _share(self, values: list[Tensor]) -> None:
        for group, flat in _end_to_end(values):
            dist.broadcast(flat, 0)
            _copy(flat, group)

    @torch.no_grad()
    def _average(self, gradients: list[Tensor]) -> None:
        for group, flat in _end_to_end(gradients):
            _copy(self.average(flat), group)


def _end_to_end(values: Sequence[Tensor]) -> Iterator[tuple[list[Tensor], Tensor]]:
    """Tensors of each type, and all of them in one vector, so that one message will do."""
    by_type: dict[torch.dtype, list[Tensor]] = defaultdict(list)
    for value in values:
        by_type[value.dtype].append(value)
    for group in by_type.values():
        yield group, torch.cat([value.reshape(-1) for value in group])


def _copy(flat: Tensor, group: Sequence[Tensor]) -> None:
    parts = flat.split([value.numel() for value in group])
    for value, part in zip(group, parts, strict=True):
        value.copy_(part.view_as(value))

"""Adaptive clipping of gradients, and the skipping of steps whose gradient explodes."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..checks import check_scale
from .method import MakeOptimizer

__all__ = ["GradientGuard"]

_FIRST = 20  # steps before any is skipped for its length
_LARGEST = 1.0  # change of the logarithm that one step can suggest
_PAST = 0.99


class GradientGuard(nn.Module):
    r"""Compares each gradient with those before: long ones are shortened, exploding ones skipped.

    .. math::
        \log m_{t+1} = \log m_t + \alpha_t \, \mathrm{clip}(\log \|g_t\| - \log m_t, -1, 1),
        \qquad \alpha_t = \max(1 / (t + 1), \alpha)

    is the usual norm. A gradient longer than ``clip`` times :math:`m_t` is scaled down to that; of
    one longer than ``skip`` times :math:`m_t`, or not finite, the step is not made: parameters
    and the optimizer's state stay as they are. The usual norm moves on steps that are skipped,
    too, so that no threshold is left behind: were all norms multiplied by :math:`r` from one step
    on, at most about :math:`\log(r / \mathrm{skip}) / \alpha` steps would be skipped. (With a fixed
    threshold, norms that settle above it skip every step from then on.) One outlier moves it by at
    most :math:`\alpha`, whatever its length.

    Nothing waits for a value, so that steps can be captured; all that it remembers is in buffers,
    and so in checkpoints.

    Args:
        clip: How many times the usual norm a gradient may be; ``None`` for any.
        skip: How many times the usual norm explodes; ``None`` to skip what is not finite alone.
        rate: :math:`\alpha`.

    Raises:
        ValueError: for numbers that are not positive, and a ``skip`` below ``clip``.

    References:
        Child, "Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images",
        2021, https://arxiv.org/abs/2011.10650, which skips steps by a fixed threshold.

    Deviations:
        The threshold follows the norms, by the rule above, which is this library's own.

    Example:
        >>> guard, w = GradientGuard(skip=10.0), nn.Parameter(torch.ones(2))
        >>> optimizer = guard.guarded(torch.optim.SGD)([w])
        >>> for norm in [1.0] * 30 + [1e6]:
        ...     w.grad = torch.tensor([norm, 0.0])
        ...     optimizer.step()
        >>> round(guard.usual.item(), 1), round(guard.skipped.item())
        (1.0, 1)
    """

    log_usual: Tensor
    steps: Tensor
    skipped: Tensor
    recent: Tensor

    def __init__(
        self, clip: float | None = 2.0, skip: float | None = 10.0, rate: float = 0.01
    ) -> None:
        super().__init__()
        for name, value in {"clip": clip, "skip": skip, "rate": rate}.items():
            if value is not None:
                check_scale(name, value)
        if clip is not None and skip is not None and skip < clip:
            raise ValueError(f"skip is {skip} and clip is {clip}; expected skip to be the larger")
        self.clip, self.skip, self.rate = clip, skip, rate
        for name in ("log_usual", "steps", "skipped", "recent"):
            self.register_buffer(name, torch.zeros(()))

    @property
    def usual(self) -> Tensor:
        """The usual norm."""
        return self.log_usual.exp()

    def guarded(self, make: MakeOptimizer) -> MakeOptimizer:
        """The same optimizer, whose steps this guards."""

        def made(parameters: Iterable[nn.Parameter]) -> Optimizer:
            optimizer = make(parameters)
            _Guarded(self, optimizer)
            return optimizer

        return made

    @torch.no_grad()
    def judge(self, gradients: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Whether to skip a step, and by what to multiply its gradients; remembers their norm."""
        norms = torch.stack([n.to(self.log_usual.dtype) for n in torch._foreach_norm(gradients)])
        norm = torch.linalg.vector_norm(norms).to(self.log_usual.device)
        usual = self.usual
        bad = ~torch.isfinite(norm)
        if self.skip is not None:
            bad = bad | ((norm > self.skip * usual) & (self.steps >= _FIRST))
        factor = torch.ones_like(norm)
        if self.clip is not None:
            limit = torch.where(self.steps > 0, self.clip * usual, norm)
            factor = (limit / norm.clamp(min=1e-30)).clamp(max=1.0)
        seen = torch.nan_to_num(norm, nan=torch.inf, posinf=torch.inf).clamp(1e-30, 1e30).log()
        change = torch.where(
            self.steps > 0, (seen - self.log_usual).clamp(-_LARGEST, _LARGEST), seen
        )
        change = torch.where(torch.isfinite(norm) | (self.steps > 0), change, 0.0)
        self.log_usual += change * (1 / (self.steps + 1)).clamp(min=self.rate)
        self.steps += 1
        self.skipped += bad
        self.recent += (1 - _PAST) * (bad.to(self.recent.dtype) - self.recent)
        return bad, factor


class _Guarded:
    """The hooks around an optimizer's steps."""

    def __init__(self, guard: GradientGuard, optimizer: Optimizer) -> None:
        self.guard = guard
        self._before: list[tuple[Tensor, Tensor]] = []
        self._bad: Tensor | None = None
        optimizer.register_step_pre_hook(self.before)
        optimizer.register_step_post_hook(self.after)

    @torch.no_grad()
    def before(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        moving = [p for p in parameters if p.grad is not None]
        gradients = [p.grad for p in moving if p.grad is not None]
        if not gradients:
            return
        self._bad, factor = self.guard.judge(gradients)
        if all(group.get("fused") for group in optimizer.param_groups):  # it can skip by itself
            for gradient in gradients:
                gradient.mul_(factor.to(gradient.device, gradient.dtype))
            optimizer.found_inf = self._bad.to(torch.float32)  # type: ignore[attr-defined]
            return
        for gradient in gradients:
            scaled = gradient * factor.to(gradient.device, gradient.dtype)
            gradient.copy_(torch.where(self._bad.to(gradient.device), 0.0, scaled))
        state = [
            value
            for parameter in moving
            for value in optimizer.state.get(parameter, {}).values()
            if isinstance(value, Tensor)
        ]
        self._before = [(t, t.detach().clone()) for t in [*moving, *state]]

    @torch.no_grad()
    def after(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        if self._bad is None:
            return
        optimizer.__dict__.pop("found_inf", None)
        for tensor, value in self._before:
            tensor.copy_(torch.where(self._bad.to(tensor.device), value, tensor))
        self._before, self._bad = [], None

"""KL divergence of a hierarchy, level by level, with free bits."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Distribution

from ..checks import check_scale
from ..distributions import Blocks
from ..functional import Schedule, at, kl_blocks, kl_rule
from .loss import Loss
from .method import Context
from .penalty import KL, Terms, Trace

__all__ = ["LevelKL"]


class LevelKL(KL):
    r"""The KL divergence of every level, above what each has for free.

    .. math::
        \beta \sum_l \max\big( \lambda, \,
        \overline{D_{KL}(q(z_l|z_{<l}, x) \,\|\, p(z_l|z_{<l}))} \big)

    Terms: ``kl_NAME`` for every level, and ``kl``, their sum, for the record (weight 0). With free
    bits, ``free_NAME`` is what is minimized, and ``kl_NAME`` has weight 0. Averages are over the
    batch. A level below :math:`\lambda` has no gradient of its divergence, so that it may come
    into use before the levels below it have learned to do without.

    Args:
        beta: :math:`\beta`, a number or a schedule; ``Linear(0, 1, steps)`` is warm-up.
        free_bits: :math:`\lambda`, nats of each level.

    Raises:
        ValueError: for free bits that are negative.

    References:
        Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow", 2016,
        https://arxiv.org/abs/1606.04934, appendix C.8 (free bits). Sonderby et al., "Ladder
        Variational Autoencoders", 2016, https://arxiv.org/abs/1602.02282, section 2 (warm-up).
    """

    def __init__(self, beta: float | Schedule = 1.0, free_bits: float = 0.0) -> None:
        super().__init__(beta)
        check_scale("free_bits", free_bits, zero=True)
        self.free_bits = free_bits

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """See the class."""
        q, prior = _blocks(t.q, t.prior)
        beta = at(self.beta, ctx.step)
        divergences = kl_blocks(q, prior, t.z)
        terms: dict[str, Tensor | tuple[float | Tensor, Tensor]] = {}
        for name, divergence in divergences.items():
            if self.free_bits:
                mean = divergence.mean()
                terms[f"free_{name}"] = (beta, mean.clamp(min=self.free_bits))
                terms[f"kl_{name}"] = (0.0, mean.detach())
            else:
                terms[f"kl_{name}"] = (beta, divergence)
        total = sum(v.detach() for v in divergences.values())
        assert isinstance(total, Tensor)
        return Loss(**terms, kl=(0.0, total))

    def rules(self, q: Distribution, prior: Distribution) -> dict[str, str]:
        """That of every level's divergence, given the levels above."""
        q, prior = _blocks(q, prior)
        return {f"kl_{name}": kl_rule(q[name], prior[name]) for name in q.names}


def _blocks(q: Distribution, prior: Distribution) -> tuple[Blocks, Blocks]:
    if not (isinstance(q, Blocks) and isinstance(prior, Blocks)):
        raise TypeError(
            f"posterior and prior are a {type(q).__name__} and a {type(prior).__name__}; "
            "expected levels, as of a LadderVAE"
        )
    return q, prior

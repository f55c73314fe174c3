"""SlowVAE: codes of successive observations mostly stay where they are, and sometimes jump."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checks import check_scale
from ..data.batches import Batch, Pairs
from ..distributions import diagonal_normal
from ..functional import Schedule, at, laplace_transition
from .loss import Loss
from .method import ADAM, Context, MakeOptimizer, Moves
from .model import Model
from .penalty import Penalty
from .vae import VAE

if TYPE_CHECKING:
    from ..data import Sampler

__all__ = ["SlowVAE"]


class SlowVAE(VAE):
    r"""A VAE of pairs of successive observations, whose codes change by sparse steps.

    .. math::
        \mathcal{L} = -\mathbb{E}[\log p(x_0|z_0) + \log p(x_1|z_1)]
        + \tfrac{\beta}{2} \sum_{i} D_{KL}(q(z_i|x_i) \,\|\, p(z))
        + \tfrac{\gamma}{2} \sum_{i} \mathbb{E}_{q(z_{1-i}|x_{1-i})}
        D_{KL}\big(q(z_i|x_i) \,\|\, p(z_i|z_{1-i})\big)

    with the transition prior
    :math:`p(z_i|z_{1-i}) = \prod_j \tfrac{\lambda}{2} e^{-\lambda |z_{i,j} - z_{1-i,j}|}`. The unit
    is nats per pair, as in the paper: one prior and one transition, two likelihoods. Any penalty
    takes the place of the :math:`\beta` term.

    Args:
        model: Encoder, decoder and prior, see `Model`; the posterior a diagonal Gaussian.
        gamma: :math:`\gamma`, the weight of the transition; a number or a schedule.
        rate: :math:`\lambda`, the inverse scale of the steps; larger means sparser.
        time: Name of the factor that is time: pairs are successive rows then, with all other
            factors unchanged. ``None`` takes pairs that differ in some factors.
        penalty: The regularizer; the KL divergence by default.
        optimizer: Of all parameters; called with them.

    Raises:
        ValueError: for a rate that is not positive.

    References:
        Klindt et al., "Towards Nonlinear Disentanglement in Natural Data with Temporal Sparse
        Coding", 2021, https://arxiv.org/abs/2007.10930, section 4: the transition prior and the
        evidence lower bound.

    Deviations:
        Prior and transition are averaged over both directions of time, and the expectation over
        the other code is exact. The authors' code sums the cross entropies H(q, p) of both
        directions and subtracts one entropy, :math:`H_0 + H_1 - H(q)`, where ours is
        :math:`(H_0 + H_1) / 2 - H(q)`: at the same gamma its cross entropies weigh twice as much.
        It puts the mean in the place of the other code. Its values (beta 1, gamma 10, rate 6) are
        the defaults.
    """

    supervision = Pairs

    def __init__(
        self,
        model: Model,
        *,
        gamma: float | Schedule = 10.0,
        rate: float = 6.0,
        time: str | None = None,
        penalty: Penalty | None = None,
        optimizer: MakeOptimizer = ADAM,
    ) -> None:
        super().__init__(model, penalty=penalty, optimizer=optimizer)
        check_scale("rate", rate)
        self.gamma, self.rate, self.time = gamma, rate, time

    def sampler(self) -> Sampler | None:
        """Successive rows, where a factor is time."""
        from ..data import SuccessivePairsSampler

        return None if self.time is None else SuccessivePairsSampler(self.time)

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """One turn: likelihoods, penalty, and transitions both ways."""
        batch = Pairs.check(batch)
        t = self.trace(batch)
        n = len(batch.x0)
        loc, scale = t.q.mean, t.q.stddev
        one, two = diagonal_normal(loc[:n], scale[:n]), diagonal_normal(loc[n:], scale[n:])
        steps = laplace_transition(one, two, self.rate) + laplace_transition(two, one, self.rate)
        loss = Loss(nll=(2.0, -t.p.log_prob(t.x)), transition=(at(self.gamma, ctx.step), steps / 2))
        yield {"vae": loss + self.penalty(t, ctx)}

"""Discrepancy of codes between the groups of a covariate, as a penalty."""

from __future__ import annotations

from collections.abc import Sequence

from ..functional import Kernel, Schedule, at, group_mmd
from .loss import Loss
from .method import Context
from .penalty import Penalty, Terms, Trace

__all__ = ["GroupMMD"]


class GroupMMD(Penalty):
    r"""Maximum mean discrepancy of the codes of each group from those of all others.

    .. math::
        w \sum_g \mathrm{MMD}^2\big(q(z | g), q(z | \neg g)\big)

    The groups are the batch's covariates, one-hot, which encoder and decoder are told as well: with
    the KL divergence beside it this is the variational fair autoencoder without labels. A decoder
    that is told the group does not need it in the code; the penalty takes out what stays there.
    See `functional.group_mmd`.

    Args:
        weight: w; a number or a schedule.
        columns: Which covariates are the groups' indicators; by default all.
        kernel: `functional.RBF` with the dimension for its bandwidth by default.

    Raises:
        ValueError: in training, for data without covariates.

    References:
        Louizos, Swersky, Li, Welling, Zemel, "The Variational Fair Autoencoder", 2016,
        https://arxiv.org/abs/1511.00830, section 2.3 (equation 8).

    Deviations:
        Exact kernels and the unbiased estimate instead of random features; no second latent for
        labels.
    """

    def __init__(
        self,
        weight: float | Schedule = 1.0,
        columns: Sequence[int] | None = None,
        kernel: Kernel | None = None,
    ) -> None:
        self.weight, self.columns, self.kernel = weight, columns, kernel

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """One term, ``group_mmd``."""
        c = t.condition.get("c")
        if c is None:
            raise ValueError(
                "the batch has no covariates; expected one-hot groups: give the data "
                "covariates=, which encoder and decoder are told"
            )
        groups = c if self.columns is None else c[:, list(self.columns)]
        value = group_mmd(t.z, groups, self.kernel)
        return Loss(group_mmd=(at(self.weight, ctx.step), value))

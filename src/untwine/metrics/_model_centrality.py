r"""ModelCentrality: the run that agrees best with all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._estimators.arrays import same_observations
from ._estimators.interventions import Interventions
from ._estimators.protocols import choose
from ._estimators.votes import vote
from ._factor_vae_score import PROTOCOLS
from .ranges import one_of
from .registry import metric
from .score import Score

__all__ = ["model_centrality"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("agreement",),
    paper="Lin et al. 2020",
    link="https://arxiv.org/abs/1906.06034",
    ranges={"protocol": one_of(*PROTOCOLS)},
)
def model_centrality(
    runs: Sequence[Any],
    *,
    bins: int = 10,
    protocol: str = "infogan_cr",
    votes: int | None = None,
    test_votes: int | None = None,
    batch: int | None = None,
    threshold: float | None = 0.05,
    seed: int = 0,
) -> Score:
    r"""How well each of several runs stands for all of them, by cross-wise FactorVAE scores.

    :math:`A_{ij}` is the FactorVAE score of run :math:`j`'s codes when run :math:`i`'s codes are
    taken for the true factors; with :math:`B = (A + A^\top) / 2`, a run's centrality is

    .. math::
        s_i = \frac{1}{R - 1} \sum_{j \ne i} B_{ij}

    and the medoid, the run to choose, has the greatest. The value is the medoid's centrality.
    Range: 0 to 1. No factors are needed: it assumes that most runs are near a good one.

    Args:
        runs: Each run's codes of the **same** observations in the same order.
        bins: A run's codes are held, as factors, in this many bins of equal probability.
        protocol: Settings of the FactorVAE score, see `factor_vae_score`; by default
            ``"infogan_cr"``, 500 votes of 100, judged on themselves.
        votes: In place of the protocol's.
        test_votes: In place of the protocol's.
        batch: In place of the protocol's.
        threshold: Smallest standard deviation of a dimension that votes or is held; ``None`` for
            the protocol's.
        seed: Of the draws.

    Shape:
        - runs: R arrays ``(N, D_r)``
        - ``parts["per_run"]``: ``(R,)``; ``parts["pairs"]``: ``(R, R)``, :math:`A`, row: the run
          taken for the truth, nan on the diagonal.

    Raises:
        ValueError: for fewer than two runs, runs of different lengths, or a run without an active
            dimension.

    References:
        InfoGAN-CR and ModelCentrality: Self-supervised Model Training and Selection for
        Disentangling GANs, Lin et al., 2020, https://arxiv.org/abs/1906.06034, section 5.

    Deviations:
        The paper renders new images from run :math:`i` with one latent held. On codes alone, a
        latent is held by taking rows whose code lies in the same bin. Dimensions below the
        threshold are dropped, without which constant ones win every vote.

    Example:
        >>> z = np.random.default_rng(0).standard_normal((1000, 2))
        >>> rotated = z @ np.array([[1.0, 1.0], [-1.0, 1.0]])
        >>> int(model_centrality([z, -z[:, ::-1], rotated, z * 3]).parts["per_run"].argmin())
        2
    """
    codes = same_observations(runs, "model_centrality")
    settings = choose(
        PROTOCOLS,
        protocol,
        {"votes": votes, "test_votes": test_votes, "batch": batch, "threshold": threshold},
    )
    rng = np.random.default_rng(seed)
    worlds = []
    for i, z in enumerate(codes):
        active = (z.std(axis=0, ddof=1) >= settings["threshold"]) & (np.ptp(z, axis=0) > 0)
        if not active.any():
            raise ValueError(
                f"runs[{i}] has no dimension of standard deviation {settings['threshold']} or "
                "more: a collapsed run cannot be compared; leave it out, or lower threshold"
            )
        truth = np.stack([equal_probability(column, bins) for column in z[:, active].T], axis=1)
        worlds.append(Interventions(truth, metric="model_centrality"))
    count = len(codes)
    pairs = np.full((count, count), np.nan)
    for i, world in enumerate(worlds):
        for j in range(count):
            if i != j:
                outcome = vote(
                    codes[j],
                    [[d] for d in range(codes[j].shape[1])],
                    len(world.groups),
                    world.hold,
                    np.argmin,
                    rng=rng,
                    metric="model_centrality",
                    **settings,
                )
                pairs[i, j] = outcome.train if outcome.test is None else outcome.test
    per_run = np.nanmean((pairs + pairs.T) / 2, axis=1)
    return Score(
        per_run.max(),
        {"per_run": per_run, "best": int(per_run.argmax()), "pairs": pairs},
        {
            "protocol": protocol,
            **settings,
            "bins": bins,
            "points": len(codes[0]),
            "runs": count,
            "seed": seed,
        },
        "model_centrality",
    )


def equal_probability(values: np.ndarray, bins: int) -> np.ndarray:
    """Values in bins that hold about as many of them each; few distinct values as they are."""
    distinct, where = np.unique(values, return_inverse=True)
    if len(distinct) <= bins:
        return where
    edges = np.quantile(values, np.arange(1, bins) / bins)
    return np.searchsorted(np.unique(edges), values, side="right")

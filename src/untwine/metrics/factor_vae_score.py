r"""The FactorVAE score: which dimension varies least while a factor is held?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import check
from .heldout import Blocks, reduced, stated_blocks
from .interventions import Interventions, chunks
from .score import Score

__all__ = ["PROTOCOLS", "Votes", "factor_vae_score"]

#: Settings of the named protocols.
PROTOCOLS: dict[str, dict[str, Any]] = {
    "locatello2019": {
        "votes": 10_000,
        "test_votes": 5_000,
        "batch": 64,
        "threshold": 0.05,
        "variance_rows": 10_000,
    },
    "kim2018": {
        "votes": 800,
        "test_votes": 800,
        "batch": 200,
        "threshold": 0.05,
        "variance_rows": None,
    },
    "infogan_cr": {
        "votes": 500,
        "test_votes": 0,
        "batch": 100,
        "threshold": 0.0,
        "variance_rows": None,
    },
    "disent": {
        "votes": 10_000,
        "test_votes": 5_000,
        "batch": 64,
        "threshold": 0.0,
        "variance_rows": 10_000,
    },
}


def factor_vae_score(
    codes: Any,
    factors: Any,
    *,
    protocol: str = "locatello2019",
    votes: int | None = None,
    test_votes: int | None = None,
    batch: int | None = None,
    threshold: float | None = None,
    bins: int | None = None,
    rescale: bool = False,
    blocks: Blocks | None = None,
    seed: int = 0,
) -> Score:
    r"""How surely the least varying code dimension tells which factor is held fixed.

    A vote holds a random factor :math:`k` at a value, draws a batch of rows with it, and names the
    dimension whose variance, relative to its variance over all rows, is least:

    .. math::
        d^\ast = \arg\min_d \widehat{\mathrm{Var}}_\text{batch}[z_d] \,/\,
        \widehat{\mathrm{Var}}[z_d] .

    Each dimension predicts the factor that most of its votes were cast for; the score is the
    accuracy of that map on new votes. Dimensions whose standard deviation over all rows is below
    the threshold are dropped first; if all are, the score is 0. Range: :math:`1/K` (chance) to 1,
    or 0 to 1 if rescaled. It asks for modularity: a dimension may not answer to two factors. It
    does not ask for compactness, and on dSprites' factors it does not notice a rotation.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors, or continuous ones with ``bins``; -1 or nan where unknown.
        protocol: ``"locatello2019"`` (10,000 votes of 64 to learn the map, 5,000 to judge it,
            threshold 0.05, variances of 10,000 rows), ``"kim2018"`` (800 and 800 votes of 200),
            ``"infogan_cr"`` (500 votes of 100, judged on themselves, nothing dropped) or
            ``"disent"`` (as the first, nothing dropped: constant dimensions win every vote).
        votes: Votes that the map is learned from, in place of the protocol's.
        test_votes: Votes that it is judged on; 0 judges it on those it was learned from.
        batch: Rows per vote.
        threshold: Smallest standard deviation of a dimension that takes part.
        bins: Hold factors in bins of equal width instead of at exact values.
        rescale: Whether to map chance, :math:`1/K`, to 0.
        blocks: Columns of vector-valued codes; each is reduced to its first principal component.
        seed: Of the draws.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - ``parts["votes"]``: ``(D, K)``, the votes of the dimensions for the factors.

    Raises:
        ValueError: for an unknown protocol, fewer than two votes' rows, or factors that cannot be
            held.

    References:
        Disentangling by Factorising, Kim and Mnih, 2018, https://arxiv.org/abs/1802.05983,
        section 4. Challenging Common Assumptions in the Unsupervised Learning of Disentangled
        Representations, Locatello et al., 2019, https://arxiv.org/abs/1811.12359 (settings).

    Deviations:
        Batches are drawn from the given rows, with replacement, not rendered anew. The ratio of a
        constant dimension, 0/0, counts as 0.

    Example:
        >>> factors = np.stack(np.meshgrid(range(4), range(5)), -1).reshape(-1, 2)
        >>> float(factor_vae_score(factors * 1.0, factors, votes=200, test_votes=100))
        1.0
    """
    settings = choose(
        PROTOCOLS,
        protocol,
        {"votes": votes, "test_votes": test_votes, "batch": batch, "threshold": threshold},
    )
    _, factors = check(codes, factors, unknown=True)
    world = Interventions(factors, metric="factor_vae_score", bins=bins)
    score = vote(
        reduced(codes, blocks),
        factors.shape[1],
        world.hold,
        np.argmin,
        rng=np.random.default_rng(seed),
        **settings,
    )
    return score.describe(
        "factor_vae_score",
        rescale,
        {"protocol": protocol, **settings, "bins": bins, "seed": seed},
        left_out=world.left_out,
        blocks=blocks,
    )


@dataclass(frozen=True)
class Votes:
    """The outcome of a vote.

    Attributes:
        train: Accuracy of the map on the votes that it was learned from.
        test: Accuracy on new votes; ``None`` where there were none.
        counts: Votes of each dimension for each factor, ``(D, K)``.
        active: Which dimensions took part, ``(D,)``.
    """

    train: float
    test: float | None
    counts: np.ndarray
    active: np.ndarray

    def describe(
        self,
        name: str,
        rescale: bool,
        protocol: dict[str, Any],
        *,
        left_out: np.ndarray,
        blocks: Blocks | None,
    ) -> Score:
        """The outcome as a score."""
        chance = 1.0 / self.counts.shape[1]
        scale = (lambda a: (a - chance) / (1.0 - chance)) if rescale else (lambda a: a)
        dead = not self.active.any()
        value = self.train if self.test is None else self.test
        parts = {
            "train_accuracy": self.train,
            "votes": self.counts,
            "predicts": np.where(self.counts.any(axis=1), self.counts.argmax(axis=1), -1),
            "active": self.active,
            "values_left_out": left_out,
        }
        if self.test is not None:
            parts["test_accuracy"] = self.test
        protocol = protocol | {"rescale": rescale}
        protocol |= stated_blocks(blocks)
        return Score(0.0 if dead else scale(value), parts, protocol, name)


def vote(
    codes: np.ndarray,
    n_factors: int,
    draw: Callable[[int, int, int, np.random.Generator], np.ndarray],
    pick: Callable[..., Any],
    *,
    votes: int,
    test_votes: int,
    batch: int,
    threshold: float,
    variance_rows: int | None,
    rng: np.random.Generator,
) -> Votes:
    """Learns the majority map on ``votes`` batches and judges it on ``test_votes`` new ones.

    Args:
        codes: ``(N, D)``.
        n_factors: K.
        draw: ``draw(k, batches, size, rng)`` gives rows ``(batches, size)`` for factor ``k``.
        pick: `numpy.argmin` or `numpy.argmax`, of the relative variances.
        votes: Votes to learn from.
        test_votes: Votes to judge on.
        batch: Rows per vote.
        threshold: Smallest standard deviation of a dimension that takes part.
        variance_rows: Rows that the variances over all rows are estimated from; all if ``None``.
        rng: The source of randomness.
    """
    if n_factors < 2:
        raise ValueError("votes tell factors apart: factors has 1 column, expected 2 or more")
    if votes < 1 or test_votes < 0 or batch < 2:
        raise ValueError(
            f"votes={votes}, test_votes={test_votes}, batch={batch}; expected at least 1 vote, "
            "0 test votes, and 2 rows per batch, without which there is no variance"
        )
    # Relative to a row, a constant dimension is exactly zero and so is its variance.
    codes = np.subtract(codes, codes[0], dtype=np.float64)
    some = codes
    if variance_rows is not None and variance_rows < len(codes):
        some = codes[rng.choice(len(codes), variance_rows, replace=False)]
    variance = some.var(axis=0, ddof=1)
    active = np.sqrt(variance) >= threshold
    counts = np.zeros((codes.shape[1], n_factors), dtype=np.int64)
    if not active.any():
        return Votes(0.0, 0.0 if test_votes else None, counts, active)
    safe = np.where(variance[active] > 0, variance[active], 1.0)
    world = np.ascontiguousarray(codes[:, active] / np.sqrt(safe))

    def cast(total: int) -> np.ndarray:
        result = np.zeros((world.shape[1], n_factors), dtype=np.int64)
        for k, number in enumerate(np.bincount(rng.integers(n_factors, size=total))):
            for part in chunks(int(number), batch):
                drawn = world[draw(k, part, batch, rng)]
                drawn -= drawn[:, :1].copy()  # exact zeros where nothing varies
                local = np.einsum("bld,bld->bd", drawn, drawn) - drawn.sum(axis=1) ** 2 / batch
                result[:, k] += np.bincount(pick(local, axis=1), minlength=world.shape[1])
        return result

    learned = cast(votes)
    majority = learned.argmax(axis=1)
    dims = np.arange(world.shape[1])
    test = None
    if test_votes:
        fresh = cast(test_votes)
        test = float(fresh[dims, majority].sum() / test_votes)
    counts[active] = learned
    return Votes(float(learned[dims, majority].sum() / votes), test, counts, active)


def choose(
    protocols: dict[str, dict[str, Any]], name: str, changes: dict[str, Any]
) -> dict[str, Any]:
    """A named protocol's settings, with those changes that are not ``None``."""
    if name not in protocols:
        raise ValueError(f"protocol is {name!r}; expected one of {', '.join(map(repr, protocols))}")
    return protocols[name] | {k: v for k, v in changes.items() if v is not None}

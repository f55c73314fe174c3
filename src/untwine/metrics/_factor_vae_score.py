r"""The FactorVAE score: votes of the dimension that varies least while a factor is held."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.arrays import as_codes, check, stated_unknown
from ._estimators.interventions import Interventions
from ._estimators.kinds import FactorKinds
from ._estimators.protocols import choose
from ._estimators.splits import Columns, in_blocks, stated_blocks
from ._estimators.votes import vote
from .ranges import one_of
from .registry import metric
from .score import Score

__all__ = ["PROTOCOLS", "factor_vae_score"]

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


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("modularity",),
    paper="Kim and Mnih 2018",
    link="https://arxiv.org/abs/1802.05983",
    rows="table",
    repeats=10,
    groups=("classic", "default"),
    ranges={"protocol": one_of(*PROTOCOLS)},
)
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
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
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
        blocks: Columns of vector-valued codes; their variance is the sum over columns.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
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
    _, factors = check(codes, factors, unknown=unknown)
    world = Interventions(factors, metric="factor_vae_score", bins=bins, kinds=kinds)
    score = vote(
        *in_blocks(as_codes(codes), blocks, components),
        factors.shape[1],
        world.hold,
        np.argmin,
        rng=np.random.default_rng(seed),
        metric="factor_vae_score",
        **settings,
    )
    return score.describe(
        "factor_vae_score",
        rescale,
        {
            "protocol": protocol,
            **settings,
            "bins": bins,
            "seed": seed,
            **stated_unknown(factors),
            **stated_blocks(blocks, components),
        },
        left_out=world.left_out,
    )

r"""The R-FactorVAE score (z-max-var): votes of the dimension that varies most."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.arrays import as_codes, check, stated_unknown
from ._estimators.interventions import Interventions
from ._estimators.kinds import FactorKinds
from ._estimators.splits import Columns, in_blocks, stated_blocks
from ._estimators.votes import vote
from .registry import metric
from .score import Score

__all__ = ["z_max_var"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("modularity", "compactness"),
    paper="Kim et al. 2019",
    link="https://arxiv.org/abs/1902.01568",
    source="800 votes of 200",
    rows="table",
    repeats=10,
)
def z_max_var(
    codes: Any,
    factors: Any,
    *,
    votes: int = 800,
    test_votes: int = 800,
    batch: int = 200,
    threshold: float = 0.05,
    bins: int | None = None,
    rescale: bool = False,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""How surely the most varying code dimension tells which single factor varies.

    The FactorVAE score turned around. A vote chooses a factor :math:`k`, holds **all others** at
    values, draws a batch of rows with these, and names the dimension whose variance, relative to
    its variance over all rows, is greatest:

    .. math::
        d^\ast = \arg\max_d \widehat{\mathrm{Var}}_\text{batch}[z_d] \,/\,
        \widehat{\mathrm{Var}}[z_d] .

    Each dimension predicts the factor that most of its votes were cast for; the score is the
    accuracy on new votes. Range: :math:`1/K` (chance) to 1, or 0 to 1 if rescaled. It asks for
    modularity and, unlike the FactorVAE score, is not deceived by dimensions that never vary.

    It needs rows that agree in all factors but one: on a random table of a large grid there are
    few, many of them equal in that factor too, and a perfect code scores below 1. Coarser factors
    (``bins``) or more rows help.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors, or continuous ones with ``bins``; rows with an unknown factor
            (-1 or nan) vary that factor only.
        votes: Votes that the map is learned from.
        test_votes: Votes that it is judged on; 0 judges it on those it was learned from.
        batch: Rows per vote, drawn with replacement.
        threshold: Smallest standard deviation of a dimension that takes part.
        bins: Compare factors by bins of equal width instead of by exact values.
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
        ValueError: if no two rows share all factors but one.

    References:
        Relevance Factor VAE: Learning and Identifying Disentangled Factors, Kim, Wang, Sahu and
        Pavlovic, 2019, https://arxiv.org/abs/1902.01568. Measuring Disentanglement: A Review of
        Metrics, Zaidi et al., 2020, https://arxiv.org/abs/2012.09276 (the name and settings).

    Example:
        >>> factors = np.stack(np.meshgrid(range(4), range(5)), -1).reshape(-1, 2)
        >>> float(z_max_var(factors * 1.0, factors, votes=200, test_votes=100))
        1.0
    """
    _, factors = check(codes, factors, unknown=unknown)
    world = Interventions(factors, metric="z_max_var", bins=bins, kinds=kinds)
    settings: dict[str, Any] = {
        "votes": votes,
        "test_votes": test_votes,
        "batch": batch,
        "threshold": threshold,
        "variance_rows": 10_000,
    }
    outcome = vote(
        *in_blocks(as_codes(codes), blocks, components),
        factors.shape[1],
        world.vary,
        np.argmax,
        rng=np.random.default_rng(seed),
        metric="z_max_var",
        **settings,
    )
    return outcome.describe(
        "z_max_var",
        rescale,
        {
            **settings,
            "bins": bins,
            "seed": seed,
            **stated_unknown(factors),
            **stated_blocks(blocks, components),
        },
        left_out=world.left_out,
    )

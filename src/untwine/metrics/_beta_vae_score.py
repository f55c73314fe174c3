r"""The beta-VAE score: a linear classifier tells which factor a batch of pairs shares."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.arrays import as_codes, check, stated_unknown
from ._estimators.interventions import Interventions, chunks
from ._estimators.kinds import FactorKinds
from ._estimators.logistic import SOLVER, fit_logistic
from ._estimators.protocols import choose
from ._estimators.splits import Columns, in_blocks, stated_blocks
from .ranges import one_of, whole
from .registry import metric
from .score import Score

__all__ = ["PROTOCOLS", "beta_vae_score"]

#: Settings of the named protocols.
PROTOCOLS: dict[str, dict[str, Any]] = {
    "locatello2019": {"train": 10_000, "test": 5_000, "batch": 64},
    "infogan_cr": {"train": 500, "test": 0, "batch": 64},
}


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("modularity",),
    paper="Higgins et al. 2017",
    link="https://openreview.net/forum?id=Sy2fzU9gl",
    rows="table",
    repeats=10,
    groups=("classic", "default"),
    ranges={"protocol": one_of(*PROTOCOLS), "train": whole(2), "test": whole(0), "batch": whole(1)},
)
def beta_vae_score(
    codes: Any,
    factors: Any,
    *,
    protocol: str = "locatello2019",
    train: int | None = None,
    test: int | None = None,
    batch: int | None = None,
    bins: int | None = None,
    rescale: bool = False,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Accuracy of a linear classifier that sees how pairs differ and names the factor they share.

    A point draws a random factor :math:`k` and a batch of pairs of rows, each of which shares the
    value of it; its features are the mean absolute differences of the codes,

    .. math::
        x_d = \frac{1}{L} \sum_{l=1}^{L} \lvert z^{(1)}_{ld} - z^{(2)}_{ld} \rvert ,

    and a multinomial logistic regression predicts :math:`k` from them. Range: :math:`1/K` (chance)
    to 1, or 0 to 1 if rescaled. It captures that factors can be told apart along axes, by a linear
    map at that: it asks for neither modularity nor compactness, and on dSprites' factors it does
    not notice a rotation.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors, or continuous ones with ``bins``; -1 or nan where unknown.
        protocol: ``"locatello2019"`` (10,000 points to learn from, 5,000 to be judged on, batches
            of 64) or ``"infogan_cr"`` (500 points, judged on themselves).
        train: Points to learn from, in place of the protocol's.
        test: Points to be judged on; 0 judges on those it was learned from.
        batch: Pairs per point.
        bins: Share factors by bins of equal width instead of by exact values.
        rescale: Whether to map chance, :math:`1/K`, to 0.
        blocks: Columns of vector-valued codes, all of which the classifier sees.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the draws.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - ``parts["confusion"]``: ``(K, K)``, true by predicted factor, of the judged points.

    Raises:
        ValueError: for an unknown protocol, or factors that cannot be held.

    References:
        beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework, Higgins
        et al., 2017, https://openreview.net/forum?id=Sy2fzU9gl, section 3. Challenging Common
        Assumptions in the Unsupervised Learning of Disentangled Representations, Locatello et al.,
        2019, https://arxiv.org/abs/1811.12359 (settings).

    Deviations:
        Pairs are two different rows of the given ones, not rendered anew. The regression is fitted
        to convergence, where scikit-learn's stops at 100 steps.

    Example:
        >>> factors = np.stack(np.meshgrid(range(4), range(5)), -1).reshape(-1, 2)
        >>> float(beta_vae_score(factors * 1.0, factors, train=200, test=100))
        1.0
    """
    settings = choose(PROTOCOLS, protocol, {"train": train, "test": test, "batch": batch})
    train, test, batch = settings["train"], settings["test"], settings["batch"]
    _, factors = check(codes, factors, unknown=unknown)
    z = in_blocks(as_codes(codes), blocks, components)[0].astype(np.float64)
    n_factors = factors.shape[1]
    if n_factors < 2:
        raise ValueError(
            "beta_vae_score tells factors apart: factors has 1 column, expected 2 or more"
        )
    world = Interventions(factors, metric="beta_vae_score", bins=bins, kinds=kinds)
    rng = np.random.default_rng(seed)

    def points(total: int) -> tuple[np.ndarray, np.ndarray]:
        numbers = np.bincount(rng.integers(n_factors, size=total), minlength=n_factors)
        features = []
        for k, number in enumerate(numbers):
            for part in chunks(int(number), batch):
                first, second = world.pairs(k, part * batch, rng)
                difference = np.abs(z[first] - z[second])
                features.append(difference.reshape(part, batch, -1).mean(axis=1))
        return np.concatenate(features), np.repeat(np.arange(n_factors), numbers)

    x, y = points(train)
    model = fit_logistic(x, y, n_factors)
    train_accuracy = float((model.predict(x) == y).mean())
    parts: dict[str, Any] = {"train_accuracy": train_accuracy, "values_left_out": world.left_out}
    parts["chance"] = 1.0 / n_factors
    value = train_accuracy
    if test:
        x, y = points(test)
    guess = model.predict(x)
    if test:
        value = parts["test_accuracy"] = float((guess == y).mean())
    confusion = np.bincount(y * n_factors + guess, minlength=n_factors**2)
    parts["confusion"] = confusion.reshape(n_factors, n_factors)
    conditions = {
        "protocol": protocol,
        **settings,
        "predictor": SOLVER,
        "C": 1.0,
        "bins": bins,
        "rescale": rescale,
        "seed": seed,
    }
    conditions |= stated_blocks(blocks, components) | stated_unknown(factors)
    if rescale:
        value = (value - 1.0 / n_factors) / (1.0 - 1.0 / n_factors)
    return Score(value, parts, conditions, "beta_vae_score")

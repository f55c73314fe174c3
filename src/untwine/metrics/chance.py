"""Scores above chance: a metric beside its values on factors whose rows were shuffled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ._estimators.arrays import UNKNOWN, as_factors, factor_parts, sentinel
from ._estimators.sharing import sharing
from .registry import Metric, entry
from .score import Score

__all__ = ["above", "above_chance", "shuffle"]


def above_chance(
    metric: str,
    codes: Any,
    factors: Any,
    *,
    settings: Mapping[str, Any] | None = None,
    permutations: int = 20,
    seed: int = 0,
) -> Score:
    r"""A metric as the share of the way from chance to the best value.

    .. math::
        \frac{s - c}{s_{\text{best}} - c}, \qquad
        c = \frac{1}{R} \sum_r s\big( z, v_{\pi_r} \big)

    with :math:`\pi_r` permutations of the rows of the factors, all factors together, so that they
    keep their joint distribution and only lose the codes. Of pure noise it is 0 on average, of the
    best code 1; it is negative below chance. What plug-in information, the largest of many small
    shares, or an accuracy of unequal classes add of themselves is taken away: on dSprites' factors
    0.6 to 0.7 of `modularity`, 0.3 to 0.5 of `infomec`, and some hundredths of `mig`. Where a score
    of noise varies widely, as InfoM's does, the mean says little: look at the p-value, too.

    Args:
        metric: The name of any metric that takes factors and has a best value.
        codes: As the metric takes them.
        factors: Likewise.
        settings: The metric's own, such as ``{"bins": 10}``.
        permutations: R.
        seed: Of the permutations, and of the metric if it takes one.

    Returns:
        A `Score` whose parts are ``raw``, ``chance`` (the mean), ``chance_stddev``, ``p_value``
        (the share of permutations that do as well, the data counted among them), and
        ``per_factor`` where the metric has it.

    Raises:
        ValueError: for a metric without factors or a best value, and fewer than two permutations.

    References:
        Information Theoretic Measures for Clusterings Comparison, Vinh, Epps and Bailey, 2010,
        https://www.jmlr.org/papers/v11/vinh10a.html (adjustment for chance).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> factors = np.stack([rng.integers(0, n, 400) for n in (3, 6, 40)], axis=1)
        >>> noise = above_chance("modularity", rng.normal(size=(400, 4)), factors)
        >>> noise.parts["raw"] > 0.5, abs(noise.value) < 0.3
        (True, True)
        >>> grid = np.stack(np.meshgrid(range(3), range(6)), -1).reshape(-1, 2)
        >>> float(above_chance("mig", grid, grid))
        1.0
    """
    metadata = entry(metric)
    if permutations < 2:
        raise ValueError(f"permutations is {permutations}; expected at least 2")
    if "factors" not in metadata.needs:
        raise ValueError(f"{metric} takes no factors: there is nothing to shuffle")
    if best(metadata) is None:
        raise ValueError(f"{metric} has no best value: its distance from chance has no scale")
    arguments = dict(settings or {})
    metadata.refuse_unknown(arguments)
    unknown = arguments.pop("unknown", UNKNOWN)
    test = arguments.pop("factors_test", None)
    if test is None:
        table = as_factors(factors, unknown=unknown)
    else:
        table, test = factor_parts(factors, test, unknown=unknown)
    extras = {"unknown": sentinel(table)} if metadata.takes("unknown") else {}

    def measure(table: np.ndarray, test: np.ndarray | None) -> Score:
        settings = arguments | extras | ({} if test is None else {"factors_test": test})
        return metadata.call(codes, table, seed=seed, settings=settings)

    with sharing():
        score = measure(table, test)
        null = [
            measure(
                shuffle(table, seed, number),
                None if test is None else shuffle(test, seed, number),
            )
            for number in range(permutations)
        ]
    values = np.array([score.value for score in null])
    chance = float(values.mean())
    as_good = values >= score.value if metadata.higher_is_better else values <= score.value
    parts: dict[str, Any] = {
        "raw": score.value,
        "chance": chance,
        "chance_stddev": float(values.std(ddof=1)),
        "p_value": float((1 + np.count_nonzero(as_good)) / (1 + permutations)),
    }
    if "per_factor" in score.parts:
        mean_per_factor = np.mean([score.parts["per_factor"] for score in null], axis=0)
        parts["per_factor"] = above(metadata, score.parts["per_factor"], mean_per_factor)
    protocol = {**score.protocol, "above_chance": f"{permutations} permutations, seed {seed}"}
    value = float(above(metadata, score.value, chance))
    return replace(score, value=value, parts=parts, protocol=protocol)


def best(metric: Metric) -> float | None:
    """The value of a perfect code, where there is one."""
    if metric.higher_is_better is None:
        return None
    end = metric.high if metric.higher_is_better else metric.low
    return end if np.isfinite(end) else None


def above(metric: Metric, value: Any, chance: Any) -> Any:
    """The share of the way from chance to the best value; nan where there is none."""
    end = best(metric)
    distance = (np.nan if end is None else end) - np.asarray(chance, dtype=np.float64)
    return (np.asarray(value) - chance) / np.where(distance == 0, np.nan, distance)


def shuffle(factors: np.ndarray, seed: int, number: int) -> np.ndarray:
    """The rows in another order, a function of the seed and the number."""
    return factors[np.random.default_rng([seed, number, 2]).permutation(len(factors))]

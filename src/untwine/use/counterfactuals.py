"""Counterfactuals with a truth: edits through a model beside the observation they should give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ..checks import check_scale, check_size
from ..data import FactorDataset
from ..data.seeds import check_seed
from .controls import Controls
from .edited import compared
from .factors import FactorScale
from .probe import Probe
from .truth import Renderer, renderer_of

if TYPE_CHECKING:
    import pandas

__all__ = ["Counterfactuals", "Measured", "counterfactuals"]

_DRAWN = 1000
_ROOM = 0.01  # of the least change: less is no room to gain in

COLUMNS = {
    "validity": "share of edits that show the wanted value",
    "validity of the truth": "the same of rendered images",
    "validity unedited": "the same of reconstructions of what was not edited",
    "sparsity": "share of the other factors that are kept",
    "sparsity of the truth": "the same of rendered images",
    "proximity": "change of the image over the least that the edit needs",
    "error": "squared error against the rendered truth, summed over an image",
    "floor": "that of the truth's own reconstruction",
    "unedited": "that of the reconstruction of what was not edited",
    "gain": "how much of the way from unedited to floor the edit goes",
}
"""The columns of `Counterfactuals.table`."""


@dataclass(frozen=True)
class Measured:
    """A number with its 95% interval by bootstrap of the edits.

    Attributes:
        value: Of all edits.
        low: The lower end.
        high: The upper end.
    """

    value: float
    low: float
    high: float

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, repr=False)
class Counterfactuals:
    """Edits of every factor beside the truth.

    Attributes:
        values: By factor, and ``"all"`` for the edits of all factors together, then by column; see
            `COLUMNS` for what each is. What needs a probe is missing without one.
        controls: What moved the codes.
        probe: The probe's held-out scores, by factor.
        examples: By factor: originals, reconstructions of them, what edits made, and the truth,
            ``(E, ...)`` each.
        n: Edits of each factor.
    """

    values: Mapping[str, Mapping[str, Measured]]
    controls: Controls
    probe: Mapping[str, float]
    examples: Mapping[str, tuple[Tensor, Tensor, Tensor, Tensor]] = field(default_factory=dict)
    n: int = 0

    def table(self, intervals: bool = True) -> pandas.DataFrame:
        """A row for each factor and one for all, a column for each quantity.

        Args:
            intervals: Whether each has two more columns, ``"... low"`` and ``"... high"``.
        """
        import pandas

        rows = []
        for factor, row in self.values.items():
            cells: dict[str, Any] = {"factor": factor}
            for name, one in row.items():
                cells[name] = one.value
                if intervals:
                    cells[f"{name} low"], cells[f"{name} high"] = one.low, one.high
            rows.append(cells)
        return pandas.DataFrame(rows).set_index("factor")

    def __str__(self) -> str:
        return self.table(intervals=False).T.to_string(float_format=lambda value: f"{value:.3g}")

    __repr__ = __str__


def counterfactuals(
    method: Any,
    data: FactorDataset,
    *,
    controls: Controls | None = None,
    probe: Probe | bool = True,
    truth: Renderer | None = None,
    n: int = 200,
    tolerance: float = 0.1,
    shown: int = 6,
    seed: int = 0,
) -> Counterfactuals:
    r"""Edits each factor through a model, and compares with the observation that it should give.

    Of an observation :math:`x` with factors :math:`v` the factor k is given another value, drawn
    uniformly; the truth :math:`x^*` is the data's observation of the changed factors. With the
    code :math:`z`, the edited code :math:`z'` and the decoder's means d:

    - validity: the share of :math:`d(z')` in which a probe, trained on real observations, sees the
      wanted value (within ``tolerance`` of the factor's range);
    - sparsity: the share of the other factors that it sees as they are in the truth, likewise;
    - proximity: :math:`\sum \| d(z') - d(z) \|^2 / \sum \| x^* - x \|^2`, 1 where edits change
      images as much as is needed;
    - error :math:`\| d(z') - x^* \|^2`; its floor :math:`\| d(z(x^*)) - x^* \|^2`, since a model
      draws nothing better than it reconstructs; and of doing nothing, :math:`\| d(z) - x^* \|^2`;
    - gain: (unedited - error) / (unedited - floor), each a sum over edits: 1 is as well as the
      model can draw the truth, 0 is as good as no edit, below 0 is worse; nan where the model
      draws the truth no better than what was not edited.

    A factor that nothing in the code follows stays as it is, and so has gain 0.

    Args:
        method: Trained, with ``represent`` and ``decode``.
        data: With every combination of its factors, a part of such data, or a light tunnel, whose
            other variables are held.
        controls: What moves the codes; by default `Controls.fit`.
        probe: Reads images; by default one is trained. ``False``: no validity and no sparsity.
        truth: From factors ``(B, K)`` to observations, for other data.
        n: Edits of each factor.
        tolerance: Of the range of a factor that is no name.
        shown: How many edits are kept as examples.
        seed: Of rows, wanted values and bootstrap.

    Raises:
        TypeError: for a method without a decoder.
        ValueError: for data without a truth.

    Example:
        >>> import untwine as ut
        >>> table = np.stack(np.unravel_index(np.arange(48), (4, 12)), 1)
        >>> data = ut.FactorDataset.from_arrays(
        ...     (table / [3, 11]).astype("f4"), table, names=("row", "column")
        ... )
        >>> class Itself(ut.methods.VAE):
        ...     def represent(self, batch):
        ...         return ut.distributions.Point(ut.data.Batch.of(batch).x)
        ...     def decode(self, z, *, c=None, y=None):
        ...         return ut.distributions.Point(z)
        >>> found = counterfactuals(Itself.build(data, latent_dim=2), data, probe=False, n=20)
        >>> print(found.values["all"]["gain"])
        1.00 [1.00, 1.00]
    """
    check_size("n", n)
    check_scale("tolerance", tolerance, zero=True)
    render = renderer_of(data) if truth is None else truth
    rng = np.random.default_rng([check_seed(seed), 11])
    if controls is None:
        controls = Controls.fit(method, data, probe=False, seed=seed)
    scales = controls.scales
    if probe is True:
        probe = controls.probe or Probe.fit(data, seed=seed)
    reader = probe if isinstance(probe, Probe) else None
    complete = np.flatnonzero((data.factors >= 0).all(axis=1))
    sums: dict[str, dict[str, np.ndarray]] = {}
    examples = {}
    for k, scale in enumerate(scales):
        rows = rng.choice(complete, min(n, len(complete)), replace=False)
        table = data.factors[rows]
        known = np.unique(data.factors[complete, scale.column])
        shift = rng.integers(1, len(known), len(rows))
        goal = known[(np.searchsorted(known, table[:, scale.column]) + shift) % len(known)]
        changed = table.copy()
        changed[:, scale.column] = goal
        x, target = data.observations(rows), render(changed)
        coder = controls.coder
        z, c = coder.encode_rows(data, rows)
        before = coder.decode(z, c)
        after = coder.decode(controls.moved(z, scale.name, goal.astype(np.float64)), c)
        batch = data.batch(rows)
        floor = coder.decode(*coder.encode(type(batch)(target, batch.c)))
        sums[scale.name] = {
            "error": _squared(after, target),
            "floor": _squared(floor, target),
            "unedited": _squared(before, target),
            "moved": _squared(after, before),
            "needed": _squared(target, x),
        }
        examples[scale.name] = (x[:shown], before[:shown], after[:shown], target[:shown])
        if reader is not None:
            read = [compared(reader, scales, images) for images in (after, target, before)]
            sums[scale.name] |= _hits(read, changed, k, scales, tolerance)
    sums["all"] = {
        name: np.concatenate([one[name] for one in sums.values()])
        for name in next(iter(sums.values()))
    }
    values = {
        factor: _summary(one, np.random.default_rng([seed, 12])) for factor, one in sums.items()
    }
    scores = {} if reader is None else dict(reader.scores)
    return Counterfactuals(values, controls, scores, examples, n)


def _squared(a: Tensor, b: Tensor) -> np.ndarray:
    return (a - b).double().flatten(1).square().sum(1).numpy()


def _hits(
    read: list[np.ndarray],
    changed: np.ndarray,
    k: int,
    scales: tuple[FactorScale, ...],
    tolerance: float,
) -> dict[str, np.ndarray]:
    """Which edits show what was wanted, and how many of the other factors as they were."""
    near = [
        np.stack(
            [
                scale.distance(one[:, j], changed[:, scale.column]) <= tolerance * scale.span
                if scale.kind != "nominal"
                else scale.distance(one[:, j], changed[:, scale.column]) == 0
                for j, scale in enumerate(scales)
            ],
            axis=1,
        )
        for one in read
    ]
    others = [j for j in range(len(scales)) if j != k]
    hits = {
        "validity": near[0][:, k],
        "validity of the truth": near[1][:, k],
        "validity unedited": near[2][:, k],
    }
    if others:
        hits["sparsity"] = near[0][:, others].mean(1)
        hits["sparsity of the truth"] = near[1][:, others].mean(1)
    return {name: hit.astype(np.float64) for name, hit in hits.items()}


def _summary(one: Mapping[str, np.ndarray], rng: np.random.Generator) -> dict[str, Measured]:
    """Means and ratios of sums over edits, with intervals; see `counterfactuals`."""
    count = len(one["error"])
    rows = np.concatenate([np.arange(count)[None], rng.integers(0, count, (_DRAWN, count))])
    means = {name: values[rows].mean(1) for name, values in one.items()}
    moved, needed = means.pop("moved"), means.pop("needed")
    # Where the model draws the truth no better than what it should be unlike, nothing is said.
    room = means["unedited"] - means["floor"]
    room = np.where(room > _ROOM * needed, room, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        means["proximity"] = moved / needed
        means["gain"] = (means["unedited"] - means["error"]) / room
    return {name: _measured(means[name]) for name in COLUMNS if name in means}


def _measured(draws: np.ndarray) -> Measured:
    """The first value, of all edits, with the interval of the others; nan where all are."""
    value, tail = draws[0], draws[1:][np.isfinite(draws[1:])]
    if not len(tail):
        return Measured(float(value), np.nan, np.nan)
    low, high = np.quantile(tail, [0.025, 0.975])
    return Measured(float(value), float(low), float(high))

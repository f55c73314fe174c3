"""Controls: what follows which factor in a code, and edits by that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..checks import check_size
from ..data import Batch, FactorDataset
from ..data.seeds import check_seed
from .augmentation import augmented
from .choice import choose
from .coding import Coder
from .edited import Edited
from .factors import named, per_row, scales_of
from .moves import Moves, edit_effects, taken_over
from .paths import seam_path
from .probe import Probe

if TYPE_CHECKING:
    import pandas

__all__ = ["Controls"]

_FEWEST = 10


@dataclass(frozen=True, repr=False)
class Controls(Moves):
    r"""Named controls of a trained method: a factor is set, and what changes besides is read.

    For each factor the code's conditional means :math:`\mu(v) = \mathbb{E}[z | v]` are learned. A
    dimension is the control where it tells nine tenths of what the whole code tells of the factor,
    else a named part where that does, else the discriminant directions of the whole code. An edit
    is the least change of the code after which it reads as the value does on average:

    .. math::
        z' = z + P \, W^\top (\mu(v) - z), \qquad W = \Sigma^{-1} P, \quad W^\top P = I

    with the covariance :math:`\Sigma` of codes that have the same value. On a single dimension
    this puts it to its mean. A one-hot part becomes the class that the value mostly has.

    Attributes:
        controls: One for each factor that is known and varies.
        effects: What an edit of the row's factor does to the column's, ``(K, K)``, read by the
            probe off held-out edits. On the diagonal the share of the way to the wanted value that
            is gone: 1 is all, 0 is nothing; elsewhere the change over that between observations
            drawn at random: 0 is none. ``None`` without a probe.
        effects_low: Lower ends of the 95% intervals, by bootstrap of the observations.
        effects_high: Upper ends.
        probe: What reads images, with its held-out scores; ``None`` if there is none.

    Example:
        >>> import untwine as ut
        >>> table = np.stack(np.unravel_index(np.arange(600), (3, 4, 50)), 1)[:, :2]
        >>> data = ut.FactorDataset.from_arrays(
        ...     (table / [2, 3]).astype("f4"), table, names=("shape", "size")
        ... )
        >>> class Itself(ut.methods.VAE):
        ...     def represent(self, batch):
        ...         return ut.distributions.Point(ut.data.Batch.of(batch).x)
        ...     def decode(self, z, *, c=None, y=None):
        ...         return ut.distributions.Point(z)
        >>> controls = Controls.fit(Itself.build(data, latent_dim=2), data, probe=False)
        >>> controls["size"].where, controls["size"].sign, round(controls["size"].score, 3)
        ('z1', 1, 1.0)
        >>> edited = controls.set(data.observations([0]), size=3)
        >>> edited.images.round(decimals=3).tolist()
        [[0.0, 1.0]]
    """

    _: KW_ONLY
    effects: np.ndarray | None = None
    effects_low: np.ndarray | None = None
    effects_high: np.ndarray | None = None

    @classmethod
    def fit(
        cls,
        method: Any,
        data: FactorDataset,
        *,
        n: int = 6000,
        probe: Probe | bool = True,
        shown: int = 200,
        resamples: int = 200,
        seed: int = 0,
    ) -> Controls:
        """Learns what follows which factor.

        Args:
            method: Trained, with ``represent`` and ``decode``.
            data: With factors; rows that lack one are left out.
            n: How many observations are encoded; a third of them is held out for the scores.
            probe: Reads images; by default one is trained, see `Probe.fit`. ``False``: none, and
                nothing is said of what changes besides.
            shown: How many held-out observations are edited for the effects.
            resamples: Of the bootstrap.
            seed: Of the choice of rows, of the probe and of the bootstrap.

        Raises:
            TypeError: for a method without a decoder.
            ValueError: for data without factors, or too few rows.
        """
        coder = Coder(method)
        scales = tuple(scales_of(data))
        check_size("n", n, least=_FEWEST)
        check_size("shown", shown)
        rng = np.random.default_rng(check_seed(seed))
        table = data.factors[:, [scale.column for scale in scales]]
        rows = np.flatnonzero((table >= 0).all(axis=1))
        if len(rows) < _FEWEST:
            raise ValueError(f"{len(rows)} observations have all factors; expected {_FEWEST}")
        rows = rng.permutation(rows) if len(rows) <= n else rng.choice(rows, n, replace=False)
        codes, c = coder.encode_rows(data, rows)
        z, values = codes.double().cpu().numpy(), table[rows]
        cut = len(rows) - len(rows) // 3
        pairs = [
            choose(
                z,
                values[:, k].astype(np.float64),
                scale,
                cut=cut,
                parts=coder.parts,
                resamples=resamples,
                seed=seed,
            )
            for k, scale in enumerate(scales)
        ]
        if probe is True:
            probe = Probe.fit(data, seed=seed)
        reader = probe if isinstance(probe, Probe) else None
        controls = cls(
            coder,
            tuple(control for control, _ in pairs),
            tuple(lever for _, lever in pairs),
            scales,
            reader,
        )
        if reader is None:
            return controls
        few = torch.arange(max(cut, len(rows) - shown), len(rows), device=codes.device)
        covariates = None if c is None else c[few]
        effects, low, high = edit_effects(controls, codes[few], covariates, rng)
        return replace(controls, effects=effects, effects_low=low, effects_high=high)

    def set(self, x: Batch | Tensor, /, **values: Any) -> Edited:
        """Gives observations other values of factors, and reads what changed besides.

        Args:
            x: Observations ``(B, ...)``, or a batch of them.
            **values: By factor, one for all or one for each: a word where the factor has words, a
                level or a place between levels (``scale=2.5``), a number where its words are
                numbers. Several are set one after the other.

        Raises:
            ValueError: for a factor that there is not, a value out of range, and a factor that
                nothing in the code follows.
        """
        if not values:
            raise ValueError(f"no factor is set; expected some of {', '.join(self._names)}")
        targets = {}
        for name, value in values.items():
            k = named(self.scales, name)
            targets[name] = per_row(self.scales[k], value, len(Batch.of(x).tensor))
            if self.levers[k] is None:
                raise ValueError(
                    f"nothing in the code follows {name!r} (held-out score "
                    f"{self.controls[k].score:.2f}): it cannot be set"
                )
        z, c = self.coder.encode(x)
        after = z
        for name, goal in targets.items():
            after = self.moved(after, name, goal)
        return self._edited(z, after, c, targets)

    def transfer(self, x: Batch | Tensor, like: Batch | Tensor, take: Sequence[str]) -> Edited:
        """Gives observations factors, or named parts of the code, of others.

        Args:
            x: Observations ``(B, ...)`` that give everything else, covariates included.
            like: Others, as many.
            take: Names of factors and of parts.

        Raises:
            ValueError: for other numbers of observations, and for names that are neither.
        """
        z, c = self.coder.encode(x)
        donors, _ = self.coder.encode(like)
        if len(z) != len(donors):
            raise ValueError(f"like has {len(donors)} observations; expected {len(z)}")
        parts = {part.name: list(part.columns) for part in self.coder.parts}
        after = z.clone()
        for name in [take] if isinstance(take, str) else take:
            if name in parts:
                after[:, parts[name]] = donors[:, parts[name]]
                continue
            if name not in self._names and parts:
                raise ValueError(
                    f"take has {name!r}; the factors are {', '.join(self._names)}, the parts "
                    f"{', '.join(parts)}"
                )
            lever = self.levers[named(self.scales, name)]
            if lever is None:
                raise ValueError(f"nothing in the code follows {name!r}: it cannot be taken")
            after = taken_over(self.coder, lever, after, donors)
        return self._edited(z, after, c, {})

    def arithmetic(self, a: Batch | Tensor, minus: Batch | Tensor, plus: Batch | Tensor) -> Edited:
        """Codes a - b + c, decoded: what tells c from b, added to a.

        Args:
            a: Observations ``(B, ...)``, whose covariates are kept.
            minus: As many, or one.
            plus: As many, or one.
        """
        z, c = self.coder.encode(a)
        less, more = self.coder.encode(minus)[0], self.coder.encode(plus)[0]
        for name, part in (("minus", less), ("plus", more)):
            if len(part) not in (1, len(z)):
                raise ValueError(f"{name} has {len(part)} observations; expected {len(z)}, or 1")
        return self._edited(z, self.coder.valid(z - less + more), c, {})

    def along_seams(self, a: Batch | Tensor, b: Batch | Tensor, steps: int = 8) -> Tensor:
        """From the codes of some observations to those of others, a dimension at a time.

        The way goes along seams, the images of axes: the dimension whose seam is longest moves
        first, and positions are equally far apart along the images, see `diagnostics.seams`.
        A straight way is `interpolate`.

        Args:
            a: Where it begins, ``(B, ...)``.
            b: Where it ends, as many.
            steps: Positions, both ends included.

        Returns:
            Means of p(x|z), ``(B, steps, ...)``.

        Raises:
            ValueError: for fewer than two steps, other numbers of observations, and codes with
                classes or angles, which have no axes.
        """
        check_size("steps", steps, least=2)
        z, c = self.coder.encode(a)
        ends, _ = self.coder.encode(b)
        if len(z) != len(ends):
            raise ValueError(f"b has {len(ends)} observations; expected {len(z)}")
        path = seam_path(self.coder, z, ends, c, steps)
        c = None if c is None else c.repeat_interleave(steps, 0)
        return self.coder.decode(path.flatten(0, 1), c).unflatten(0, (len(z), steps))

    def augment(
        self,
        data: FactorDataset,
        factor: str,
        *,
        copies: int = 1,
        values: Sequence[Any] | None = None,
        originals: bool = True,
        seed: int = 0,
    ) -> FactorDataset:
        """A data set with edited observations: one factor is drawn anew, the others are kept.

        Args:
            data: What is edited; its covariates are kept.
            factor: Which factor.
            copies: Edits of each observation.
            values: Whole values that are drawn, each as often; by default all that occur.
            originals: Whether the observations themselves come first.
            seed: Of the draw.

        Returns:
            Images with the factors that they were asked to have. Whether they do is not certain:
            see `effects`.

        Raises:
            ValueError: for a factor that nothing follows, and for values that cannot be set.
        """
        return augmented(self, data, factor, copies, values, originals, seed)

    def table(self) -> pandas.DataFrame:
        """A row for each factor: its control, how sure it is, and what else it moves most."""
        import pandas

        rows = []
        for k, (control, scale) in enumerate(zip(self.controls, self.scales, strict=True)):
            row: dict[str, Any] = {
                "factor": control.factor,
                "kind": control.kind,
                "where": control.where,
                "from": scale.written(control.low),
                "to": scale.written(control.high),
                "sign": {1: "+", -1: "-", 0: ""}[control.sign],
                "monotone": control.monotone,
                "score": control.score,
                "low": control.interval[0],
                "high": control.interval[1],
                "whole code": control.whole,
            }
            if self.effects is not None and self.probe is not None:
                besides = np.where(np.arange(len(self.scales)) == k, -np.inf, self.effects[k])
                most = int(besides.argmax())
                row |= {
                    "moves itself": self.effects[k, k],
                    "moves most": self.scales[most].name if len(self.scales) > 1 else "",
                    "by": besides[most] if len(self.scales) > 1 else np.nan,
                    "probe": self.probe.scores.get(control.factor, np.nan),
                }
            rows.append(row)
        return pandas.DataFrame(rows).set_index("factor")

    def __str__(self) -> str:
        return self.table().to_string(float_format=lambda value: f"{value:.2f}", na_rep="")

    __repr__ = __str__

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(scale.name for scale in self.scales)

    def _edited(
        self, z: Tensor, after: Tensor, c: Tensor | None, targets: Mapping[str, np.ndarray]
    ) -> Edited:
        images, before = self.coder.decode(after, c), self.coder.decode(z, c)
        return Edited.of(images, before, (after, z), targets, self.scales, self.probe)

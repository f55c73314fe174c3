"""A training run: a folder, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..data.space import Kinds
from ..encoding import Codes, encode
from ..evaluation import Evaluation, Which, evaluate, which
from .run_travel import TravellingRun
from .scores import keep

__all__ = ["Run"]


class Run(TravellingRun):
    """What `fit` made: a method and its data, and the folder with everything about its training.

    The method and the data are made from the spec, and the weights are read, when they are first
    asked for. Nothing that is read executes code: weights are safetensors, and a spec can name only
    classes of untwine and torch.optim, and of packages that are trusted by name.

    Args:
        path: The folder, or ``None`` for a run that was not written.
        method: The trained method, if it is at hand; for `load`, one to put the weights into.
        data: What it was trained on, if it is at hand.
        spec: If it is at hand.
        rows: Of the log, if they are at hand.
        steps: Moves made, if that is known.
        stopped: Why it ended before its last step, if it did and that is at hand.
        trust: Packages, modules or classes of your own that the spec may name, such as
            ``["mypackage"]``.

    Attributes:
        path: The folder, or ``None``.
    """

    def measure(
        self,
        metrics: str | Sequence[str] | Mapping[str, Mapping[str, Any]] | None = None,
        *,
        n: int = 10_000,
        seed: int = 0,
        confidence: float | None = None,
        repeats: int | None = None,
        exact: bool = False,
        label: str | int | None = None,
        batch: str | int | None = None,
        chance: int | None = None,
        sampled: bool = False,
        kinds: Kinds = None,
        progress: bool | None = None,
        save: bool = True,
        codes: Codes | None = None,
    ) -> Evaluation:
        """Encodes the data, evaluates the codes, and keeps the scores in the run's folder.

        This is what ``untwine measure``, the report and the demo show. Scores of other metrics that
        were measured earlier on the same weights stay in ``scores.json``.

        Args:
            metrics: As in `untwine.evaluate`; by default the group ``"default"``: the seven classic
                metrics, active units, the rate of each dimension, and what can be read off named
                parts, where the code has some.
            n: Points that each metric uses; half as many again are encoded for metrics that learn
                from some and are judged on others.
            seed: Of the choice of points, and of metrics that draw any.
            confidence: Level of the intervals; none if ``None``.
            repeats: Half-samples per metric.
            exact: Use the reference's slow predictors.
            label: The factor that metrics of clusters are about; see `untwine.evaluate`.
            batch: The factor that metrics of mixing are about.
            chance: Permutations of the factors behind each metric's value by chance.
            sampled: Whether to measure samples of the posteriors, too.
            kinds: What factors are, where it is something else than the data says; see
                `untwine.evaluate`.
            progress: Whether to show a progress bar.
            save: Whether to write ``scores.json``, if the run has a folder.
            codes: Of the run's data, where they are at hand.

        Raises:
            ValueError: for what `untwine.evaluate` refuses, and for ``n`` below 2.
        """
        if n < 2:
            raise ValueError(f"n is {n}; expected at least 2 points")
        if codes is None:
            codes = encode(self.method, self.data, n + n // 2, seed)
        scores = evaluate(
            codes,
            metrics="default" if metrics is None else metrics,
            points=n,
            seed=seed,
            confidence=confidence,
            repeats=repeats,
            exact=exact,
            label=label,
            batch=batch,
            chance=chance,
            sampled=sampled,
            kinds=kinds,
            progress=progress,
        )
        if save and self.path is not None:
            keep(scores, self.path, self.weights_digest())
        return scores

    def which(self, n: int = 10_000, seed: int = 0) -> Which:
        """Which dimension follows which factor; ``print`` says it in sentences.

        Args:
            n: Observations to encode.
            seed: Of their choice.

        Raises:
            ValueError: for ``n`` below 1.
        """
        return which(encode(self.method, self.data, n, seed))

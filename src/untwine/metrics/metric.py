"""A metric's metadata, and the one way to call it."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .score import Score

__all__ = ["Captures", "Metric", "similar"]

Captures = Literal[
    "modularity",  # a code dimension answers to one factor
    "compactness",  # a factor is told by one code dimension
    "explicitness",  # a factor can be read off the code
    "invariance",  # a code dimension does not move when other factors do
    "independence",  # code dimensions do not tell of each other
    "information",  # how much the code says about the observation
    "fairness",  # a prediction does not depend on a sensitive factor
    "agreement",  # runs with other seeds find the same
    "clusters",  # codes lie together by the values of a factor
    "mixing",  # neighbors have all values of a factor
]


@dataclass(frozen=True)
class Metric:
    """A metric's metadata.

    Attributes:
        name: Of the function in `untwine.metrics`.
        module: That defines it.
        low: The smallest value that it can take.
        high: The largest value that it can take.
        higher_is_better: ``None`` where neither direction is a quality.
        captures: What it asks of a representation.
        source: Whose settings are the default.
        paper: Who introduced it.
        link: To that paper.
        needs: ``factors``, ``stddev``; or something that `untwine.evaluate` cannot hand over.
        rows: What it works on: ``points`` (each row counts once), ``parts`` (it learns from some
            rows and is judged on others), ``table`` (it looks rows up by factor value).
        repeats: Half-samples for an interval: many where it is quick.
        suite: Settings that `untwine.evaluate` uses instead of the defaults.
    """

    name: str
    module: str
    low: float
    high: float
    higher_is_better: bool | None
    captures: tuple[Captures, ...]
    source: str
    paper: str
    link: str
    needs: tuple[str, ...] = ("factors",)
    rows: Literal["points", "parts", "table"] = "points"
    repeats: int = 100
    suite: Mapping[str, Any] = field(default_factory=dict)

    @property
    def function(self) -> Callable[..., Score]:
        """The metric itself."""
        return getattr(importlib.import_module(f".{self.module}", __package__), self.name)

    @property
    def summary(self) -> str:
        """What it measures, in one sentence: the first line of its docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0].rstrip(".")

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that it takes, with their defaults."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    def takes(self, name: str) -> bool:
        """Whether it has an argument of that name."""
        return name in inspect.signature(self.function).parameters

    def refuse_unknown(self, settings: Iterable[str]) -> None:
        """Raises if one of ``settings`` is none of the metric's.

        Raises:
            ValueError: with those that it has, and close matches first.
        """
        for name in settings:
            if not self.takes(name) or name in ("codes", "factors"):
                raise ValueError(
                    f"{self.name} has no setting {name!r}{similar(name, self.settings)}; it has "
                    f"{', '.join(self.settings)}"
                )

    def call(
        self,
        codes: Any,
        factors: Any,
        *,
        seed: int,
        settings: Mapping[str, Any],
        **extras: Any,
    ) -> Score:
        """The score, with those of ``seed`` and ``extras`` that the metric takes."""
        known = {k: v for k, v in extras.items() if v is not None and self.takes(k)}
        if self.takes("seed"):
            known["seed"] = seed
        known |= settings
        if self.takes("factors"):
            return self.function(codes, factors, **known)
        return self.function(codes, **known)


def similar(name: str, known: Iterable[str]) -> str:
    """What was perhaps meant, as the end of an error message; empty if nothing comes close.

    Example:
        >>> similar("bin", ["bins", "seed"])
        ": did you mean 'bins'?"
    """
    known = list(known)
    close = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    close += [k for k in known if name.lower() in k and k not in close][: 3 - len(close)]
    return f": did you mean {' or '.join(map(repr, close))}?" if close else ""

"""Metadata of metrics: range, what is captured, the paper; noted where a metric is defined."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from math import inf
from typing import Any, Literal, TypeVar, cast, get_args

from ._estimators.kinds import matter
from ._estimators.sharing import sharing
from .ranges import SHARED, Range
from .score import Score

__all__ = ["GROUPS", "METRICS", "Captures", "Metric", "entry", "metric", "similar", "table"]

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

# What an argument without a default is called in ``needs``.
_NEEDS = {
    "factors": "factors",
    "stddev": "stddev",
    "blocks": "blocks",
    "batch": "batch",
    "runs": "a set of runs",
}

_Function = TypeVar("_Function", bound=Callable[..., Score])


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric's metadata, and the one way to call it.

    Attributes:
        name: Of the function in `untwine.metrics`.
        function: The metric itself.
        low: The smallest value that it can take.
        high: The largest value that it can take.
        higher_is_better: ``None`` where neither direction is a quality.
        captures: What it asks of a representation.
        source: Whose settings are the default.
        paper: Who introduced it.
        link: To that paper.
        needs: ``factors``, ``stddev``, ``blocks``; ``label``, ``batch``, ``label or batch``: which
            factors it is about; or something that `untwine.evaluate` cannot hand over.
        assumes: What the numbers are only true of: ``standard normal prior``.
        rows: What it works on: ``points`` (each row counts once), ``split`` (it learns from some
            rows and is judged on others), ``table`` (it looks rows up by factor value).
        repeats: Half-samples for an interval: many where it is quick.
        suite: Settings that `untwine.evaluate` uses instead of the defaults.
        groups: Names that stand for it and others: ``all``, ``unsupervised``, ``classic``.
        ranges: What its settings may be, by name; checked whenever it is called.
        orders: Whether the order of a factor's levels counts, under some settings: a nominal factor
            may have another score than an ordinal one.
    """

    name: str
    function: Callable[..., Score]
    low: float
    high: float
    higher_is_better: bool | None
    captures: tuple[Captures, ...]
    source: str
    paper: str
    link: str
    needs: tuple[str, ...] = ("factors",)
    assumes: tuple[str, ...] = ()
    rows: Literal["points", "split", "table"] = "points"
    repeats: int = 100
    suite: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[str, ...] = ("all",)
    ranges: Mapping[str, Range] = field(default_factory=dict)
    orders: bool = False

    @property
    def summary(self) -> str:
        """What it measures, in one sentence: the first line of its docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0].rstrip(".")

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that it takes, with their defaults."""
        parameters = inspect.signature(self.function).parameters.values()
        return {
            p.name: p.default
            for p in parameters
            if p.kind is p.KEYWORD_ONLY and p.default is not p.empty
        }

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
        arguments = {k: v for k, v in extras.items() if v is not None and self.takes(k)}
        if self.takes("seed"):
            arguments["seed"] = seed
        arguments |= settings
        if self.takes("factors"):
            return self.function(codes, factors, **arguments)
        return self.function(codes, **arguments)


#: Every metric, by name.
METRICS: dict[str, Metric] = {}


class _Groups(Mapping[str, tuple[str, ...]]):
    """The names in each group, as `METRICS` has them: by what they ask for first, then by name."""

    def __getitem__(self, group: str) -> tuple[str, ...]:
        kinds = get_args(Captures)
        members = [m for m in METRICS.values() if group in m.groups]
        if not members:
            raise KeyError(group)
        members.sort(key=lambda m: (kinds.index(m.captures[0]), m.name))
        return tuple(m.name for m in members)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({group for m in METRICS.values() for group in m.groups}))

    def __len__(self) -> int:
        return len(set(self))


#: Names that stand for several metrics.
GROUPS: Mapping[str, tuple[str, ...]] = _Groups()


def metric(
    *,
    low: float,
    high: float,
    higher_is_better: bool | None,
    captures: tuple[Captures, ...],
    paper: str,
    link: str,
    source: str | None = None,
    needs: tuple[str, ...] = (),
    assumes: tuple[str, ...] = (),
    rows: Literal["points", "split", "table"] = "points",
    repeats: int = 100,
    suite: Mapping[str, Any] | None = None,
    groups: tuple[str, ...] = (),
    ranges: Mapping[str, Range] | None = None,
    orders: bool = False,
) -> Callable[[_Function], _Function]:
    """Notes what the metric below is, in `METRICS` and `GROUPS`, and checks its settings.

    A setting outside of its range is refused before the metric computes anything.

    Args:
        low: The smallest value that it can take.
        high: The largest value that it can take.
        higher_is_better: ``None`` where neither direction is a quality.
        captures: What it asks of a representation.
        paper: Who introduced it.
        link: To that paper.
        source: Whose settings are the default; that of its ``protocol``, if it has one.
        needs: What it needs beside the arguments that have no default.
        assumes: What the numbers are only true of: ``standard normal prior``.
        rows: See `Metric`.
        repeats: Half-samples for an interval.
        suite: Settings that `untwine.evaluate` uses instead of the defaults.
        groups: Names of groups that it is in, such as ``"classic"``; ``"all"`` and
            ``"unsupervised"`` are seen from its arguments.
        ranges: What its settings may be, by name, beside `ranges.SHARED`. ``None`` may be given
            wherever it is the default.
        orders: Whether the order of a factor's levels counts, see `Metric`.

    Raises:
        ValueError: if there is another metric of that name, or no word for its source.

    Example:
        >>> sorted(METRICS["mig"].captures), METRICS["mig"].source
        (['compactness', 'explicitness'], 'locatello2019')
    """

    def note(function: _Function) -> _Function:
        name = function.__name__
        parameters = inspect.signature(function).parameters
        needed_arguments = [
            k for k, p in parameters.items() if p.default is p.empty and k in _NEEDS
        ]
        source_name = parameters["protocol"].default if "protocol" in parameters else source
        if source_name is None:
            raise ValueError(f"{name}: whose settings are its defaults? give source=")
        earlier = METRICS.get(name)
        if earlier is not None and earlier.function.__module__ != function.__module__:
            raise ValueError(
                f"there is a metric {name!r} in {earlier.function.__module__}: name it differently"
            )
        limits = _limits(function, ranges or {})

        @wraps(function)
        def checked(*arguments: Any, **settings: Any) -> Score:
            for setting, value in settings.items():
                if setting in limits:
                    limits[setting].check(name, setting, value)
            with sharing():  # between the factors of one call
                score = function(*arguments, **settings)
            kinds = settings.get("kinds")
            if kinds is not None and matter(kinds, arguments[1:], orders):
                score = replace(score, protocol={**score.protocol, "kinds": list(kinds)})
            return score

        METRICS[name] = Metric(
            name=name,
            function=checked,
            low=low,
            high=high,
            higher_is_better=higher_is_better,
            captures=captures,
            source=source_name,
            paper=paper,
            link=link,
            needs=(*(_NEEDS[k] for k in needed_arguments), *needs),
            assumes=assumes,
            rows=rows,
            repeats=repeats,
            suite=dict(suite or {}),
            groups=("all", *(() if "factors" in needed_arguments else ("unsupervised",)), *groups),
            ranges=limits,
            orders=orders,
        )
        return cast(_Function, checked)

    return note


def _limits(function: Callable[..., Score], ranges: Mapping[str, Range]) -> dict[str, Range]:
    """The ranges of a function's settings, each with ``None`` where that is the default."""
    limits = {}
    for name, parameter in inspect.signature(function).parameters.items():
        limit = ranges.get(name) or SHARED.get(name)
        setting = (
            parameter.kind is parameter.KEYWORD_ONLY and parameter.default is not parameter.empty
        )
        if limit is not None and setting:
            limits[name] = replace(limit, none=limit.none or parameter.default is None)
    return limits


def entry(name: str) -> Metric:
    """A metric by its name.

    Raises:
        ValueError: for a name that there is not, with close matches.

    Example:
        >>> entry("mig").higher_is_better
        True
    """
    if name in METRICS:
        return METRICS[name]
    close = similar(name, METRICS) or f"; there are {', '.join(GROUPS['all'])}"
    raise ValueError(f"there is no metric {name!r}{close}")


def table() -> str:
    """The metrics as a Markdown table, for the documentation."""
    lines = [
        "| metric | range | better | asks for | default protocol | introduced by |",
        "|---|---|---|---|---|---|",
    ]
    for name in GROUPS["all"]:
        m = METRICS[name]
        better = {True: "higher", False: "lower", None: ""}[m.higher_is_better]
        lines.append(
            f"| [`{m.name}`]({m.name}.md) | {_end(m.low)} to {_end(m.high)} | {better} "
            f"| {', '.join(m.captures)} | {m.source} | [{m.paper}]({m.link}) |"
        )
    return "\n".join(lines)


def similar(name: str, names: Iterable[str]) -> str:
    """What was perhaps meant, as the end of an error message; empty if nothing comes close.

    Example:
        >>> similar("bin", ["bins", "seed"])
        ": did you mean 'bins'?"
    """
    names = list(names)
    close = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    close += [k for k in names if name.lower() in k and k not in close][: 3 - len(close)]
    return f": did you mean {' or '.join(map(repr, close))}?" if close else ""


def _end(value: float) -> str:
    return {inf: "∞", -inf: "-∞"}.get(value, f"{value:g}")

"""A study: a sweep, what is measured of each run, and the file that holds both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..reading import expanded, parse_yaml, read_text
from ..settings.errors import UsageError, did_you_mean
from .points import Planned, planned
from .sweeps import Sweep, from_plain, product

__all__ = ["Measuring", "Study"]

_LONGEST = 1 << 22  # bytes of a study's file
_KEYS = ("untwine", "name", "about", "sweep", "measure", "figures")


@dataclass(frozen=True)
class Measuring:
    """What is measured of each run.

    Attributes:
        metrics: As `Run.measure` takes them; ``None`` for its default suite.
        n: Points that each metric uses.
        seed: Of the choice of points, and of metrics that draw any.
        exact: Whether to use the reference's slow predictors.
        codes: Codes that a run's folder keeps, for scores of several runs (`udr`).

    Example:
        >>> Measuring(["mig"], n=1000).plain()
        {'metrics': ['mig'], 'n': 1000, 'seed': 0, 'exact': False, 'codes': 1000}
    """

    metrics: Sequence[str] | Mapping[str, Mapping[str, Any]] | None = None
    n: int = 10_000
    seed: int = 0
    exact: bool = False
    codes: int = 1000

    def __post_init__(self) -> None:
        from ..metrics import GROUPS, METRICS

        for name in ("n", "codes"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 2:
                raise UsageError(f"measure.{name} is {value!r}: expected a number from 2")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise UsageError(f"measure.seed is {self.seed!r}: expected a number from 0")
        if not isinstance(self.exact, bool):
            raise UsageError(f"measure.exact is {self.exact!r}: expected true or false")
        if isinstance(self.metrics, str):
            object.__setattr__(self, "metrics", [self.metrics])
        if not isinstance(self.metrics, Mapping | Sequence | None):
            raise UsageError(f"measure.metrics is {self.metrics!r}: expected names of metrics")
        for label in self.metrics or ():
            inside = self.metrics[label] if isinstance(self.metrics, Mapping) else {}
            if not isinstance(inside, Mapping):
                raise UsageError(f"measure.metrics.{label} is {inside!r}: expected settings")
            name = inside.get("metric", label)
            if name not in METRICS and (name not in GROUPS or isinstance(self.metrics, Mapping)):
                near = did_you_mean(str(name), [*METRICS, *GROUPS])
                raise UsageError(f"there is no metric {name!r}{near}")
            if name in METRICS:
                METRICS[name].refuse_unknown(k for k in inside if k != "metric")

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        metrics: Any = self.metrics
        if isinstance(metrics, Mapping):
            metrics = {name: dict(settings) for name, settings in metrics.items()}
        elif metrics is not None:
            metrics = list(metrics)
        return {
            "metrics": metrics,
            "n": self.n,
            "seed": self.seed,
            "exact": self.exact,
            "codes": self.codes,
        }


@dataclass(frozen=True)
class Study:
    """Many runs, and what is asked of each.

    Nothing of it is state: what has been made is in a folder, see `Folder`.

    Attributes:
        sweep: The points.
        name: For titles.
        about: What it asks, in a sentence or a few.
        measure: What is measured.
        figures: Whether each run draws its traversals and what its codes tell of the factors.
        trust: Packages of which points may name classes.

    Example:
        >>> from untwine.study import fixed, seeds
        >>> study = Study(fixed(method="VAE", data="DSprites", steps=100) * seeds(3))
        >>> len(study.runs())
        3
    """

    sweep: Sweep
    name: str = "study"
    about: str = ""
    measure: Measuring = field(default_factory=Measuring)
    figures: bool = True
    trust: Sequence[str] = ()

    def runs(self) -> list[Planned]:
        """The runs that the points describe, each once.

        Raises:
            UsageError: for settings that there are not, naming the run.
        """
        return planned(self.sweep, self.trust, self.name)

    def plain(self) -> dict[str, Any]:
        """As plain data, which `read` understands."""
        return {
            "name": self.name,
            "about": self.about,
            "measure": self.measure.plain(),
            "figures": self.figures,
            "sweep": self.sweep.plain(),
        }

    @classmethod
    def from_plain(cls, written: Any, where: str, trust: Sequence[str] = ()) -> Study:
        """The inverse of `plain`.

        Raises:
            UsageError: for keys and values that a study does not have.
        """
        if not isinstance(written, Mapping):
            raise UsageError(f"{where} holds no study: expected `sweep:` and what it combines")
        _check_keys(where, written, _KEYS)
        if "sweep" not in written:
            raise UsageError(f"{where} has no sweep: expected `sweep:` and what it combines")
        for key in ("name", "about"):
            if not isinstance(written.get(key, ""), str):
                raise UsageError(f"{key} of {where} is {written[key]!r}: expected text")
        if not isinstance(written.get("figures", True), bool):
            raise UsageError(
                f"figures of {where} is {written['figures']!r}: expected true or false"
            )
        measure = written.get("measure") or {}
        if not isinstance(measure, Mapping):
            raise UsageError(f"measure of {where} is {measure!r}: expected metrics, n, seed")
        _check_keys(f"measure of {where}", measure, tuple(Measuring.__dataclass_fields__))
        try:
            measuring = Measuring(**measure)
            sweep = from_plain(written["sweep"])
        except ValueError as error:
            raise UsageError(f"{where}: {error}") from error
        return cls(
            sweep,
            written.get("name", "study"),
            written.get("about", ""),
            measuring,
            written.get("figures", True),
            trust,
        )

    @classmethod
    def read(cls, path: str | Path, trust: Sequence[str] = ()) -> Study:
        """Reads a file of YAML.

        Args:
            path: The file.
            trust: Packages of which its points may name classes, see `spec.check_trust`.

        Raises:
            FileNotFoundError: if there is no such file.
            UsageError: for a file that holds no study.
        """
        file = expanded(path)
        if not file.is_file():
            raise FileNotFoundError(
                f"there is no study {file} (the working folder is {Path.cwd()})"
            )
        try:
            written = parse_yaml(read_text(file, _LONGEST))
        except ValueError as error:
            raise UsageError(f"{file} is no YAML: {error}") from error
        return cls.from_plain(written, str(path), trust)

    def write(self, path: str | Path) -> None:
        """Writes the file that `read` reads."""
        import yaml

        from ..training.files import replace_file

        text = yaml.safe_dump(self.plain(), sort_keys=False, allow_unicode=True)
        replace_file(expanded(path), text.encode())

    def times(self, other: Sweep) -> Study:
        """The study with each point combined with those of another sweep."""
        return Study(
            product(self.sweep, other),
            self.name,
            self.about,
            self.measure,
            self.figures,
            self.trust,
        )


def _check_keys(where: str, written: Mapping[Any, Any], known: Iterable[str]) -> None:
    known = tuple(known)
    for key in written:
        if key not in known:
            near = did_you_mean(str(key), known)
            raise UsageError(f"{where} has {key!r}{near} It may have {', '.join(known)}")

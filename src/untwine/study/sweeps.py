r"""Sweeps as expressions: settings of runs, combined by products, chains and zips."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..settings.errors import UsageError, did_you_mean

__all__ = ["Sweep", "chain", "fixed", "from_plain", "product", "seeds", "sweep", "zip_"]

Point = dict[str, Any]


class Sweep(ABC):
    """Points, each the settings of one run by name, as an expression.

    Names are the options of ``untwine train`` without their dashes: ``method``, ``method.beta``,
    ``data``, ``steps``, ``seed``. ``a * b`` is `product(a, b)`, ``a + b`` is `chain(a, b)`.

    Example:
        >>> betas = fixed(method="BetaVAE") * sweep("method.beta", [1, 4])
        >>> points = (betas + fixed(method="VAE")) * seeds(2)
        >>> len(points), list(points)[0]
        (6, {'method': 'BetaVAE', 'method.beta': 1, 'seed': 0})
    """

    @abstractmethod
    def __iter__(self) -> Iterator[Point]: ...

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def plain(self) -> dict[str, Any]:
        """The expression as plain data; the inverse of `from_plain`."""

    def __mul__(self, other: Sweep) -> Sweep:
        return product(self, other)

    def __add__(self, other: Sweep) -> Sweep:
        return chain(self, other)

    def __repr__(self) -> str:
        return f"Sweep({json.dumps(self.plain())})"


class _Rows(Sweep):
    """Points that are written out, under the name of what wrote them."""

    def __init__(self, kind: str, written: Any, points: Sequence[Point]) -> None:
        self._kind, self._written, self._points = kind, written, points

    def __iter__(self) -> Iterator[Point]:
        return (dict(point) for point in self._points)

    def __len__(self) -> int:
        return len(self._points)

    def plain(self) -> dict[str, Any]:
        return {self._kind: self._written}


class _Combined(Sweep):
    """A combination of expressions."""

    def __init__(self, kind: str, parts: Sequence[Sweep]) -> None:
        if not parts:
            raise UsageError(f"{kind} combines sweeps, but none was given")
        for part in parts:
            if not isinstance(part, Sweep):
                raise UsageError(
                    f"{kind} combines sweeps, got {part!r}: write fixed(...) or sweep(...)"
                )
        self._kind, self._parts = kind, tuple(parts)

    def plain(self) -> dict[str, Any]:
        return {self._kind: [part.plain() for part in self._parts]}


class _Product(_Combined):
    def __iter__(self) -> Iterator[Point]:
        return self._from(0, {})

    def _from(self, place: int, point: Point) -> Iterator[Point]:
        if place == len(self._parts):
            yield dict(point)
            return
        for other in self._parts[place]:
            yield from self._from(place + 1, _joined(point, other, "product"))

    def __len__(self) -> int:
        count = 1
        for part in self._parts:
            count *= len(part)
        return count


class _Chain(_Combined):
    def __iter__(self) -> Iterator[Point]:
        return (point for part in self._parts for point in part)

    def __len__(self) -> int:
        return sum(map(len, self._parts))


class _Zip(_Combined):
    def __init__(self, kind: str, parts: Sequence[Sweep]) -> None:
        super().__init__(kind, parts)
        sizes = [len(part) for part in parts]
        if len(set(sizes)) > 1:
            raise UsageError(f"zip joins sweeps of one length, got {sizes}")

    def __iter__(self) -> Iterator[Point]:
        for points in zip(*self._parts, strict=True):
            joined: Point = {}
            for point in points:
                joined = _joined(joined, point, "zip")
            yield joined

    def __len__(self) -> int:
        return len(self._parts[0])


def fixed(settings: Mapping[str, Any] | None = None, /, **named: Any) -> Sweep:
    """One point.

    Args:
        settings: By name, for names with a dot.
        **named: The same, for names without.

    Example:
        >>> list(fixed({"method.beta": 4}, method="BetaVAE"))
        [{'method.beta': 4, 'method': 'BetaVAE'}]
    """
    point = {**(settings or {}), **named}
    _check_names(point, "fixed")
    return _Rows("fixed", point, [point])


def sweep(name: str, values: Sequence[Any]) -> Sweep:
    """A point for each value of one setting.

    Example:
        >>> list(sweep("steps", [10, 20]))
        [{'steps': 10}, {'steps': 20}]
    """
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise UsageError(f"sweep {name}: {values!r} is no list of values, such as [1, 2, 4]")
    _check_names({name: None}, "sweep")
    values = list(values)
    if not values:
        raise UsageError(f"sweep {name}: the list of values is empty")
    return _Rows("sweep", {name: values}, [{name: value} for value in values])


def seeds(count: int | Sequence[int]) -> Sweep:
    """A point for each seed: 0 to ``count - 1``, or those of a list.

    Example:
        >>> list(seeds(2))
        [{'seed': 0}, {'seed': 1}]
    """
    if isinstance(count, int) and not isinstance(count, bool):
        if count < 1:
            raise UsageError(f"seeds is {count}: expected at least 1, or a list of seeds")
        numbers = list(range(count))
    elif isinstance(count, Sequence) and not isinstance(count, str) and len(count):
        numbers = list(count)
    else:
        raise UsageError(f"seeds is {count!r}: expected a number of seeds, or a list of them")
    return _Rows("seeds", count, [{"seed": number} for number in numbers])


def zip_(*parts: Sweep) -> Sweep:
    """The first points of all parts together, then the second ones, and so on.

    Example:
        >>> list(zip_(sweep("method.lambda_od", [1, 2]), sweep("method.lambda_d", [10, 20])))[1]
        {'method.lambda_od': 2, 'method.lambda_d': 20}
    """
    return _Zip("zip", parts)


def chain(*parts: Sweep) -> Sweep:
    """The points of the first part, then those of the second, and so on."""
    return _Chain("chain", parts)


def product(*parts: Sweep) -> Sweep:
    """Every combination of a point of each part; the last part varies fastest.

    Raises:
        UsageError: when iterated, if two parts give the same setting.
    """
    return _Product("product", parts)


def from_plain(written: Any, where: str = "sweep") -> Sweep:
    """The expression that plain data, such as a file of YAML, describes.

    Args:
        written: One of ``{"fixed": {...}}``, ``{"sweep": {name: values}}``, ``{"seeds": 5}``,
            ``{"product": [...]}``, ``{"chain": [...]}``, ``{"zip": [...]}``; a list is a product.
        where: What it is part of, for complaints.

    Raises:
        UsageError: for anything else.

    Example:
        >>> len(from_plain([{"sweep": {"method.beta": [1, 4]}}, {"seeds": 3}]))
        6
    """
    if isinstance(written, list):
        written = {"product": written}
    kinds = ("fixed", "sweep", "seeds", "product", "chain", "zip")
    if not isinstance(written, Mapping) or len(written) != 1:
        raise UsageError(
            f"{where} is {_short(written)}: expected one of {', '.join(kinds)} with what it takes"
        )
    ((kind, inside),) = written.items()
    if kind not in kinds:
        raise UsageError(f"{where} has {kind!r}{did_you_mean(str(kind), kinds)} There are "
                         f"{', '.join(kinds)}")  # fmt: skip
    here = f"{where}.{kind}"
    if kind == "seeds":
        return seeds(inside)
    if kind in ("fixed", "sweep"):
        if not isinstance(inside, Mapping) or not inside:
            raise UsageError(f"{here} is {_short(inside)}: expected settings by name")
        if kind == "fixed":
            return fixed(inside)
        parts = [sweep(name, values) for name, values in inside.items()]
        return parts[0] if len(parts) == 1 else product(*parts)
    if not isinstance(inside, list):
        raise UsageError(f"{here} is {_short(inside)}: expected a list of sweeps")
    parts = [from_plain(part, f"{here}[{place}]") for place, part in enumerate(inside)]
    return {"product": product, "chain": chain, "zip": zip_}[kind](*parts)


def _joined(one: Point, two: Point, kind: str) -> Point:
    both = one.keys() & two.keys()
    if both:
        name = min(both)
        raise UsageError(
            f"two parts of a {kind} give {name} ({one[name]!r} and {two[name]!r}): leave one out"
        )
    return {**one, **two}


def _check_names(point: Mapping[Any, Any], kind: str) -> None:
    for name in point:
        if not isinstance(name, str) or not name:
            raise UsageError(f"{kind} has the setting {name!r}: expected a name such as method")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:76]}..."

"""Argument checks: sizes, scales, and the kinds of objects."""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

__all__ = ["annotation", "check_kind", "check_scale", "check_size", "check_sizes", "hints_of"]

_MOST = 1 << 24


def check_size(name: str, value: Any, least: int = 1) -> None:
    """Refuses what is no number of dimensions, components or the like.

    Raises:
        ValueError: naming it.

    Example:
        >>> check_size("latent_dim", -3)
        Traceback (most recent call last):
        ValueError: latent_dim is -3; expected an integer from 1 to 16,777,216
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or not least <= value <= _MOST:
        raise ValueError(f"{name} is {value!r}; expected an integer from {least} to {_MOST:,}")


def check_sizes(name: str, values: Iterable[Any]) -> None:
    """Refuses what are no sizes, naming the place.

    Raises:
        ValueError: naming it.
    """
    for place, value in enumerate(values):
        check_size(f"{name}[{place}]", value)


def check_scale(name: str, value: Any, zero: bool = False) -> None:
    """Refuses what is no positive finite number.

    Args:
        name: Of the argument.
        value: Of the argument.
        zero: Whether 0 is accepted, too.

    Raises:
        ValueError: naming it.
    """
    real = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not real or value < 0 or (value == 0 and not zero):
        raise ValueError(
            f"{name} is {value!r}; expected a "
            + ("finite number from 0 on" if zero else "positive number, and a finite one")
        )


def check_kind(name: str, value: Any, hint: Any) -> None:
    """Refuses an object of another kind than a type annotation says.

    A list may stand for any sequence, a whole number for any number. Which words a `Literal` has,
    and how large numbers are, is left to whoever takes them.

    Args:
        name: Of the argument.
        value: Of the argument.
        hint: Its annotation.

    Raises:
        TypeError: naming the argument, what it is, and what was expected.
        ValueError: for a fraction where whole numbers are expected.

    Example:
        >>> check_kind("weights", "large", Mapping[str, float] | None)
        Traceback (most recent call last):
        TypeError: weights is 'large'; expected a Mapping or None
        >>> check_kind("weights", {"a": "large"}, Mapping[str, float] | None)
        Traceback (most recent call last):
        TypeError: weights['a'] is 'large'; expected a number
        >>> check_kind("names", "size", Sequence[str])
        Traceback (most recent call last):
        TypeError: names is 'size'; expected a Sequence: for example ['size']
    """
    options = get_args(hint) if _is_union(hint) else (hint,)
    option = next((o for o in options if _accepts(o, value)), None)
    if option is not None:
        for label, part, inside in _parts(option, value):
            check_kind(f"{name}[{label!r}]", part, inside)
        return
    if isinstance(value, Real) and int in options and float not in options:
        raise ValueError(f"{name} is {value!r}; expected an integer")
    classes = tuple(c for o in options if inspect.isclass(c := get_origin(o) or o))
    if inspect.isclass(value):
        expected = _words(options)
        if issubclass(value, classes):
            expected = f"an object of it, {value.__name__}(...)"
        raise TypeError(f"{name} is the class {value.__name__}; expected {expected}")
    short = isinstance(value, str | Real) and len(repr(value)) < 60
    text = repr(value) if short else _a(type(value).__name__)
    examples = _examples(value, classes)
    raise TypeError(f"{name} is {text}; expected {_words(options)}{examples}")


@lru_cache(maxsize=1024)
def hints_of(cls: type, function: str = "__init__") -> Mapping[str, Any]:
    """The annotations of the arguments of a class's function, by name, as far as they can be read.

    Those of parents are among them where the function passes keyword arguments on.
    """
    hints: dict[str, Any] = {}
    for owner in cls.__mro__:
        member = owner.__dict__.get(function)
        member = getattr(member, "__func__", member)
        if not inspect.isfunction(member):
            continue
        places = inspect.signature(member).parameters.values()
        for place in places:
            by_name = place.kind not in (place.VAR_KEYWORD, place.VAR_POSITIONAL)
            if by_name and place.name not in hints and place.annotation is not place.empty:
                hints[place.name] = annotation(place, member)
        if not any(place.kind is place.VAR_KEYWORD for place in places):
            break
    return hints


def annotation(parameter: inspect.Parameter, function: Callable[..., Any]) -> Any:
    """The type of a parameter; `Any` where it has none, or one that is imported for types alone."""
    if parameter.annotation is parameter.empty:
        return Any
    holder = types.SimpleNamespace(__annotations__={"it": parameter.annotation})
    try:
        return get_type_hints(holder, globalns=inspect.unwrap(function).__globals__)["it"]
    except Exception:
        return Any


def _accepts(hint: Any, value: Any) -> bool:
    """Whether a value is of a kind; what is inside it is not looked at."""
    cls = get_origin(hint) or hint
    if cls is type(None):
        return value is None
    if cls is int or cls is float:
        number = Integral if cls is int else Real
        return isinstance(value, number) and not isinstance(value, bool)
    if cls is Literal:
        return isinstance(value, tuple({type(word) for word in get_args(hint)}))
    if cls in (Sequence, tuple, list):
        return not isinstance(value, str | Mapping) and isinstance(value, Sized)
    if cls is Any or cls is type or not inspect.isclass(cls) or getattr(cls, "_is_protocol", False):
        return True
    return isinstance(value, cls)


def _parts(hint: Any, value: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Place, value and kind of what is inside a mapping or a sequence."""
    cls, inside = get_origin(hint), get_args(hint)
    if cls is Mapping:
        yield from ((key, part, inside[1]) for key, part in value.items())
    elif isinstance(value, list | tuple):
        if cls in (Sequence, list) or (cls is tuple and inside[1:] == (...,)):
            yield from ((place, part, inside[0]) for place, part in enumerate(value))
        elif cls is tuple:
            yield from ((i, *pair) for i, pair in enumerate(zip(value, inside, strict=False)))


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _words(options: Iterable[Any]) -> str:
    """What an argument may be, in words."""
    words = []
    for option in options:
        origin = get_origin(option)
        if option is None or option is type(None):
            words.append("None")
        elif origin is Literal:
            words += [repr(word) for word in get_args(option)]
        elif option is float or option is int:
            words.append("a number" if option is float else "an integer")
        elif origin is Callable:
            words.append("what can be called: a class, a functools.partial of it, a function")
        else:
            words.append(_a((origin or option).__name__))
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _examples(value: Any, classes: Sequence[type]) -> str:
    """Objects that would do, where a text was given that may have meant one."""
    if not isinstance(value, str):
        return ""
    if Sequence in classes:
        return f": for example [{value!r}]"
    names = sorted({sub.__name__ for cls in classes for sub in _below(cls)})
    plain = value.replace("_", "").replace("-", "").lower()
    matches = [name for name in names if name.lower() == plain] or names[:4]
    return f": for example {', '.join(f'{name}(...)' for name in matches)}" if matches else ""


def _below(cls: type) -> Iterable[type]:
    """The public classes of the same package that derive from a class."""
    if cls.__module__.partition(".")[0] != __name__.partition(".")[0]:
        return
    below: list[type] = cls.__subclasses__()
    for sub in below:
        if not sub.__name__.startswith("_") and not inspect.isabstract(sub):
            yield sub
        yield from _below(sub)


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOaeio' else 'a'} {name}"

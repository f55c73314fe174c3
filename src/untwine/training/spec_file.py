"""The file of a run's spec: read as plain data, and checked for what a spec may say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..reading import parse_yaml, read_text

__all__ = ["check_spec", "names_of", "read_spec"]

_LIMIT = 1 << 22  # bytes; the largest specs hold long lists of rows
_COUNTS = ("batch_size", "devices", "log_every", "checkpoint_every", "validate_every", "patience")
_WORDS = ("precision", "init_from", "monitor")
_PARTS = ("method", "data", "sampler", "schedule", "average", "validation")
_KEYS = ("untwine", *_PARTS, "steps", "seed", "keep", "warmup", "clip", *_WORDS, *_COUNTS)
_ENTRIES = (
    *("class_path", "init_args", "made_by", "parts", "weights", "initial", "changed"),
    *("built_for", "files", "places", "size", "shape", "sha256", "content", "loader"),
)
_LOADER = ("data", "sampler", "batch_size", "seed")  # of a loader that was given as data
_LARGEST = 2**63 - 1


def read_spec(path: Path) -> dict[str, Any]:
    """The spec in a run's folder.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it cannot be read, or says what a spec does not say.
    """
    file = path / "spec.yaml"
    if not file.exists() or file.is_dir():
        raise FileNotFoundError(
            f"{path} is no run: it has no spec.yaml"
            + ("" if path.is_dir() else " (there is no such folder)")
        )
    try:
        spec = parse_yaml(read_text(file, _LIMIT))
        if not isinstance(spec, dict) or "method" not in spec:
            raise ValueError("it does not describe a run")
        check_spec(spec)
    except ValueError as error:
        raise ValueError(f"{file} is damaged: {error}") from error
    return spec


@contextmanager
def names_of(path: Path) -> Iterator[None]:
    """Within, what is refused is what the spec in a run's folder says: errors name the file."""
    file = path / "spec.yaml"
    try:
        yield
    except ImportError as error:
        raise ImportError(f"{file} names what cannot be imported: {error}") from error
    except (ValueError, TypeError) as error:  # an argument is of a wrong kind, or lacks
        raise ValueError(f"{file}: {error}") from error


def check_spec(spec: Mapping[str, Any]) -> None:
    """Refuses keys that a spec does not have, and values of other types than it holds.

    Raises:
        ValueError: naming the key.
    """
    _check_keys("the spec", spec, _KEYS)
    for key in ("method", "data"):
        _check_entry(key, spec.get(key))
    for key in ("sampler", "schedule", "average", "validation"):
        share = key == "validation" and type(spec.get(key)) in (int, float)
        if spec.get(key) is not None and not share:
            _check_entry(key, spec[key])
    if type(spec.get("clip")) not in (int, float, type(None)):
        raise ValueError(f"the spec's 'clip' is {_short(spec['clip'])}; expected a number")
    if spec.get("keep") != "best":
        _check_whole("keep", spec.get("keep"), 1)
    _check_whole("warmup", spec.get("warmup"), 0)
    steps = spec.get("steps")
    for what, number in steps.items() if isinstance(steps, Mapping) else [("steps", steps)]:
        _check_whole(f"steps of stage {what!r}" if what != "steps" else what, number, 1)
    for key in _COUNTS:
        _check_whole(key, spec.get(key), 1)
    _check_whole("seed", spec.get("seed"), 0, 2**64 - 1)
    for key in _WORDS:
        if not isinstance(spec.get(key), str | None):
            raise ValueError(f"the spec's {key!r} is {_short(spec[key])}; expected text")


def _check_entry(key: str, written: Any) -> None:
    """What a method, a data set or a sampler is written as."""
    if not isinstance(written, Mapping) or "class_path" not in written:
        raise ValueError(
            f"the spec's {key!r} is {_short(written)}: expected class_path and init_args"
        )
    loader = _LOADER if written.get("parts") is not None else ()
    _check_keys(f"the spec's {key!r}", written, (*_ENTRIES, *loader))
    if not isinstance(written.get("init_args"), Mapping | None):
        raise ValueError(
            f"init_args of the spec's {key!r} is {_short(written['init_args'])}; expected names "
            "and values"
        )
    _check_paths(key, written)


def _check_paths(key: str, value: Any) -> None:
    """Classes are named by text, wherever a spec names them."""
    if isinstance(value, Mapping):
        path = value.get("class_path", "")
        if not isinstance(path, str):
            raise ValueError(
                f"a class_path in the spec's {key!r} is {_short(path)}; expected a dotted path "
                "such as untwine.methods.VAE"
            )
        if "class_path" in value and not isinstance(value.get("init_args"), Mapping | None):
            raise ValueError(f"init_args of {path} is {_short(value['init_args'])}")
        for part in value.values():
            _check_paths(key, part)
    elif isinstance(value, list):
        for part in value:
            _check_paths(key, part)


def _check_keys(what: str, written: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = [key for key in written if key not in known]
    if unknown:
        raise ValueError(
            f"{what} has the unknown key {_short(unknown[0])}; it may have {', '.join(known)}"
        )


def _check_whole(what: str, number: Any, least: int, most: int = _LARGEST) -> None:
    if number is None:
        return
    if type(number) is not int or not least <= number <= most:
        raise ValueError(
            f"the spec's {what!r} is {_short(number)}; expected an integer from {least} to {most}"
        )


def _short(value: Any) -> str:
    """A value, as far as it fits into a line."""
    text = repr(value)
    return text if len(text) < 80 else f"{text[:76]}..."

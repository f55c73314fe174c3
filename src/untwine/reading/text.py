"""Text, JSON and YAML as data: bounded in size and depth, without aliases and tags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from .files import read_bytes

__all__ = ["parse_json", "parse_yaml", "read_json", "read_text"]

_DEPTH = 64
_DIGITS = 400
_TAGS = {
    f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map")
}


def read_text(path: Path, limit: int | None = None) -> str:
    """The text of a file in UTF-8.

    Raises:
        OSError: if it cannot be opened.
        ValueError: for another encoding, for what is no regular file, and for a larger one.
    """
    try:
        return read_bytes(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not in UTF-8 ({error}): save it in that encoding") from error


def read_json(path: Path, limit: int = 1 << 28) -> Any:
    """What a file of JSON says.

    Raises:
        OSError: if it cannot be opened.
        ValueError: if it is no JSON, or is nested deeper than 64 levels.
    """
    return parse_json(read_text(path, limit))


def parse_json(text: str) -> Any:
    """What JSON says; NaN and infinities are numbers.

    Raises:
        ValueError: if it is no JSON, or is nested deeper than 64 levels.

    Example:
        >>> parse_json("[" * 100000)
        Traceback (most recent call last):
        ValueError: it is nested deeper than 64 levels
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"it is nested deeper than {_DEPTH} levels") from error
    if text.count("[") + text.count("{") > _DEPTH:
        _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(_DEPTH + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += [v for v in item.values() if isinstance(v, dict | list)]
            elif isinstance(item, list):
                below += [v for v in item if isinstance(v, dict | list)]
        if not below:
            return
        level = below
    raise ValueError(f"it is nested deeper than {_DEPTH} levels")


def parse_yaml(text: str) -> Any:
    """What YAML says, if it is plain data: what this library writes into specs.

    Raises:
        ValueError: for what is no YAML, for anchors and aliases (which expand to any size), tags
            and dates, keys that are no text or come twice, and more than 64 levels.

    Example:
        >>> parse_yaml("{steps: 3, method: {class_path: untwine.methods.VAE}}")
        {'steps': 3, 'method': {'class_path': 'untwine.methods.VAE'}}
        >>> parse_yaml("a: &x [1]")
        Traceback (most recent call last):
        ValueError: line 1: anchors (&x) and aliases are not read: write the value out
    """
    try:
        return yaml.load(text, _PlainLoader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise ValueError(f"it is nested deeper than {_DEPTH} levels") from error


class _PlainLoader(yaml.SafeLoader):
    """YAML's safe loader, less what a spec never has."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        line = f"line {event.start_mark.line + 1}"
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            mark = "*" if isinstance(event, yaml.AliasEvent) else "&"
            raise ValueError(
                f"{line}: anchors ({mark}{anchor}) and aliases are not read: write the value out"
            )
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
            raise ValueError(f"{line}: the tag {event.tag} is not read: plain values only")
        if self._depth > _DEPTH:
            raise ValueError(f"{line}: it is nested deeper than {_DEPTH} levels")
        self._depth += 1
        node: Any = super().compose_node(parent, index)
        self._depth -= 1
        if node.tag not in _TAGS:
            if node.tag.startswith("tag:yaml.org,2002:timestamp") and event.implicit[0]:
                node.tag = "tag:yaml.org,2002:str"  # a name such as 2020-01-01
            else:
                raise ValueError(f"{line}: the tag {node.tag} is not read: plain values only")
        kind = node.tag.rpartition(":")[2]
        if kind in ("int", "float") and len(node.value) > _DIGITS:
            raise ValueError(f"{line}: a number of {len(node.value)} characters")
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys: set[str] = set()
        for key, _ in node.value:
            line = f"line {key.start_mark.line + 1}"
            if key.tag != "tag:yaml.org,2002:str":
                raise ValueError(f"{line}: a key must be text, such as 'seed'")
            if key.value in keys:
                raise ValueError(f"{line}: the key {key.value!r} comes twice")
            keys.add(key.value)
        return super().construct_mapping(node, deep)

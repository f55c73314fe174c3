"""Docstrings as plain text: what help and tables are made from."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from typing import Any

from .tex import plain_math

__all__ = ["Docstring", "plain_text"]

_SECTIONS = (
    r"(?:Keyword )?Arg(?:ument)?s|Attributes|Returns|Yields|Raises|Shape|References|Deviations|"
    r"Examples?|Notes?"
)
_HEADING = re.compile(rf"(?P<name>{_SECTIONS}):\s*")
_ENTRY = re.compile(r"(?P<name>\*{0,2}\w+)\s*(?:\([^:]*\))?\s*:\s*(?P<text>.*)", re.DOTALL)
_MATH = re.compile(r":math:`(?P<tex>[^`]*)`")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


@dataclass(frozen=True)
class Docstring:
    """The parts of a docstring in Google's style.

    Attributes:
        summary: The first paragraph, as plain text.
        body: What follows up to the first section, a paragraph each; equations, one line each, are
            indented.
        arguments: Their descriptions by name, as plain text.
        sections: The other sections by name, as plain text.
    """

    summary: str = ""
    body: tuple[str, ...] = ()
    arguments: dict[str, str] = field(default_factory=dict)
    sections: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, documented: Any) -> Docstring:
        """The docstring of a class or function itself; empty if only a parent has one."""
        own = getattr(documented, "__doc__", None)
        if not own:
            return cls()
        blocks, sections = _split(inspect.cleandoc(own))
        arguments: dict[str, str] = {}
        for name in ("Args", "Arguments", "Keyword Args", "Keyword Arguments"):
            arguments |= _entries(sections.pop(name, ""))
        body = tuple(text for block in blocks[1:] for text in _paragraphs(block))
        return cls(
            plain_text(blocks[0]) if blocks else "",
            body,
            arguments,
            {name: plain_text(text) for name, text in sections.items()},
        )

    @property
    def equations(self) -> tuple[str, ...]:
        """The displayed equations, a line each."""
        return tuple(text.strip() for text in self.body if text.startswith(" "))

    @property
    def paper(self) -> str:
        """The first reference, as authors and year; empty without one."""
        text = self.sections.get("References", "").partition("http")[0]
        authors, quoted, rest = text.partition('"')
        year = _YEAR.search(rest.partition('"')[2] if quoted else text)
        if not year:
            return ""
        names = [part.strip() for part in authors.split(",") if part.strip()]
        return f"{_names(names if quoted else names[:1])} {year[0]}"

    @property
    def link(self) -> str:
        """The first link among the references; empty without one."""
        found = re.search(r"https?://[^\s,;]+", self.sections.get("References", ""))
        return found[0].rstrip(".") if found else ""


def plain_text(text: str) -> str:
    r"""Takes the markup out of a paragraph, and its line breaks.

    Example:
        >>> plain_text(r":math:`\beta`, the weight of ``kl``, see `KL`")
        'β, the weight of kl, see KL'
    """
    text = _MATH.sub(lambda found: plain_math(found["tex"]), text)
    text = re.sub(r":\w+:`~?([^`]*)`", r"\1", text)
    text = re.sub(r"``([^`]*)``|`([^`]*)`", lambda found: found[1] or found[2], text)
    text = re.sub(r"(?<!\S)\*(\S[^*]*\S)\*(?!\*)", r"\1", text)
    return " ".join(text.split())


def _names(names: list[str]) -> str:
    if len(names) > 2:
        return f"{names[0]} et al."
    return " and ".join(names)


def _split(text: str) -> tuple[list[str], dict[str, str]]:
    """Paragraphs before the first section, and the sections' text."""
    blocks: list[str] = []
    sections: dict[str, str] = {}
    name = None
    for block in re.split(r"\n\s*\n", text):
        lines = block.splitlines()
        found = _HEADING.fullmatch(lines[0]) if lines else None
        if found:
            name = found["name"]
            sections[name] = inspect.cleandoc("\n" + "\n".join(lines[1:]))
        elif name is not None and lines and lines[0].startswith(" "):
            sections[name] += "\n\n" + inspect.cleandoc("\n" + block)
        else:
            name = None
            blocks.append(block)
    return blocks, sections


def _paragraphs(block: str) -> list[str]:
    """Text and displayed equations of a block; equations are indented."""
    if block.startswith(" "):  # the next equation of the same display
        return ["  " + plain_math(block)]
    before, display, tex = block.partition(".. math::")
    found = [plain_text(before)] if before.strip() else []
    return [*found, "  " + plain_math(tex)] if display else found


def _entries(section: str) -> dict[str, str]:
    """The entries of a section of arguments; an entry's further lines are indented."""
    found = {}
    for entry in re.split(r"\n(?=\S)", section):
        match = _ENTRY.fullmatch(entry)
        if match:
            found[match["name"].lstrip("*")] = plain_text(match["text"])
    return found

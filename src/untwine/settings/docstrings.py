"""Docstrings in Google's style as plain text: what help and tables are made from."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from docstring_parser import ParseError
from docstring_parser.google import DEFAULT_SECTIONS, GoogleParser, Section, SectionType

from .tex import plain_math

__all__ = ["Docstring", "plain_text"]

_TEXTS = ("References", "Deviations", "Shape", "Note", "Notes")
_SECTIONS = [Section(title, title, SectionType.SINGULAR) for title in _TEXTS]
_PARSER = GoogleParser([*DEFAULT_SECTIONS, *_SECTIONS])


@dataclass(frozen=True)
class Docstring:
    """The parts of a docstring.

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
        text = inspect.cleandoc(documented.__doc__ or "")
        try:
            docstring = _PARSER.parse(text)
        except ParseError:  # of another style: its first words are still worth showing
            return cls(plain_text(text.partition("\n\n")[0]))
        blocks = re.split(r"\n\s*\n", docstring.description or "")
        return cls(
            plain_text(blocks[0]),
            tuple(line for block in blocks[1:] for line in _paragraphs(block)),
            {p.arg_name.lstrip("*"): plain_text(p.description or "") for p in docstring.params},
            {
                m.args[0]: plain_text(m.description or "")
                for m in docstring.meta
                if len(m.args) == 1
            },
        )

    @property
    def equations(self) -> tuple[str, ...]:
        """The displayed equations, a line each."""
        return tuple(text.strip() for text in self.body if text.startswith(" "))

    @property
    def paper(self) -> str:
        """The first reference, as authors and year; empty without one."""
        text = self.sections.get("References", "").partition("http")[0]
        authors, quote, tail = text.partition('"')
        year = re.search(r"\b(?:19|20)\d\d\b", tail.partition('"')[2] if quote else text)
        names = [part.strip() for part in authors.split(",") if part.strip()]
        names = names if quote else names[:1]
        who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
        return f"{who} {year[0]}" if year else ""

    @property
    def link(self) -> str:
        """The first link among the references; empty without one."""
        link = re.search(r"https?://[^\s,;]+", self.sections.get("References", ""))
        return link[0].rstrip(".") if link else ""


def plain_text(text: str) -> str:
    r"""Takes the markup out of a paragraph, and its line breaks.

    Example:
        >>> plain_text(r":math:`\beta`, the weight of ``kl``, see `KL`")
        'β, the weight of kl, see KL'
    """
    text = re.sub(r":math:`([^`]*)`", lambda math: plain_math(math[1]), text)
    text = re.sub(r":\w+:`~?([^`]*)`", r"\1", text)
    text = re.sub(r"``([^`]*)``|`([^`]*)`", lambda code: code[1] or code[2], text)
    text = re.sub(r"(?<!\S)\*(\S[^*]*\S)\*(?!\*)", r"\1", text)
    return " ".join(text.split())


def _paragraphs(block: str) -> Iterator[str]:
    """Text and displayed equations of a block; equations are indented."""
    before, _, tex = block.partition(".. math::")
    if block.startswith(" "):  # the next equation of the same display
        before, tex = "", block
    if before.strip():
        yield plain_text(before)
    if tex.strip():
        yield "  " + plain_math(tex)

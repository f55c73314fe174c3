"""Tables of text: aligned lines, HTML, and rich's for a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["TextTable"]


@dataclass(frozen=True)
class TextTable:
    """Cells under a header; the first column is aligned to the left, the others to the right.

    Attributes:
        title: Above the table.
        header: Of the columns.
        rows: As many cells each.
        notes: Lines below the table.
        prose: Whether the last column is text, to the left and wrapped.

    Example:
        >>> print(TextTable("Sizes", ["name", "size"], [["a", "12"], ["bc", "3"]]).text())
        Sizes
        name  size
        ----  ----
        a       12
        bc       3
    """

    title: str
    header: list[str]
    rows: list[list[str]]
    notes: tuple[str, ...] = ()
    prose: bool = False

    def text(self) -> str:
        """Aligned lines."""
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        lines = []
        for row in [self.header, ["-" * width for width in widths], *self.rows]:
            cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
            cells[0] = row[0].ljust(widths[0])
            if self.prose:
                cells[-1] = row[-1]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(filter(None, [self.title, *lines, *self.notes]))

    def html(self) -> str:
        """A ``<table>``, and the notes below it."""
        head = "".join(f"<th>{escape(title)}</th>" for title in self.header)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self.rows
        )
        notes = "<br>".join(map(escape, self.notes))
        return (
            f"<table><caption>{escape(self.title)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><small>{notes}</small>"
        )

    def rich(self) -> Table:
        """A table of rich's."""
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=self.title,
            title_justify="left",
            caption=Text("\n".join(self.notes)) if self.notes else None,
            caption_justify="left",
        )
        for i, title in enumerate(self.header):
            last = self.prose and i == len(self.header) - 1
            justify = "left" if i == 0 or last else "right"
            table.add_column(title, justify=justify, overflow="fold", no_wrap=not last)  # type: ignore[arg-type]
        for row in self.rows:
            table.add_row(*row)
        return table

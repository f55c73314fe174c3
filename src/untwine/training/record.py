"""Training log: a JSON object per line, `log.jsonl`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from ..methods.method import Loss
from ..reading import opened, parse_json
from .files import explained, replace_file

__all__ = ["Record", "merged", "numbers", "read_record"]

Row = dict[str, Any]
_LONGEST = 1 << 24  # bytes of a line
_MOST = 2**63


class Record:
    """The rows of a log, in memory and, where a path is given, in a file of JSON lines.

    Args:
        path: Appended to; every row is written at once.
        keep: Which rows of an earlier part of the run remain; those that it made after its last
            checkpoint will be made again.
    """

    def __init__(self, path: Path | None = None, keep: Callable[[Row], bool] | None = None) -> None:
        self.rows: list[Row] = []
        self._path = path
        self._file: IO[str] | None = None
        if path is not None:
            if os.path.lexists(path):
                if path.exists():
                    self.rows = [row for row in read_record(path) if keep is None or keep(row)]
                # always: a link is replaced, and what it leads to is not written to
                replace_file(path, "".join(map(_line, self.rows)).encode())
            with explained(path):
                self._file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, row: Row) -> None:
        """Adds a row.

        Raises:
            CheckpointError: if the disk is full.
        """
        self.rows.append(row)
        if self._file is not None and self._path is not None:
            with explained(self._path):
                self._file.write(_line(row))

    def close(self) -> None:
        """Closes the file; the rows stay."""
        if self._file is not None:
            self._file.close()
            self._file = None


def read_record(path: Path) -> list[Row]:
    """The rows of a file; a last line that a killed process left unfinished is dropped.

    Raises:
        OSError: if it cannot be opened.
        ValueError: naming the line, if another one is no row of a log; for what is no regular file.
    """
    rows: list[Row] = []
    bad: tuple[int, ValueError] | None = None
    with opened(path) as file:
        for number, line in enumerate(iter(lambda: file.readline(_LONGEST), b""), 1):
            if bad is not None and line.strip():
                raise ValueError(
                    f"{path}, line {bad[0]} is damaged ({bad[1]}): delete that line to read the "
                    "rest"
                ) from bad[1]
            if not line.strip():
                continue
            try:
                rows.append(_row(line))
            except ValueError as error:
                bad = number, error
    return rows


def _row(line: bytes) -> Row:
    row = parse_json(line.decode("utf-8"))
    if not isinstance(row, dict):
        raise ValueError("it is no object")
    for name, value in row.items():
        if name == "stage":
            fits = isinstance(value, str)
        elif name == "step":
            fits = type(value) is int and 0 <= value < _MOST
        elif name == "seconds":
            fits = type(value) in (int, float) and 0 <= value < _MOST
        else:
            fits = (
                value is None or type(value) is float or (type(value) is int and abs(value) < _MOST)
            )
        if not fits:
            raise ValueError(f"{name!r} is {repr(value)[:80]}")
    return row


def merged(losses: Mapping[str, Loss], player: str, loss: Loss) -> dict[str, Loss]:
    """The losses of a step with one more; a player's several moves become one loss."""
    if player in losses:
        loss = Loss(**{**losses[player], **loss})
    return {**losses, player: loss}


def numbers(
    losses: Mapping[str, Loss], average: Callable[[Tensor], Tensor] = lambda values: values
) -> dict[str, float]:
    """Terms, totals and changing weights by name; one transfer from the device.

    Args:
        losses: By player.
        average: Over the processes, of a vector.

    Example:
        >>> loss = Loss(nll=torch.tensor(2.0), kl=(torch.tensor(0.5), torch.tensor(4.0)))
        >>> numbers({"vae": loss})
        {'vae/nll': 2.0, 'vae/kl': 4.0, 'vae/kl.weight': 0.5, 'vae/total': 4.0}
    """
    named: dict[str, Tensor] = {}
    for player, loss in losses.items():
        for term, value in loss.terms.items():
            named[f"{player}/{term}"] = value
            weight = loss.weights[term]
            if isinstance(weight, Tensor):
                named[f"{player}/{term}.weight"] = weight
        named[f"{player}/total"] = loss.total
    if not named:
        return {}
    wide = any(value.dtype == torch.float64 for value in named.values())
    dtype = torch.float64 if wide else torch.float32
    values = torch.stack([value.detach().to(dtype).reshape(()) for value in named.values()])
    return dict(zip(named, average(values).tolist(), strict=True))


def _line(row: Row) -> str:
    return json.dumps(row) + "\n"

"""What happened during training, as one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from ..methods.method import Loss
from .files import explained, replace_file

__all__ = ["Record", "merged", "numbers", "read_record"]

Row = dict[str, Any]


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
            if path.exists():
                self.rows = [row for row in read_record(path) if keep is None or keep(row)]
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
        ValueError: naming the line, if another one is no JSON object.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    rows: list[Row] = []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("it is no object")
        except ValueError as error:
            if number >= len(lines) - 1:
                break
            raise ValueError(
                f"{path}, line {number} is damaged ({error}): delete that line to read the rest"
            ) from error
        rows.append(row)
    return rows


def merged(losses: Mapping[str, Loss], player: str, loss: Loss) -> dict[str, Loss]:
    """The losses of a step with one more; a player's several moves become one loss."""
    if player in losses:
        both = Loss()
        both.terms = losses[player].terms | loss.terms
        both.weights = losses[player].weights | loss.weights
        loss = both
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

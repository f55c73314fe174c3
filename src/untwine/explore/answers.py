"""Answers of the explorer's server: what its page asks of workbenches, checked and in bytes."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..reading.text import parse_json
from ..report.subject import data_name
from .workbench import Start, Workbench

__all__ = ["Answers"]

_MOST_TEXT = 4 * 2**20  # bytes of JSON
_MOST_ROWS = 200  # of a table on the page


class Answers:
    """What is asked of workbenches by name, as bytes; all that is wrong is a `ValueError`.

    Args:
        benches: In the order in which the page shows them.
    """

    def __init__(self, benches: Sequence[Workbench]) -> None:
        self.benches = list(benches)

    def runs(self) -> bytes:
        """Everything that the page needs to know before the first question."""
        return _json([self._about(bench) for bench in self.benches])

    def start(self, bench: Workbench, row: str) -> bytes:
        """An observation of the data, its code, and what is decoded of it."""
        if not row.isascii() or not row.isdigit() or len(row) > 12:
            raise ValueError(f"row is {row[:20]!r}; expected the number of an observation")
        return _json(_shown(bench, bench.start(int(row))))

    def point(self, bench: Workbench, point: str) -> bytes:
        """The observation that is a point of the map."""
        if not point.isascii() or not point.isdigit() or len(point) > 12:
            raise ValueError(f"point is {point[:20]!r}; expected the number of a point")
        row = bench.atlas.rows[bench.atlas.check([int(point)])[0]]
        return _json(_shown(bench, bench.start(int(row))))

    def draw(self, bench: Workbench, seed: str) -> bytes:
        """A code from the prior."""
        if not seed.isascii() or not seed.isdigit() or len(seed) > 9:
            raise ValueError(f"seed is {seed[:20]!r}; expected a number")
        return _json({"code": _rounded(bench.draw(int(seed)))})

    def encode(self, bench: Workbench, content: bytes, row: str) -> bytes:
        """The code of a picture, and what is decoded of it."""
        number = int(row) if row.isascii() and row.isdigit() and len(row) < 12 else None
        return _json(_shown(bench, bench.encode(content, _row(bench, number))))

    def decode(self, bench: Workbench, body: bytes) -> bytes:
        """Pictures of codes, row by row, three bytes for each pixel."""
        question = _object(body)
        codes = _codes(question)
        return bench.decode(codes, _row(bench, question.get("row"))).tobytes()

    def decoder(self, bench: Workbench) -> bytes:
        """The decoder with its weights, for a page that runs it; ``null`` where none can."""
        inline = bench.inline
        if inline is None:
            return b"null"
        return _json({"program": inline.program, "weights": inline.text})

    def film(self, bench: Workbench, body: bytes) -> bytes:
        """A film of codes, as GIF."""
        question = _object(body)
        pace = question.get("milliseconds", 60)
        if not isinstance(pace, int):
            raise ValueError(f"milliseconds is {pace!r:.40}; expected a whole number")
        return bench.film(_codes(question), _row(bench, question.get("row")), pace)

    def points(self, bench: Workbench, axes: Sequence[str], since: str) -> bytes:
        """Points of the map from a number on: float32 of each axis or color, one after another."""
        if not since.isascii() or not since.isdigit() or len(since) > 12:
            raise ValueError(f"since is {since[:20]!r}; expected the number of a point")
        atlas, start = bench.atlas, int(since)
        stop = atlas.count  # it grows meanwhile
        columns = [atlas.color(axis, start)[: max(0, stop - start)] for axis in axes]
        return b"".join(np.ascontiguousarray(c, "<f4").tobytes() for c in columns)

    def direction(self, bench: Workbench, body: bytes) -> bytes:
        """The direction that separates two groups of points."""
        question = _object(body)
        direction = bench.direction(_points(question, "first"), _points(question, "second"))
        accuracy = direction.accuracy
        return _json(
            {
                "step": _rounded(_padded(bench, direction.step)),
                "normal": _rounded(_padded(bench, direction.normal)),
                "share": _rounded(direction.share),
                "accuracy": None if math.isnan(accuracy) else round(accuracy, 4),
            }
        )

    def table(self, bench: Workbench, body: bytes) -> bytes:
        """The first 200 of some points, as a table."""
        points = _points(_object(body), "points")
        header, rows = bench.table(points[:_MOST_ROWS])
        return _json({"header": header, "rows": rows, "total": len(points)})

    def csv(self, bench: Workbench, body: bytes) -> bytes:
        """All of some points, as a file of comma-separated values."""
        header, rows = bench.table(_points(_object(body), "points"))
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *rows])
        return text.getvalue().encode("utf-8")

    def lines(self, bench: Workbench, body: bytes) -> bytes:
        """Lines of Python that decode a code."""
        question = _object(body)
        code = bench.check(_codes(question))[0].tolist()
        return bench.lines(code, _row(bench, question.get("row"))).encode("utf-8")

    def _about(self, bench: Workbench) -> dict[str, Any]:
        space, atlas = bench.data.space, bench.atlas
        return {
            "name": bench.name,
            "method": type(bench.method).__name__,
            "data": data_name(bench.data),
            "size": list(bench.size),
            "codeDim": bench.code_dim,
            "measure": bench.measure,
            "measureInWords": bench.measure_in_words,
            "knobs": [asdict(knob) for knob in bench.knobs],
            "parts": [asdict(part) for part in bench.parts],
            "factors": [
                {"name": name, "size": size, "kind": kind, "values": list(values)}
                for name, size, kind, values in zip(
                    space.names,
                    space.sizes,
                    space.kinds or [None] * len(space.names),
                    [bench.data.values.get(name, ()) for name in space.names],
                    strict=True,
                )
            ],
            "axes": atlas.axes,
            "rows": len(bench.data),
            "points": atlas.count,
            "pointsInAll": len(atlas.rows),
            "takesPictures": bench.takes_pictures,
            "start": _shown(bench, bench.start(int(atlas.rows[0]))),
        }


def _shown(bench: Workbench, start: Start) -> dict[str, Any]:
    """An observation with the picture that its code is decoded to, rounded as the page has it."""
    code = _rounded(start.code)
    decoded = bench.decode([code], start.row)[0]
    return {
        "code": code,
        "row": start.row,
        "factors": dict(start.factors or {}),
        "picture": base64.b64encode(start.picture.tobytes()).decode("ascii"),
        "decoded": base64.b64encode(decoded.tobytes()).decode("ascii"),
    }


def _padded(bench: Workbench, direction: np.ndarray) -> np.ndarray:
    """A direction of the code's dimensions; classes at its end stay."""
    return np.concatenate([direction, np.zeros(bench.label_dim)])


def _rounded(values: np.ndarray) -> list[float]:
    return np.round(np.asarray(values, np.float64), 4).tolist()


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("utf-8")


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > _MOST_TEXT:
        raise ValueError(f"{len(body):,} bytes of JSON; expected at most {_MOST_TEXT:,}")
    try:
        value = parse_json(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError("the question is not in UTF-8") from error
    if not isinstance(value, dict):
        raise ValueError("the question is no JSON object")
    return value


def _codes(question: dict[str, Any]) -> np.ndarray:
    try:
        return np.asarray(question.get("codes"), np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError("codes are no lists of numbers of one length") from error


def _points(question: dict[str, Any], name: str) -> list[int]:
    points = question.get(name)
    if not isinstance(points, list) or not all(type(p) is int and p < 2**40 for p in points):
        raise ValueError(f"{name} is no list of numbers of points")
    return points


def _row(bench: Workbench, row: object) -> int | None:
    if row is None:
        return None
    if type(row) is not int or not 0 <= row < len(bench.data):
        raise ValueError(f"row is {row!r:.40}; expected an observation, 0 to {len(bench.data) - 1}")
    return row

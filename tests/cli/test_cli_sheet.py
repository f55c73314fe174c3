"""`untwine data NAME --sheet` and `--out`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from untwine.cli import main
from untwine.cli.sheet import chosen
from untwine.data import Arrays, DSprites


def test_rows_of_a_sheet_change_one_factor():
    data = DSprites()
    rows = chosen(data)
    assert [title for title, _ in rows] == ["", *data.space.names]
    for title, numbers in rows[1:]:
        table = data.factors[numbers]
        moved = [n for k, n in enumerate(data.space.names) if len(set(table[:, k])) > 1]
        assert moved == [title]
        assert (np.diff(table[:, data.space.position(title)]) > 0).all()


def test_a_table_with_holes_has_a_sheet_too():
    factors = np.array([[0, 0], [1, -1], [1, 2], [0, 2]])
    rows = chosen(Arrays(np.zeros((4, 8, 8), np.uint8), factors))
    assert [title for title, _ in rows] == ["", "factor0", "factor1"]
    assert all(0 <= n < 4 for _, numbers in rows for n in numbers)


def test_a_picture_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["data", "DSprites", "--out", "sheet.png"]) == 0
    with Image.open("sheet.png") as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape[1] > 8 * 64
    assert pixels.shape[0] > 6 * 64
    assert len(np.unique(pixels)) > 1
    assert "sheet.png" in capsys.readouterr().out
    x = np.random.default_rng(0).random((12, 3, 8, 8))
    np.savez("mine.npz", x=x, factors=np.arange(12) % 3)
    assert main(["data", "mine.npz", "--out", "mine.png"]) == 0
    assert main(["data", "Npz", "--path", "mine.npz", "--out", "again.png"]) == 0
    assert Path("mine.png").read_bytes() == Path("again.png").read_bytes()


def test_the_terminal_shows_blocks_of_color(monkeypatch, capsys):
    assert main(["data", "DSprites", "--sheet"]) == 0
    out = capsys.readouterr().out
    assert "▀" in out
    assert "posX" in out
    assert max(map(len, out.splitlines())) <= 120


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data", "DSprites", "--out", "sheet.gif"], "ends in .png"),
        (["data", "--sheet"], "name a data set"),
        (["data", "Npz", "--sheet"], "--path"),
        (["data", "none.npz", "--sheet"], "there is no file"),
    ],
)
def test_what_cannot_be_shown_is_one_line(words, message, capsys):
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1

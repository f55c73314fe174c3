"""`untwine data NAME --sheet` and `--out`."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from untwine.cli import main
from untwine.cli.sheet import chosen, write_sheet
from untwine.data import Arrays, DSprites, MovingSprites
from untwine.settings.errors import UsageError
from untwine.training import Run


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


def test_clips_are_rows_of_frames_that_differ_in_one_factor(tmp_path):
    data = MovingSprites(length=16)
    write_sheet(data, tmp_path / "clips.png")
    with Image.open(tmp_path / "clips.png") as sheet:
        pixels = np.asarray(sheet)
    scale = (pixels.shape[0] - 8 + 4) // 8 - 4  # the side of a frame
    first = chosen(data)[0][1][0]
    size = [n for title, row in chosen(data) if title == "scale" for n in row]
    for row, clip in ((0, first), (2, max(size, key=lambda n: abs(n - first)))):
        x = data.observations([clip])[0]
        for column, frame in ((0, 0), (7, 15)):
            top, left = 4 + row * (scale + 4), 116 + column * (scale + 4)
            cell = pixels[top : top + scale, left : left + scale, 0]
            side = np.arange(64) * scale // 64
            assert (cell[np.ix_(side, side)] == 255 * x[frame, 0].numpy()).all()


def test_what_is_no_picture_is_refused(tmp_path):
    data = Arrays(np.zeros((4, 5, 6, 6), np.float32), layout="CHW")
    with pytest.raises(UsageError, match="cannot be drawn"):
        write_sheet(data, tmp_path / "none.png")


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


def test_factors_of_file_names_are_rows_of_a_sheet(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("faces").mkdir()
    for who, pose in itertools.product("ab", (0, 30, 60)):
        Image.new("L", (16, 16), pose).save(f"faces/{who}_{pose}.png")
    pattern = "{who}_{pose:int}.png"
    assert main(["data", "faces/", "--pattern", pattern, "--out", "sheet.png"]) == 0
    assert "who 2, pose 3" in capsys.readouterr().out
    words = [
        "train",
        "--data",
        "faces/",
        "--data.pattern",
        pattern,
        "--method",
        "VAE",
        "--steps",
        "1",
    ]
    assert main([*words, "--out", "run"]) == 0
    assert Run.load("run").data.space.names == ("who", "pose")
    assert main(["data", "faces/", "--pattern", "{who}.jpg", "--sheet"]) == 2
    assert "a_0.png does not match the pattern" in capsys.readouterr().err
    assert main(["data", "DSprites", "--pattern", pattern, "--sheet"]) == 2
    assert "takes no --pattern" in capsys.readouterr().err
    assert main(["data", "faces/", "--pattern", pattern]) == 2

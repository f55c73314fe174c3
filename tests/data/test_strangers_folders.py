"""Folders of images and tables as people have them: each is read right, or refused in a line.

A case is a folder's files, what is asked of `Folder`, and what its error must name. `IMAGES` are
ways to write a file; a number in a name is just a number.
"""

import io
import os
import re

import numpy as np
import pytest
from PIL import Image

from untwine.data import Folder, FolderOnDisk

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".pgm": "PPM",
    ".ppm": "PPM",
}


def image(mode="L", size=(8, 8), kind="PNG", value=128):
    """A file's bytes."""
    made = Image.new("L", size, value).convert("RGBA" if mode == "P+" else mode)
    options = {}
    if mode == "P+":  # a palette one of whose colors is transparent
        made, options = made.convert("RGB").convert("P"), {"transparency": 0}
        made.paste(0, (0, 0, 4, 4))
    elif "A" in mode:
        made.putalpha(100)
    buffer = io.BytesIO()
    made.save(buffer, kind, **options)
    return buffer.getvalue()


GOOD = image()
BAD = {}


def bad(name, files, says, **asked):
    assert name not in BAD
    BAD[name] = files, asked, says


for suffix, kind in FORMATS.items():
    whole = image("RGB", (32, 32), kind)
    broken = rf"9\{suffix} cannot be read as an image"
    bad(f"half a {suffix}", {"0.png": GOOD, f"9{suffix}": whole[: len(whole) // 2]}, broken)
    bad(f"an empty {suffix}", {"0.png": GOOD, f"9{suffix}": b""}, broken)
    bad(f"text called {suffix}", {"0.png": GOOD, f"9{suffix}": b"no image\n" * 9}, broken)

for size in ((9, 8), (8, 9), (1, 1), (16, 4), (4, 16), (80, 80)):
    said = rf"9\.png has {size[1]} x {size[0]} pixels but .*0\.png has 8 x 8 .*pass size="
    bad(f"sizes of {size}", {"0.png": GOOD, "9.png": image(size=size)}, said)

for mode in ("LA", "RGBA", "P+"):
    said = r"9\.png has transparent pixels.*background=255"
    bad(f"transparent {mode}", {"0.png": image("RGB"), "9.png": image(mode)}, said)

for mode, kind, name in (("I;16", "PNG", "png"), ("I", "TIFF", "tif"), ("F", "TIFF", "tif")):
    said = rf"9\.{name} has more than 8 bits per pixel"
    bad(f"deep {mode} {name}", {"0.png": GOOD, f"9.{name}": image(mode, kind=kind)}, said)

for name, files in {
    "nothing": {},
    "a note": {"read.me": b"x"},
    "folders": {"a/": None, "b/c/": None},
    "folders called images": {"a.png/": None},
    "hidden ones": {".a.png": GOOD},
    "those of a notebook": {".ipynb_checkpoints/a.png": GOOD},
    "those of an archiver": {"__MACOSX/a.png": GOOD},
    "other formats": {"a.psd": GOOD, "b.svg": GOOD, "c.heic": GOOD},
    "names without suffix": {"a": GOOD},
}.items():
    bad(f"no images but {name}", files, r"there are no images in .*: looked for \.png")

for name, files in {
    "one beside a class": {"a/0.png": GOOD, "9.png": GOOD},
    "two levels and one": {"a/0.png": GOOD, "a/b/9.png": GOOD},
    "a class within a class": {"a/0.png": GOOD, "b/c/9.png": GOOD},
    "train, and test by class": {"test/x/0.png": GOOD, "train/9.png": GOOD},
}.items():
    bad(f"depths: {name}", files, r"subfolders but .*all images must lie equally deep")

for size in (0, -1, (0, 8), (8, 0), (-1, -1)):
    bad(f"size {size}", {"0.png": GOOD}, "size is .*expected at least 1 pixel", size=size)
for color in (-1, 256, (0, 0), (0, 0, 256), (1, 2, 3, 4)):
    said = "background is .*; expected a grey value, or red, green and blue"
    bad(f"background {color}", {"0.png": GOOD}, said, background=color)
CLASSES = {"a/0.png": GOOD, "b/0.png": GOOD}
bad("names: too many", CLASSES, "names has 2", names=["a", "b"])
bad("names: two alike", {"a/b/0.png": GOOD}, "two factors are named 'a'", names=["a", "a"])
bad("kinds: unknown", CLASSES, "'round'", kinds=["round"])
bad("kinds: of nobody", CLASSES, "kinds names factor 'x'", kinds={"x": "real"})
bad("kinds: too many", CLASSES, "kinds is", kinds=["real", "real"])

for name, (text, said) in {
    "nothing": (b"", r"t\.csv has the columns \[\]"),
    "blank lines": (b"\n\n\n", r"t\.csv has the columns \[\]"),
    "no column of files": (b"a,b\n1,2\n", r"t\.csv has the columns \['a', 'b'\]; one of them"),
    "no header": (b"0.png,1\n", r"t\.csv has the columns \['0.png', '1'\]; one of them"),
    "semicolons": (b"file;kind\n0.png;1\n", r"t\.csv has the columns \['file;kind'\]"),
    "tabs": (b"file\tkind\n0.png\t1\n", r"t\.csv has the columns"),
    "a header alone": (b"file,kind\n", r"t\.csv has a header but no rows"),
    "a header and blanks": (b"file,kind\n\n\n", r"t\.csv has a header but no rows"),
    "a short row": (b"file,kind\n0.png\n", r"row 1 of .*t\.csv has 1 cells; expected 2"),
    "a long row": (b"file,kind\n0.png,1,2\n", r"row 1 of .*t\.csv has 3 cells; expected 2"),
    "a comma at the end": (b"file,kind\n0.png,1\n0.png,1,\n", "row 2 of .*has 3 cells"),
    "decimal commas": (b"file,kind\n0.png,1,5\n", "row 1 of .*has 3 cells; expected 2"),
    "an open quote": (b'file,kind\n0.png,"1\n0.png,2\n', r"t\.csv is no table of comma-separated"),
    "a file that is not there": (b"file,kind\n7.png,1\n", r"7\.png, which is not there"),
    "a path of another system": (b"file,kind\na\\0.png,1\n", r"0\.png, which is not there"),
    "an address": (b"file,kind\nhttp://x/0.png,1\n", r"which is not there"),
    "an empty name": (b"file,kind\n,1\n", "cannot be read|not there|folder|regular"),
    "the folder itself": (b"file,kind\n.,1\n", "cannot be read|not there|folder|regular"),
    "the table itself": (b"file,kind\nt.csv,1\n", r"t\.csv cannot be read as an image"),
    "a path upwards": (b"file,kind\n../../up.png,1\n", "not there|leads out of"),
    "two columns of one name": (b"file,a,a\n0.png,1,2\n", "two columns of .*'a'"),
    "two columns of files": (b"file,file\n0.png,0.png\n", "two columns of .*'file'"),
    "infinite": (b"file,kind\n0.png,inf\n", "'kind' is infinite"),
    "infinite below": (b"file,kind\n0.png,-inf\n", "'kind' is infinite"),
    "too large": (b"file,kind\n0.png,1e400\n", "'kind' is infinite"),
    "below -1": (b"file,kind\n0.png,-7\n0.png,1\n", "'kind' is -7"),
    "UTF-16": ("file,kind\n0.png,1\n".encode("utf-16"), r"t\.csv is not in UTF-8"),
    "Latin-1": ("file,größe\n0.png,1\n".encode("latin-1"), r"t\.csv is not in UTF-8"),
    "a null character": (b"file,kind\n0\0.png,1\n", "not there|no table"),
    "a huge cell": (b'file,kind\n0.png,"' + b"a" * 200_000 + b'"\n', "no table of comma"),
    "a spreadsheet": (b"PK\3\4" + bytes(range(256)), r"t\.csv is not in UTF-8|has the columns"),
}.items():
    bad(f"table: {name}", {"0.png": GOOD, "t.csv": text}, said, csv="t.csv")
bad("table: not there", {"0.png": GOOD}, "there is no table t.csv", csv="t.csv")
bad("table: a folder", {"0.png": GOOD, "t.csv/": None}, r"t\.csv", csv="t.csv")


NAMED = {"b_5.png": GOOD, "a_30.png": GOOD, "a_-7.png": GOOD}
for name, (pattern, said) in {
    "another separator": ("{who}-{pose}.png", r"a_-7\.png.* does not match the pattern|a_30\.png"),
    "a word for a number": ("{who:int}_{pose:int}.png", r"a_-7\.png does not match.*3 of 3 files"),
    "one that does not": ("{who}_{pose}0.png", r"a_-7\.png does not match .*\(2 of 3 files"),
    "another suffix": ("{who}_{pose}.jpg", r"a_-7\.png does not match"),
    "a part of the name": (r"(?P<who>\w)", r"a_-7\.png does not match"),
    "no factor": ("*.png", r"pattern is '\*\.png'; expected factors in braces"),
    "nothing": ("", "pattern is ''; expected factors in braces"),
    "an open brace": ("{who}_{pose.png", "expected factors in braces"),
    "no name": ("{}_{pose}.png", r"in which \{\} is no factor"),
    "no type": ("{who}_{pose:integer}.png", r"\{pose:integer\} is no factor: .*\{name:int\}"),
    "twice": ("{who}_{who}.png", "'who' is there twice"),
    "groups twice": (r"(?P<who>.)_(?P<who>.*)\.png", "no regular expression"),
    "an open bracket": (r"(?P<who>.", "no regular expression"),
    "folders that are not there": ("{side}/{who}_{pose}.png", "does not match.*the whole path"),
}.items():
    bad(f"pattern: {name}", NAMED, said, pattern=pattern)
both = {**NAMED, "t.csv": b"file,kind\na_30.png,1\n"}
bad("pattern and table", both, "csv and pattern", pattern="{who}_{pose}.png", csv="t.csv")


def write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.write_bytes(content)


@pytest.mark.filterwarnings("ignore:.*hidden images")
@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", BAD)
def test_it_is_refused_in_a_line_of_its_own(tmp_path, name):
    files, asked, says = BAD[name]
    write(tmp_path, files)
    with pytest.raises((ValueError, TypeError, OSError)) as caught:
        Folder(tmp_path, **asked)
    message = str(caught.value)
    assert re.search(says, message), message
    assert len(message) < 500 + 2 * len(str(tmp_path))
    trace = caught.value.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    assert f"{os.sep}untwine{os.sep}" in trace.tb_frame.f_code.co_filename


def test_there_are_a_hundred():
    assert len(BAD) >= 100


PLAIN = {
    "a pattern": (NAMED, {"pattern": "{who}_{pose:int}.png"}, [[0, 0], [0, 2], [1, 1]]),
    "groups": (
        NAMED,
        {"pattern": r"(?P<who>\w)_(?P<pose>-?\d+)\.png"},
        [[0, 0], [0, 2], [1, 1]],
    ),
    "a group that takes no part": (
        NAMED,
        {"pattern": r"\w_(?P<turned>-)?(?P<by>\d+)\.png"},
        [[0, 1], [-1, 2], [-1, 0]],
    ),
    "a pattern of folders": (
        {"l/9/0.5.png": GOOD, "r/10/0.25.png": GOOD},
        {"pattern": "{side}/*/{light:float}.png"},
        [[0, 1], [1, 0]],
    ),
    "a pattern at any depth": (
        {"x/a.png": GOOD, "b.png": GOOD},
        {"pattern": "{who}.png"},
        [[1], [0]],
    ),
    "capital suffixes": ({"A/0.PNG": GOOD, "B/0.PNG": GOOD}, {}, [[0], [1]]),
    "spaces and umlauts": ({"ä ö/0 1.png": GOOD, "ü/é.png": GOOD}, {}, [[0], [1]]),
    "numbers in the order of text": ({"10/0.png": GOOD, "9/0.png": GOOD}, {}, [[0], [1]]),
    "notes beside": ({"a/0.png": GOOD, "read.me": b"x", "a/b.txt": b""}, {}, [[0]]),
    "hidden ones beside": ({"a/0.png": GOOD, "a/.0.png": b"", ".x/0.png": b""}, {}, [[0]]),
    "a mark of UTF-8": (
        {"0.png": GOOD, "t.csv": b"\xef\xbb\xbffile,kind\n0.png,1\n0.png,2\n"},
        {"csv": "t.csv"},
        [[1], [2]],
    ),
    "lines of another system": (
        {"0.png": GOOD, "t.csv": b"file,kind\r\n0.png,0\r\n0.png,1\r\n"},
        {"csv": "t.csv"},
        [[0], [1]],
    ),
    "an empty cell": (
        {"0.png": GOOD, "t.csv": b"file,kind\n0.png,\n0.png,1\n"},
        {"csv": "t.csv"},
        [[-1], [1]],
    ),
    "-1 and 1": (
        {"0.png": GOOD, "t.csv": b"file,kind\n0.png,-1\n0.png,1\n"},
        {"csv": "t.csv"},
        [[0], [1]],
    ),
    "the file last": (
        {"0.png": GOOD, "t.csv": b"kind,Path\na,0.png\nb,0.png\n"},
        {"csv": "t.csv"},
        [[0], [1]],
    ),
}


@pytest.mark.filterwarnings("ignore:.*hidden images")
@pytest.mark.parametrize("kind", [Folder, FolderOnDisk])
def test_what_was_written_into_names_is_read_from_them(tmp_path, kind, monkeypatch):
    monkeypatch.setenv("UNTWINE_DATA", str(tmp_path / "kept"))
    rng = np.random.default_rng(0)
    people, poses, lights = rng.integers(0, 12, 40), rng.integers(-3, 4, 40), rng.integers(0, 4, 40)
    rows = zip(people, poses, lights, strict=True)
    names = [
        f"{k:02} p{who}_{30 * pose}_{light / 4}.png" for k, (who, pose, light) in enumerate(rows)
    ]
    write(tmp_path / "images", dict.fromkeys(names, GOOD))
    pattern = "* p{who}_{pose:int}_{light:float}.png"
    data = kind(tmp_path / "images", pattern=pattern, kinds={"light": "real"})
    assert data.space.names == ("who", "pose", "light")
    assert data.space.kinds == ("nominal", "ordinal", "real")
    for k, (name, values) in enumerate(
        {"who": people, "pose": 30 * poses, "light": lights / 4}.items()
    ):
        texts = np.array(data.values[name])[data.factors[:, k]]
        np.testing.assert_array_equal(texts.astype(float), values)
        assert (np.diff(np.array(data.values[name], float)) > 0).all()


@pytest.mark.parametrize("name", PLAIN)
def test_it_is_read(tmp_path, name):
    files, asked, factors = PLAIN[name]
    write(tmp_path, files)
    data = Folder(tmp_path, **asked)
    np.testing.assert_array_equal(data.factors, factors)
    assert data.observations(range(len(data))).mean().item() == pytest.approx(128 / 255)

"""Bundles: a run in one .zip, which opens without its data."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ..reading import regular_file
from .files import explained, replace_file
from .portable import PORTABLE, check_names, new_folder, write_portable

__all__ = ["read_bundle", "write_bundle"]

_STORED = ("model.safetensors",)
_DATE = (1980, 1, 1, 0, 0, 0)


def write_bundle(files: Mapping[str, bytes], path: Path) -> None:
    """Writes the files of a run into one .zip; the same files give the same bytes.

    Raises:
        ValueError: for a name that does not end in .zip.
    """
    if path.suffix.lower() != ".zip":
        raise ValueError(f"the bundle is {path}; expected a name that ends in .zip")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            kind = zipfile.ZIP_STORED if name in _STORED else zipfile.ZIP_DEFLATED
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, compress_type=kind)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content.getvalue())


def read_bundle(path: Path, out: Path) -> None:
    """Unpacks a bundle into a new folder.

    A bundle may come from anywhere: it has the names of a run's files and no others, no paths, no
    links; each is read up to a limit, and weights are stored as they are, so that they are no
    larger than the bundle.

    Raises:
        FileExistsError: if the folder holds something already.
        ValueError: for what is no bundle, naming what is wrong.
    """
    file = regular_file(path)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            check_names([entry.filename for entry in entries], path)
            for entry in entries:
                _check(entry, path)
            with new_folder(out) as folder:
                for entry in entries:
                    with archive.open(entry) as stream:
                        write_portable({entry.filename: stream}, folder)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise ValueError(f"{path} is no bundle, or a damaged one: {error}") from error


def _check(entry: zipfile.ZipInfo, path: Path) -> None:
    """Refuses what is encrypted, packed in an unusual way, or larger than such a file may be."""
    name, limit = entry.filename, PORTABLE[entry.filename]
    if entry.flag_bits & 1:
        raise ValueError(f"{name} in {path} is encrypted; expected a plain bundle")
    allowed = (
        (zipfile.ZIP_STORED,) if name in _STORED else (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    )
    if entry.compress_type not in allowed:
        raise ValueError(
            f"{name} in {path} is packed in another way than bundles are: make it again with "
            "untwine export RUN --to bundle"
        )
    if limit is not None and entry.file_size > limit:
        raise ValueError(
            f"{name} in {path} has {entry.file_size:,} bytes; expected at most {limit:,}"
        )

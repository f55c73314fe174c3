"""Downloads of published files: asked for by name, resumed, and compared with their checksum."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ..reading import expanded, opened, regular_file

__all__ = ["Published", "data_folder", "published_file"]

_PIECE = 1 << 20
_TIMEOUT = 30.0


@dataclass(frozen=True)
class Published:
    """A published file.

    Attributes:
        folder: Of the data set, within `data_folder`.
        name: Of the file.
        size: What it takes, in words.
        urls: Where it is, best first. Addresses of others come and go: they are tried in turn.
        digest: ``"md5:..."`` or ``"sha256:..."`` of its bytes; empty where none is published.
    """

    folder: str
    name: str
    size: str
    urls: tuple[str, ...] = ()
    digest: str = ""


def data_folder() -> Path:
    """Where downloads and converted files are kept.

    ``UNTWINE_DATA``, if that is set; otherwise ``untwine`` in the user's folder for caches.
    """
    place = os.environ.get("UNTWINE_DATA")
    if place:
        return expanded(place)
    return expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "untwine"


def published_file(
    source: Published, path: str | Path | None, download: bool, owner: str, verify: bool = True
) -> Path:
    """A published file: the one that a user names, the one that is kept, or a download.

    Args:
        source: Which file.
        path: Where the user has it: the file, or the folder in which it is.
        download: Whether it may be fetched.
        owner: The data set, for messages.
        verify: Whether the bytes of a download are compared with the published digest.

    Raises:
        FileNotFoundError: if it is not there, saying what to do.
        ConnectionError: if no address answers.
        ValueError: for a download with other bytes than were published.
    """
    if path is not None:
        place = expanded(path)
        return regular_file(place / source.name if place.is_dir() else place)
    place = data_folder() / source.folder / source.name
    if place.is_file():
        return place
    if not download:
        fetch = f", or download=True to fetch it ({source.size})" if source.urls else ""
        raise FileNotFoundError(
            f"{owner} needs its published file {source.name}, which is not in {place.parent}: give "
            f"path={fetch}"
        )
    if not source.urls:
        raise FileNotFoundError(
            f"{source.name} of {owner} cannot be fetched by a program: get it by hand and put it "
            f"into {place.parent}, or give path="
        )
    return _fetch(source, place, verify)


def _fetch(source: Published, place: Path, verify: bool) -> Path:
    """Downloads into ``NAME.part``, which the next call goes on with, and renames what is whole."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.part")
    failures: list[str] = []
    for url in source.urls:
        try:
            _continue(url, part, source.name)
        except OSError as error:
            failures.append(f"{url}: {error}")
            continue
        digest = _digest(part, source.digest.partition(":")[0]) if source.digest else ""
        if verify and source.digest and digest != source.digest:
            part.unlink()
            failures.append(f"{url}: its bytes are {digest}, published were {source.digest}")
            continue
        part.replace(place)
        return place
    wrong = any("its bytes are" in failure for failure in failures)
    advice = f"get {source.name} by hand and put it into {place.parent}, or give path="
    kind = ValueError if wrong else ConnectionError
    raise kind(f"{source.name} could not be downloaded ({'; '.join(failures)}): {advice}")


def _continue(url: str, part: Path, name: str) -> None:
    """Fetches what is missing of a file; a server that cannot go on begins again."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

    have = part.stat().st_size if part.exists() else 0
    request = Request(url, headers={"User-Agent": "untwine"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urlopen(request, timeout=_TIMEOUT)
    except OSError as error:
        if have and isinstance(error, HTTPError) and error.code == 416:  # nothing is missing
            return
        raise
    with answer:
        if answer.status != 206:
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        columns = (*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn())
        with part.open("ab" if have else "wb") as file, Progress(*columns) as bar:
            task = bar.add_task(name, total=total, completed=have)
            while piece := answer.read(_PIECE):
                file.write(piece)
                bar.advance(task, len(piece))
    if total is not None and part.stat().st_size < total:
        raise ConnectionError(f"it broke off after {part.stat().st_size:,} of {total:,} bytes")


def _digest(path: Path, kind: str) -> str:
    with opened(path) as file:
        return f"{kind}:{hashlib.file_digest(file, kind).hexdigest()}"

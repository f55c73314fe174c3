"""Final weights of a run: their checksum, and the checkpoint in the place of damaged ones."""

from __future__ import annotations

import hashlib
import re
import warnings
from pathlib import Path

from torch import nn

from ..methods.snapshot import tensors_digest
from ..reading import opened, read_text
from .checkpoint import CheckpointError, Checkpoints
from .files import replace_file
from .weights import load_weights, read_weights, weights

__all__ = ["final_digest", "forget_final", "load_final", "write_final"]

_WEIGHTS, _CHECKSUM = "model.safetensors", "model.sha256"
_LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  model\.safetensors\n?")


def write_final(folder: Path, module: nn.Module) -> None:
    """Writes the final weights and their checksum, unless both are there and agree.

    Warns:
        UserWarning: if damaged weights were there.
    """
    file, checksum = folder / _WEIGHTS, folder / _CHECKSUM
    damage = None if not file.exists() else _damage(folder)
    if not file.exists() or damage is not None:
        checksum.unlink(missing_ok=True)  # never beside weights that it is not of
        replace_file(file, weights(module))
    if damage is not None:
        warnings.warn(f"{damage}; written again from the run's last checkpoint", stacklevel=2)
    line = f"{_file_digest(file)}  {_WEIGHTS}\n"
    if not checksum.exists():
        replace_file(checksum, line.encode())


def forget_final(folder: Path) -> None:
    """Removes final weights that are final no more."""
    (folder / _WEIGHTS).unlink(missing_ok=True)
    (folder / _CHECKSUM).unlink(missing_ok=True)


def load_final(folder: Path, module: nn.Module) -> None:
    """Puts a run's final weights, or those of its newest checkpoint, into a module.

    Warns:
        UserWarning: if the run has not finished, or its final weights are damaged.

    Raises:
        ValueError: if they are of another model.
        CheckpointError: if there are none.
    """
    file = _sound(folder, stacklevel=4)
    load_weights(module, file)


def final_digest(folder: Path) -> str:
    """`tensors_digest` of the weights that `load_final` would take, without the module.

    Raises:
        CheckpointError: if there are none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # told when they are loaded
        return tensors_digest(read_weights(_sound(folder, stacklevel=1)))


def _sound(folder: Path, stacklevel: int) -> Path:
    """The final weights, or the newest checkpoint's."""
    file = folder / _WEIGHTS
    if file.exists():
        reason = _damage(folder)
        if reason is None:
            return file
    else:
        reason = f"the run has not finished: there is no {_WEIGHTS}"
    newest = Checkpoints(folder / "checkpoints").newest()
    if newest is None:
        raise CheckpointError(f"{folder} has no weights: {reason}, and there are no checkpoints")
    warnings.warn(f"{reason}; taking the weights of {newest.path}", stacklevel=stacklevel)
    return newest.path / _WEIGHTS


def _damage(folder: Path) -> str | None:
    """What is wrong with the final weights, if anything."""
    file, checksum = folder / _WEIGHTS, folder / _CHECKSUM
    try:
        read_weights(file)
    except (ValueError, OSError) as error:
        return str(error)
    if checksum.exists():
        try:
            line = _LINE.fullmatch(read_text(checksum, 1 << 10))
        except (OSError, ValueError) as error:
            return f"{checksum} cannot be read ({error})"
        if line is None:
            return f"{checksum} is damaged: expected a SHA-256 and {_WEIGHTS}"
        expected: str | None = line["digest"]
    else:  # written by a version that kept none: the last checkpoint holds the same bytes
        expected = Checkpoints(folder / "checkpoints").last_digest()
    if expected is not None and _file_digest(file) != expected:
        return f"the checksum of {file} is wrong: it was damaged after it was written"
    return None


def _file_digest(path: Path) -> str:
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

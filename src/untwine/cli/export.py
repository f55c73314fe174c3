"""`untwine export`: a run for programs that know nothing of untwine, or for another machine."""

from __future__ import annotations

from typing import Literal

from ..settings.classes import trusted
from .results import load
from .screen import console

__all__ = ["export"]


def export(
    run: str,
    *,
    to: Literal["onnx", "torch", "bundle"] = "onnx",
    out: str | None = None,
    data: str | None = None,
    trust: str | None = None,
) -> int:
    """Writes encoder and decoder of a run as ONNX or torch.export, or the run into one .zip.

    Exported parts take batches of any size, and are compared with torch before they are written. A
    bundle holds spec, weights, log, scores and report; it opens without the run's data.

    Args:
        run: a run's folder
        to: onnx and torch are folders of two files and a description, bundle is one .zip.
        out: The folder, or the .zip; by default named after the format, in the run's folder.
        data: Where the run's data is, if it is no more where it was.
        trust: Packages of your own, with commas, whose code the run's spec may name.
    """
    from ..reading import expanded

    name = "bundle.zip" if to == "bundle" else to
    target = expanded(run) / name if out is None else expanded(out)
    loaded = load(run, trusted(trust), data)
    screen = console()
    if to == "bundle":
        screen.print(str(loaded.bundle(target)), markup=False, soft_wrap=True)
        return 0
    written = loaded.export(to, target)
    for part, file in written.files.items():
        note = f"deviates from torch by {written.deviations[part]:.0e} at most"
        screen.print(f"{file}  {note}", markup=False, soft_wrap=True)
    for reason in written.refused.values():
        screen.print(f"note: {reason}", markup=False, soft_wrap=True)
    return 0

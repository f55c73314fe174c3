"""`untwine export` and `push`: a run for other programs, for another machine, or on a hub."""

from __future__ import annotations

from typing import Literal

from ..settings.classes import trusted
from .results import load
from .screen import console

__all__ = ["export", "push"]


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


def push(
    run: str,
    repository: str,
    *,
    license: str | None = None,
    tags: list[str] = [],  # noqa: B006
    private: bool = False,
    data: str | None = None,
    trust: str | None = None,
) -> int:
    """Publishes a run on a hub, with a model card made from it.

    The hub is that of the environment's HF_ENDPOINT; huggingface_hub looks for a token in HF_TOKEN
    or where its login command left one. Where the data was on this machine is left out.

    Args:
        run: a run's folder
        repository: the repository, OWNER/NAME, which is made if there is none
        license: As the hub names it, such as mit; none is stated otherwise.
        tags: Beside those that every card has.
        private: Make a repository that only its owner sees.
        data: Where the run's data is, if it is no more where it was.
        trust: Packages of your own, with commas, whose code the run's spec may name.
    """
    loaded = load(run, trusted(trust), data)
    address = loaded.push_to_hub(repository, license=license, tags=tags, private=private)
    console().print(address, markup=False, soft_wrap=True)
    return 0

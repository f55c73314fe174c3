"""`untwine diagnose`: a verdict on a run, its figures and its numbers."""

from __future__ import annotations

import io
import json
import math
from typing import Any

from ..settings.classes import trusted
from ..settings.errors import UsageError
from .results import load
from .screen import console

__all__ = ["diagnose"]


def diagnose(
    run: str,
    *,
    n: int = 500,
    beta: float | None = None,
    samples: int = 4,
    seed: int = 0,
    data: str | None = None,
    trust: str | None = None,
    out: str | None = None,
    quiet: bool = False,
) -> int:
    """Says what a run's code does and why: dimensions in use, whether they cross, what that costs.

    Writes diagnosis.json and figures beside it, into the run's folder unless told otherwise.

    Args:
        run: a run's folder
        n: Observations to diagnose on.
        beta: The weight of the KL divergence in training, where the method does not say.
        samples: Of each posterior, for the parts of the ELBO.
        seed: Of observations and samples.
        data: Where the run's data is, if it is no more where it was.
        trust: Packages of your own, with commas, whose code the run's spec may name.
        out: A folder for the figures and the numbers; diagnosis in the run's folder by default.
        quiet: Print the verdict alone, one sentence.
    """
    from ..diagnostics import diagnose
    from ..reading import expanded
    from ..training.files import make_folder, replace_file

    folder = expanded(run) / "diagnosis" if out is None else expanded(out)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder with --out")
    loaded = load(run, trusted(trust), data)
    make_folder(folder if out is None else folder.resolve())
    found = diagnose(loaded.method, loaded.data, n=n, beta=beta, samples=samples, seed=seed)
    screen = console()
    screen.print(found.verdict if quiet else str(found), markup=False, soft_wrap=True)
    numbers = {"verdict": found.verdict, "n": n, "seed": seed, **found.numbers()}
    text = json.dumps(_finite(numbers), indent=1)
    replace_file(folder / "diagnosis.json", f"{text}\n".encode())
    for name, canvas in figures(found).items():
        picture = io.BytesIO()
        canvas.savefig(picture, format="png", dpi=150)
        replace_file(folder / f"{name}.png", picture.getvalue())
    if not quiet:
        screen.print(f"\n{folder}", markup=False, soft_wrap=True)
    return 0


def figures(found: Any) -> dict[str, Any]:
    """The figures of a diagnosis, by name."""
    from .. import plots

    made: dict[str, Any] = {}
    if found.elbo is not None:
        made["elbo_parts"] = plots.elbo_parts(found.elbo)
    if found.activity is not None:
        made["dimension_kl"] = plots.dimension_kl(found.activity.kl.numpy())
    seams = found.orthogonality
    if seams is not None:
        if seams.dims:
            made["column_cosines"] = plots.column_cosines(seams)
        made["seam_gaps"] = plots.seam_gaps(seams)
        if seams.learned is not None:
            made["posterior_widths"] = plots.posterior_widths(seams)
    return made


def _finite(value: Any) -> Any:
    """Plain data without NaN and infinity, which JSON lacks."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list) else value

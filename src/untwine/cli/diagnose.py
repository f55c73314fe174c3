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
    axes: int = 0,
    level: str | None = None,
    region: str | None = None,
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
        axes: So many directions in which the decoder changes most, with a picture of each.
        level: Of a hierarchy, the level that these directions are of.
        region: Rows and columns of the image in which they act, such as 0:14,7:21.
        seed: Of observations and samples.
        data: Where the run's data is, if it is no more where it was.
        trust: Packages of your own, with commas, whose code the run's spec may name.
        out: A folder for the figures and the numbers; diagnosis in the run's folder by default.
        quiet: Print the verdict alone, one sentence.
    """
    from ..diagnostics import LatentModel, axes_of, diagnose
    from ..reading import expanded
    from ..training.files import make_folder, replace_file

    folder = expanded(run) / "diagnosis" if out is None else expanded(out)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder with --out")
    if not axes and (level is not None or region is not None):
        raise UsageError("--level and --region say which axes: add --axes 5")
    loaded = load(run, trusted(trust), data)
    mask = None if region is None else region_mask(region, loaded.data.shape)
    make_folder(folder if out is None else folder.resolve())
    found = diagnose(loaded.method, loaded.data, n=n, beta=beta, samples=samples, seed=seed)
    screen = console()
    screen.print(found.verdict if quiet else str(found), markup=False, soft_wrap=True)
    numbers = {"verdict": found.verdict, "n": n, "seed": seed, **found.numbers()}
    drawn = figures(found)
    if axes:
        if not isinstance(loaded.method, LatentModel):
            name = type(loaded.method).__name__
            raise UsageError(f"--axes is of methods that decode codes, which {name} does not")
        walks = axes_of(loaded.method, loaded.data, k=axes, level=level, mask=mask, seed=seed)
        numbers["axes"] = {**walks.axes.numbers(), "level": level, "region": region}
        drawn["axes"] = draw_walks(walks, mask)
        if not quiet:
            screen.print(f"\n{walks}", markup=False, soft_wrap=True)
    text = json.dumps(_finite(numbers), indent=1)
    replace_file(folder / "diagnosis.json", f"{text}\n".encode())
    for name, canvas in drawn.items():
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


def draw_walks(walks: Any, mask: Any) -> Any:
    """The figure of the walks from the first start."""
    from .. import plots

    images, values = walks.images[0].cpu().numpy(), walks.places.tolist()
    if images.ndim == 5:
        return plots.direction_grid(images, walks.labels, mask=mask, values=values)
    return plots.traversal_grid(images, walks.labels, values=values)


def region_mask(text: str, shape: Any) -> Any:
    """The mask ``(H, W)`` of rows and columns such as ``0:14,7:21``."""
    import numpy as np
    import torch

    if not isinstance(shape, tuple) or len(shape) != 3:
        raise UsageError(f"--region is of images, but observations have shape {shape}")
    parts = [part.split(":") for part in text.split(",")]
    try:
        slices = tuple(slice(int(first), int(last)) for first, last in parts)
    except ValueError:
        slices = ()
    if len(slices) != 2:
        raise UsageError(f"--region is {text!r}; expected rows and columns such as 0:14,7:21")
    mask = np.zeros(shape[1:], bool)
    mask[slices] = True
    return torch.from_numpy(mask)


def _finite(value: Any) -> Any:
    """Plain data without NaN and infinity, which JSON lacks."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list) else value

"""`untwine sample`: what a run draws, given a class, a component or a part, and what it edits."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..settings.classes import trusted
from ..settings.errors import UsageError
from .edit import ALL, edited, pair, valued
from .results import load
from .screen import console

if TYPE_CHECKING:
    from ..training import Run

__all__ = ["sample"]


def sample(
    run: str,
    *,
    condition: list[str] = [],  # noqa: B006
    covariates: str | None = None,
    like: str | None = None,
    between: list[int] = [],  # noqa: B006
    set: list[str] = [],  # noqa: B006
    rows: list[int] = [],  # noqa: B006
    n: int = 16,
    seed: int = 0,
    out: str | None = None,
    data: str | None = None,
    trust: str | None = None,
) -> int:
    """Draws observations from a run: at random, given something, between two others, or edited.

    Writes a picture, or an array.

    Args:
        run: a run's folder
        condition: Values by name, such as digit=3, component=0 or category=all, a row for each.
        covariates: Of what is drawn, with commas, as many as the data has.
        like: A part to keep, and whose it is, such as content=17: the rest is drawn.
        between: Two observations of the run's data: codes go from one to the other, decoded.
        set: Values of factors, such as scale=2.5 or shape=all, that observations are given.
        rows: Which observations of the run's data are given them; by default n drawn at random.
        n: How many; positions on the way between two.
        seed: Of what is drawn.
        out: A name that ends in .png or .npy; samples.png in the run's folder by default.
        data: Where the run's data is, if it is no more where it was.
        trust: Packages of your own, with commas, whose code the run's spec may name.
    """
    from ..reading import expanded
    from ..training.files import replace_file

    target = expanded(run) / "samples.png" if out is None else expanded(out)
    if target.suffix not in (".png", ".npy"):
        raise UsageError(f"--out is {target}; expected a name that ends in .png or .npy")
    if sum((bool(condition), like is not None, bool(between), bool(set))) > 1:
        raise UsageError("--condition, --like, --between and --set are four ways: take one")
    if rows and not set:
        raise UsageError("--rows says which observations --set edits: give --set name=value")
    loaded = load(run, trusted(trust), data)
    if like is not None:
        images, labels, title = _like(loaded, like, n, seed)
    elif between:
        images, labels, title = _between(loaded, between, n)
    elif set:
        images, labels, title = edited(loaded, set, rows, n, seed)
    else:
        images, labels, title = _drawn(loaded, condition, covariates, n, seed)
    if target.suffix == ".npy":
        content = io.BytesIO()
        np.save(content, images)
        replace_file(target, content.getvalue())
    else:
        _picture(target, images, labels, title)
    console().print(str(target), markup=False, soft_wrap=True)
    return 0


def _drawn(
    run: Run, condition: list[str], covariates: str | None, n: int, seed: int
) -> tuple[np.ndarray, list[str], str | None]:
    """Samples ``(n, ...)``, or ``(K, n, ...)`` where one is drawn for each value of a name."""
    from ..methods import SamplesGiven
    from ..use import condition_of, sample

    c = None if covariates is None else _numbers(covariates)
    words, swept = valued("--condition", condition)
    known = run.data if words and not all(w.isdigit() or w == ALL for w in words.values()) else None
    fixed = condition_of(run.method, {k: v for k, v in words.items() if k not in swept}, known)
    if not swept:
        title = ", ".join(f"{k} = {v}" for k, v in words.items()) or None
        return _array(sample(run.method, n, fixed, c=c, seed=seed)), [], title
    method = run.method
    sizes = method.conditions() if isinstance(method, SamplesGiven) else {}
    name = next(iter(condition_of(method, {swept[0]: "0"})))
    if name not in sizes:
        sample(method, 1, {name: 0}, seed=seed)  # says what there is
    rows = [
        _array(sample(method, n, {**fixed, name: k}, c=c, seed=seed)) for k in range(sizes[name])
    ]
    return np.stack(rows), [str(k) for k in range(len(rows))], name


def _like(run: Run, text: str, n: int, seed: int) -> tuple[np.ndarray, list[str], str | None]:
    from ..use import sample_like

    part, row = pair("--like", text)
    if not row.isdigit():
        raise UsageError(f"--like is {text!r}; expected the number of an observation: content=17")
    images = sample_like(run.method, run.data.batch([int(row)]), part, n, seed=seed)
    return _array(images[0]), [], f"{part} of observation {row}"


def _between(run: Run, rows: list[int], n: int) -> tuple[np.ndarray, list[str], str | None]:
    from ..use import interpolate

    if len(rows) != 2:
        raise UsageError(f"--between has {len(rows)} observations; expected two")
    a, b = (run.data.batch([row]) for row in rows)
    return _array(interpolate(run.method, a, b, n)), [f"{rows[0]} to {rows[1]}"], None


def _picture(target: Path, images: np.ndarray, labels: list[str], title: str | None) -> None:
    from .. import plots
    from ..training.files import replace_file

    canvas: Any = (
        plots.samples_by_class(images, labels, title=title) if labels else plots.samples(images)
    )
    content = io.BytesIO()
    canvas.savefig(content, format="png", dpi=150, bbox_inches="tight")
    replace_file(target, content.getvalue())


def _array(images: Any) -> np.ndarray:
    if isinstance(images, dict):
        raise UsageError(
            f"samples are of several modalities ({', '.join(images)}): draw them in Python, by "
            "untwine.use.sample"
        )
    return images.cpu().numpy()


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f"--covariates is {text!r}; expected numbers with commas") from error

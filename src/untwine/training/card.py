"""Model cards: a run in Markdown, for a hub that shows it beside its files."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from .._version import __version__
from ..evaluation import Evaluation
from ..methods.method import Method

__all__ = ["card"]

_SETTINGS = ("steps", "batch_size", "seed", "precision", "warmup", "clip", "patience")


def card(
    spec: Mapping[str, Any],
    method: Method,
    steps: int,
    scores: Evaluation | None = None,
    *,
    name: str = "OWNER/NAME",
    license: str | None = None,
    tags: Sequence[str] = (),
) -> str:
    """A model card: what the model is, data, settings, scores, and how to load it.

    Args:
        spec: Of the run.
        method: What was trained.
        steps: Moves made.
        scores: Of the weights, if they were measured.
        name: Of the repository.
        license: As the hub names it, such as ``"mit"``; none is stated otherwise.
        tags: Beside those that every card has.

    Example:
        >>> import untwine as ut, numpy as np
        >>> data = ut.FactorDataset.from_arrays(np.zeros((20, 4), "f4"))
        >>> method = ut.methods.BetaVAE.build(data, latent_dim=2, beta=3.0, seed=0)
        >>> run = ut.fit(method, data, steps=1, progress=False)
        >>> text = card(run.spec, method, 1, license="mit")
        >>> "license: mit" in text, "| beta | 3.0 |" in text
        (True, True)
    """
    kind = type(method).__name__
    written = spec["method"]
    head = {
        **({} if license is None else {"license": license}),
        "library_name": "untwine",
        "tags": list(
            dict.fromkeys(["disentanglement", "representation-learning", "pytorch", kind, *tags])
        ),
    }
    about = (inspect.getdoc(type(method)) or kind).split("\n\n")[0]
    built = written.get("built_for") or {}
    shape = built.get("shape") or {n: p.get("shape") for n, p in built.get("parts", {}).items()}
    parameters = sum(p.numel() for p in method.parameters())
    trust = "" if written["class_path"].startswith("untwine.") else _trust(written["class_path"])
    lines = [
        "---",
        yaml.safe_dump(head, sort_keys=False).strip(),
        "---",
        "",
        f"# {name.rpartition('/')[2]}",
        "",
        f"`{kind}` of [Untwine](https://pypi.org/project/untwine): {' '.join(about.split())}",
        "",
        f"It has {parameters:,} parameters"
        + (f" and represents observations of shape `{shape}`." if shape else "."),
        "",
        "## How to load it",
        "",
        "```python",
        "import untwine as ut",
        "",
        f'run = ut.Run.from_hub("{name}"{trust})',
        "codes = run.method.represent(x).mean",
        "```",
        "",
        "Nothing that is loaded executes code: weights are safetensors, and the spec names classes "
        "of untwine" + (" and of what is trusted by name." if trust else "."),
        "",
        "## Data",
        "",
        _data(spec["data"], built),
        "",
        "## Training",
        "",
        *_table(("setting", "value"), _settings(spec, steps)),
        "",
        "## Scores",
        "",
        *_scores(scores),
        "",
        "## Licence",
        "",
        f"`{license}`" if license else "None was stated by those who published it.",
        "",
        f"Made from the run by untwine {__version__}.",
        "",
    ]
    return "\n".join(lines)


def _trust(path: str) -> str:
    return f', trust=["{path.partition(".")[0]}"]'


def _data(written: Mapping[str, Any], built: Mapping[str, Any]) -> str:
    kind = str(written.get("class_path", "")).rpartition(".")[2] or "data made by hand"
    size = f", {built['size']:,} observations" if "size" in built else ""
    names = built.get("names") or []
    sizes = built.get("sizes") or []
    factors = ", ".join(f"{n} ({s})" for n, s in zip(names, sizes, strict=False))
    told = f" Factors, with their numbers of values: {_plain(factors)}." if factors else ""
    return f"`{kind}`{size}. The data is not part of the repository.{told}"


def _settings(spec: Mapping[str, Any], steps: int) -> list[tuple[str, str]]:
    rows = [("steps made", f"{steps:,}")]
    for key in _SETTINGS:
        if spec.get(key) is not None:
            rows.append((key, _value(spec[key])))
    for name, value in (spec["method"].get("init_args") or {}).items():
        rows.append((name, _value(value)))
    return rows


def _scores(scores: Evaluation | None) -> list[str]:
    if scores is None or not scores.scores:
        return ["None were measured."]
    rows = [(name, f"{float(score):.4g}") for name, score in scores.scores.items()]
    return _table(("metric", "value"), rows)


def _table(head: tuple[str, str], rows: Sequence[tuple[str, str]]) -> list[str]:
    return [
        f"| {head[0]} | {head[1]} |",
        "| --- | --- |",
        *(f"| {_plain(a)} | {_plain(b)} |" for a, b in rows),
    ]


def _value(value: Any) -> str:
    """A setting as text: an object as its class and its arguments."""
    if isinstance(value, Mapping) and "class_path" in value:
        arguments = (value.get("init_args") or {}).items()
        inside = ", ".join(f"{k}={_value(v)}" for k, v in arguments)
        return f"{str(value['class_path']).rpartition('.')[2]}({inside})"
    return str(value)


def _plain(text: str) -> str:
    """Text that breaks no table and makes no markup."""
    return re.sub(r"([|<>`\[\]\\])", r"\\\1", " ".join(text.split()))[:300]

"""The line of `untwine train`: words and files of options, alone or as a small study."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from ..settings.classes import trusted
from ..settings.docstrings import Docstring
from ..settings.errors import UsageError, did_you_mean
from ..settings.options import options
from ..settings.tree import Tree
from ..spec import locate
from .files import DATA_FILES
from .line import entries, line, split
from .screen import console
from .train import train

__all__ = ["read_line", "run"]

_USAGE = "usage: untwine train --method NAME --data NAME --steps N [--out RUN] [options]\n"
_EPILOG = """\
A class is named by its short name, or by the dotted path of your own: --method mypackage.MyVAE.
What it takes becomes options: --method.penalty TotalCorrelation --method.penalty.beta 6. Without
its name, one argument of a default changes alone: --method.optimizer.lr 3e-4. Several values of an
option, --batch_size 32 64, and --seeds 0 1 2 train each combination, into folders below --out."""
_ROOTS = ("method", "data", "sampler", "validation", "schedule", "average")
_FLAG = re.compile(r"--|-[^\d.]")  # -1 and -.5 are values
_LONGEST = 1 << 22  # bytes of a file of options


def run(argv: Sequence[str]) -> int:
    """Reads a command line, and trains as it says.

    Raises:
        UsageError: for what cannot be done.
    """
    words = [word for word in argv if word not in ("-h", "--help")]
    helps = len(words) < len(argv)
    several = [] if helps else _several(words)
    if several:
        return _run_several(several)
    arguments = read_line(words, helps)
    return 0 if arguments is None else train(**arguments)


def read_line(words: Sequence[str], helps: bool = False) -> dict[str, Any] | None:
    """What `train` is called with for the words of one run; none where help was printed.

    Raises:
        UsageError: for what cannot be done.
    """
    takes = options(train)
    _, texts = split("train", words, takes)
    share = texts.get("validation", "")
    share = share if re.fullmatch(r"[-+\d.eE]+", share) else ""
    for root in ("data", "validation"):
        path = texts.get(root, "")
        if Path(path).suffix in DATA_FILES or {"/", os.sep} & set(path):  # mine.npz, photos/mine
            texts |= {root: DATA_FILES.get(Path(path).suffix, "Folder"), f"{root}.path": path}
    file = _read_file(texts["config"], list(takes)) if "config" in texts else {}
    trust = trusted(texts.get("trust"))
    objects = {k: v for k, v in texts.items() if not (share and k == "validation")}
    trees = {root: Tree(objects, texts.get("config", ""), trust, helps) for root in _ROOTS}
    if share or type(file.get("validation")) in (int, float):
        share, file = share or str(file["validation"]), {**file, "validation": None}
    specs = _specs(trees, objects, file) if texts or file else {}
    if helps:
        print(_help(trees, specs))
        return None
    settings = {}
    for name, option in takes.items():
        if name in _ROOTS:
            continue
        if name in texts:
            text = texts[name]
            settings[name] = _steps(text) if name == "steps" else option.read(f"--{name}", text)
        elif file.get(name) is not None:
            settings[name] = option.read(f"--{name}", file[name], typed=False)
    if share and not specs.get("validation"):
        specs["validation"] = takes["validation"].read("--validation", share)
    if "epochs" in texts and "steps" not in texts:
        settings.pop("steps", None)
    for root, listing in (("method", "methods"), ("data", "data")):
        if not specs.get(root):
            raise UsageError(f"--{root} NAME is needed; untwine {listing} lists what there is")
    if trees["method"].help:
        arguments = {"latent_dim": 10, "seed": None, **specs["method"]["init_args"]}
        if arguments["seed"] is None or ("seed" in texts and "method.seed" not in texts):
            arguments["seed"] = settings.get("seed", 0)
        specs["method"] = {**specs["method"], "init_args": arguments}
    typed = set().union(*(tree.typed for tree in trees.values()))
    return {**specs, **settings, "trust": ",".join(sorted({*trust, *typed}))}


def _several(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The lines of a small study, each with the name of its run; none for a line of one run.

    ``--seeds 0 1 2``, and several values of any option, stand for all combinations of them.
    """
    fixed: list[str] = []
    lists: dict[str, list[str]] = {}
    place = 0
    while place < len(words):
        end = place + 1
        while end < len(words) and not _FLAG.match(words[end]):
            end += 1
        flag, values = words[place], list(words[place + 1 : end])
        if flag == "--seeds":
            if not values:
                raise UsageError("--seeds needs values, such as --seeds 0 1 2")
            lists["--seed"] = values
        elif flag.startswith("--") and len(values) > 1:
            lists[flag] = values
        else:
            fixed += words[place:end]
        place = end
    if not lists:
        return []
    doubled = [flag for flag in lists if flag in fixed]
    if doubled or len({*lists}) < len(lists):
        raise UsageError(f"{doubled[0]} is given both as one value and as several")
    root = "runs"
    if "--out" in fixed:
        at = fixed.index("--out")
        root = fixed[at + 1]
        del fixed[at : at + 2]
    lines = []
    for combination in product(*lists.values()):
        pairs = list(zip(lists, combination, strict=True))
        name = ",".join(f"{flag.removeprefix('--')}={value}" for flag, value in pairs)
        folder = str(Path(root) / name.replace("/", "_"))
        lines.append((name, [*fixed, *(w for pair in pairs for w in pair), "--out", folder]))
    return lines


def _run_several(lines: Sequence[tuple[str, list[str]]]) -> int:
    """Trains one after the other, once all are read; those that are finished are not made again."""
    for _, words in lines:
        read_line(words)
    for number, (name, words) in enumerate(lines, 1):
        console().print(f"[{number} of {len(lines)}] {name}", markup=False)
        run(words)
    folders = " ".join(shlex.quote(words[-1]) for _, words in lines)
    console().print(f"Next:\n  untwine compare {folders}", markup=False, soft_wrap=True)
    return 0


def _specs(
    trees: Mapping[str, Tree], texts: Mapping[str, str], file: Mapping[str, Any]
) -> dict[str, Any]:
    """Method, data and sampler as plain data, as far as they are named."""
    from torch.optim.lr_scheduler import LRScheduler

    from ..data import FactorDataset, Multimodal, Sampler
    from ..methods.method import Method
    from ..training import Averaging

    bases = {
        "method": (Method,),
        "data": (FactorDataset, Multimodal),
        "sampler": (Sampler,),
        "validation": (FactorDataset, Multimodal),
        "schedule": (LRScheduler,),
        "average": (Averaging,),
    }
    specs: dict[str, Any] = {}
    for root in _ROOTS:
        written = file.get(root)
        entry = written if isinstance(written, Mapping) else {}
        if not isinstance(written, Mapping | str | None):
            raise UsageError(f"{root} in {texts['config']} is {written!r}: expected a class")
        if entry.get("parts") or entry.get("initial"):
            raise UsageError(
                f"the {root} in {texts['config']} ({entry.get('class_path')}) was made by hand, "
                "and is not written down there: repeat this run from Python"
            )
        fixed = "made_by" in entry and root not in texts
        below = [key for key in texts if key.startswith(f"{root}.")]
        if fixed and below:
            raise UsageError(
                f"--{below[0]} cannot change the {root} of this file, which was made by its "
                "constructor and not from options"
            )
        specs[root] = written if fixed else trees[root].spec(root, bases[root], written)
    return specs


def _steps(text: str) -> int | dict[str, int]:
    try:
        if "=" not in text:
            return int(text.replace(",", ""))
        pairs = (part.split("=", 1) for part in text.split(","))
        return {name.strip(): int(number) for name, number in pairs}
    except ValueError as error:
        expected = "a whole number, or one by stage such as optimize=1000,amortize=500"
        raise UsageError(f"--steps is {text!r}: expected {expected}") from error


def _read_file(path: str, keys: Sequence[str]) -> dict[str, Any]:
    """The options of a file of YAML, or of a run's folder."""
    from ..reading import expanded, parse_yaml, read_text

    place = expanded(path)
    place = place / "spec.yaml" if (place / "spec.yaml").is_file() else place
    if not place.is_file():
        raise UsageError(f"there is no file {place} (the working folder is {Path.cwd()})")
    try:
        content = parse_yaml(read_text(place, _LONGEST))
    except ValueError as error:
        raise UsageError(f"{place} is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{place} holds no options: expected lines such as `steps: 20000`")
    for key in content:
        if key not in ("untwine", *keys):
            near = f"{did_you_mean(str(key), keys)} It may have {', '.join(keys)}"
            raise UsageError(f"{path} has an unknown key {key!r}{near}")
    return content


def _help(trees: Mapping[str, Tree], specs: Mapping[str, Any]) -> str:
    from .listing import data_in_short, methods_in_short

    takes = options(train)
    names = [(f"--{root} NAME", takes[root].help) for root in _ROOTS]
    parts = [_USAGE, Docstring.of(train).summary, "", entries(names)]
    for root, tree in trees.items():
        if tree.help:
            cls = locate(specs[root]["class_path"])
            about = Docstring.of(cls)
            parts += [f"{root} {cls.__name__}:", f"  {about.summary}"]
            parts += [*(f"    {equation}" for equation in about.equations), entries(tree.help)]
    parts += ["training:", entries(line(o) for name, o in takes.items() if name not in _ROOTS)]
    parts += [] if specs.get("method") else [methods_in_short()]
    parts += [] if specs.get("data") else [data_in_short()]
    return "\n".join([*parts, _EPILOG])

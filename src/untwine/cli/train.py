"""`untwine train`: trains a method on data."""

from __future__ import annotations

import importlib
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..spec import instantiate, locate
from .classes import trusted
from .docstrings import Docstring
from .errors import UsageError, did_you_mean
from .line import entries, line, refuse_unknown, split
from .options import options
from .screen import console
from .tree import Tree

__all__ = ["Order", "order", "run", "train"]

_USAGE = "usage: untwine train --method NAME --data NAME --steps N [--out RUN] [options]\n"
_EPILOG = """\
A class is named by its short name, or by the dotted path of your own: --method mypackage.MyVAE.
What it takes becomes options: --method.penalty TotalCorrelation --method.penalty.beta 6. Without
its name, one argument of a default changes alone: --method.optimizer.lr 3e-4."""
_ROOTS = ("method", "data", "sampler")
_MACHINE = ("accelerator", "logger", "out", "config", "trust", "print_config", "no_progress")
_LOGGERS = {
    "tensorboard": "lightning.fabric.loggers.TensorBoardLogger",
    "wandb": "lightning.pytorch.loggers.WandbLogger",
    "mlflow": "lightning.pytorch.loggers.MLFlowLogger",
}
_FILES = {".npz": "Npz", ".h5": "H5", ".hdf5": "H5", ".h5ad": "H5AD"}
_LONGEST = 1 << 22  # bytes of a file of options


@dataclass(frozen=True, kw_only=True)
class Order:
    """Trains a method on data. The same line again continues the run where it stopped.

    Attributes:
        method: What to train.
        data: What to train it on: a class, or a file (.npz, .h5, .h5ad) or folder of your own.
        sampler: How examples are drawn; by default as the method needs them.
        steps: Training steps, or STAGE=N,STAGE=N for methods of several stages.
        batch_size: Examples per step.
        seed: Of everything that is random: initial weights, batches, noise.
        precision: Of the arithmetic.
        devices: Processes, each on a device of its own.
        log_every: Steps from one row of the log to the next.
        checkpoint_every: Steps from one checkpoint to the next.
        keep: How many checkpoints to keep.
        init_from: A run's folder, whose weights to begin with.
        accelerator: What to train on.
        logger: Beside log.jsonl: tensorboard, wandb, mlflow, or several with commas.
        out: The run's folder; runs/METHOD-DATA-SEED by default.
        config: A run's folder or its spec.yaml, to begin from; options override it.
        trust: Packages of your own, with commas, whose code the run's spec may name; beside untwine
            and torch.optim nothing else is imported.
        print_config: Print what would be trained, as YAML, and stop.
        no_progress: Show no progress.
    """

    method: dict[str, Any]
    data: dict[str, Any]
    sampler: dict[str, Any] | None = None
    steps: int | dict[str, int] | None = None
    batch_size: int = 64
    seed: int = 0
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    devices: int = 1
    log_every: int = 100
    checkpoint_every: int = 1000
    keep: int = 2
    init_from: str | None = None
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    logger: str | None = None
    out: str | None = None
    config: str | None = None
    trust: str | None = None
    print_config: bool = False
    no_progress: bool = False

    def __post_init__(self) -> None:
        if self.devices < 1:
            raise UsageError(f"--devices is {self.devices}: expected at least 1")
        for name in self.loggers:
            if name not in _LOGGERS:
                raise UsageError(
                    f"--logger is {name!r}{did_you_mean(name, _LOGGERS)} "
                    f"There are {', '.join(_LOGGERS)}"
                )

    @property
    def spec(self) -> dict[str, Any]:
        """Of the run, as `untwine.fit` will write it."""
        return {name: value for name, value in vars(self).items() if name not in _MACHINE}

    @property
    def folder(self) -> Path:
        """Of the run."""
        from ..reading import expanded

        return expanded(self.out or f"runs/{'-'.join(self.names)}-{self.seed}")

    @property
    def names(self) -> tuple[str, str]:
        """The classes of method and data, in short."""
        method, data = (spec["class_path"].split(".")[-1] for spec in (self.method, self.data))
        return method, data

    @property
    def loggers(self) -> list[str]:
        """Names of loggers."""
        return [name.strip().lower() for name in (self.logger or "").split(",") if name.strip()]


def run(argv: Sequence[str]) -> int:
    """Trains as the command line says."""
    asked = order(argv)
    if asked is not None and train(asked):
        out = shlex.quote(str(asked.folder))
        console().print(f"\nNext:\n  untwine measure {out}\n  untwine report {out}")
    return 0


def order(argv: Sequence[str]) -> Order | None:
    """Reads a command line; ``None`` if it only asked for help or for the configuration.

    Raises:
        UsageError: for what cannot be done.
    """
    takes = {name: option for name, option in options(Order).items() if name not in _ROOTS}
    words = [word for word in argv if word not in ("-h", "--help")]
    helps = len(words) < len(argv)
    loose, texts = split(words, takes)
    data = texts.get("data", "")
    if Path(data).suffix in _FILES or {"/", os.sep} & set(data):  # --data mine.npz, photos/mine
        texts |= {"data": _FILES.get(Path(data).suffix, "Folder"), "data.path": data}
    file = {} if "config" not in texts else _read_file(texts["config"], [*_ROOTS, *takes])
    trust = trusted(texts.get("trust"))
    trees = {root: Tree(texts, texts.get("config", ""), trust, helps) for root in _ROOTS}
    specs = _specs(trees, texts, file) if texts or file else {}
    if helps:
        print(_help(trees, specs))
        return None
    refuse_unknown("train", loose, (n for n in texts if n.partition(".")[0] not in _ROOTS), takes)
    settings = {n: file[n] for n in takes if file.get(n) is not None}
    for name, option in takes.items():
        if name == "steps" and name in texts:
            settings[name] = _steps(texts[name])
        elif name in texts or name in settings:
            value = texts.get(name, settings.get(name))
            settings[name] = option.read(f"--{name}", value, typed=name in texts)
    for root, listing in (("method", "methods"), ("data", "data")):
        if not specs[root]:
            raise UsageError(f"--{root} NAME is needed; untwine {listing} lists what there is")
    if trees["method"].help:
        arguments = {"latent_dim": 10, "seed": None, **specs["method"]["init_args"]}
        if arguments["seed"] is None or ("seed" in texts and "method.seed" not in texts):
            arguments["seed"] = settings.get("seed", 0)
        specs["method"] = {**specs["method"], "init_args": arguments}
    typed = set().union(*(tree.typed for tree in trees.values()))
    asked = Order(**{**specs, **settings, "trust": ",".join(sorted({*trust, *typed}))})
    if asked.print_config:
        import yaml

        print(yaml.safe_dump(asked.spec, sort_keys=False, allow_unicode=True), end="")
        return None
    if asked.steps is None:
        raise UsageError("--steps N is needed: how many training steps to make")
    return asked


def train(asked: Order) -> bool:
    """Makes the run; says in the first process that it is done."""
    from lightning.fabric import Fabric

    from ..training import fit
    from ..training.plan import make_data, make_method

    trust = trusted(asked.trust)
    try:
        data = make_data(asked.spec, trust)
        method = make_method(asked.spec, data, trust)
        sampler = instantiate(asked.sampler, trust=trust)
    except (ValueError, TypeError, NotImplementedError, OSError, ImportError) as error:
        raise UsageError(str(error)) from error
    try:
        fabric = Fabric(
            accelerator=asked.accelerator,
            devices=asked.devices,
            precision=asked.precision,
            strategy="ddp" if asked.devices > 1 else "auto",
        )
    except (RuntimeError, ValueError) as error:
        machine = f"--accelerator {asked.accelerator} --devices {asked.devices}"
        raise UsageError(f"{machine}: {error}") from error
    assert asked.steps is not None
    result = fit(
        method,
        data,
        steps=asked.steps,
        batch_size=asked.batch_size,
        seed=asked.seed,
        out=asked.folder,
        fabric=fabric,
        sampler=sampler,
        log_every=asked.log_every,
        checkpoint_every=asked.checkpoint_every,
        keep=asked.keep,
        init_from=asked.init_from,
        progress=not asked.no_progress,
        loggers=_loggers(asked) if fabric.global_rank == 0 else (),
    )
    if fabric.global_rank:
        return False
    row = result.rows[-1] if result.rows else {}
    minutes, seconds = divmod(round(row.get("seconds", 0.0)), 60)
    terms = "  ".join(f"{k} {v:.4g}" for k, v in row.items() if "/" in k and k != "images/s")
    text = f"{' on '.join(asked.names)}: {result.steps:,} steps in {minutes}:{seconds:02d}, in "
    console().print(f"{text}{asked.folder}\n{terms}", markup=False)
    return True


def _specs(
    trees: Mapping[str, Tree], texts: Mapping[str, str], file: Mapping[str, Any]
) -> dict[str, Any]:
    """Method, data and sampler as plain data, as far as they are named."""
    from ..data import FactorDataset, Multimodal, Sampler
    from ..methods.method import Method

    bases = {"method": (Method,), "data": (FactorDataset, Multimodal), "sampler": (Sampler,)}
    specs: dict[str, Any] = {}
    for root in _ROOTS:
        written = file.get(root)
        if isinstance(written, Mapping) and (written.get("parts") or written.get("initial")):
            raise UsageError(
                f"the {root} in {texts['config']} ({written.get('class_path')}) was made by hand, "
                "and is not written down there: repeat this run from Python"
            )
        if isinstance(written, Mapping) and "made_by" in written and root not in texts:
            for key in texts:
                if key.startswith(f"{root}."):
                    raise UsageError(
                        f"--{key} cannot change the {root} of this file, which was made by its "
                        "constructor and not from options"
                    )
            specs[root] = written
        else:
            specs[root] = trees[root].spec(root, bases[root], written)
    return specs


def _steps(text: str) -> int | dict[str, int]:
    try:
        if "=" not in text:
            return int(text.replace(",", ""))
        pairs = (part.split("=", 1) for part in text.split(","))
        return {name.strip(): int(number) for name, number in pairs}
    except ValueError as error:
        raise UsageError(
            f"--steps is {text!r}: expected a whole number, or one by stage such as "
            "optimize=1000,amortize=500"
        ) from error


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
            raise UsageError(
                f"{path} has an unknown key {key!r}{did_you_mean(str(key), keys)} "
                f"It may have {', '.join(keys)}"
            )
    return content


def _loggers(asked: Order) -> list[Any]:
    """Lightning's loggers."""
    from ..training.plan import identity

    out, made = asked.folder, []
    settings: dict[str, dict[str, Any]] = {
        "tensorboard": {"root_dir": out, "name": "", "version": "tensorboard"},
        "wandb": {  # a resumed run is the same one
            "name": out.name,
            "save_dir": out,
            "id": f"{out.name}-{identity(asked.spec)}",
            "project": "untwine",
        },
        "mlflow": {"experiment_name": "untwine", "run_name": out.name},
    }
    for name in asked.loggers:
        module, _, cls = _LOGGERS[name].rpartition(".")
        try:
            made.append(vars(importlib.import_module(module))[cls](**settings[name]))
        except ImportError as error:
            raise UsageError(
                f"--logger {name} needs a package that is not installed ({error.name or error}): "
                "pip install 'untwine[loggers]'"
            ) from error
    return made


def _help(trees: Mapping[str, Tree], specs: Mapping[str, Any]) -> str:
    from .listing import data_in_short, methods_in_short

    takes = options(Order)
    names = [(f"--{root} NAME", takes[root].help) for root in _ROOTS]
    parts = [_USAGE, Docstring.of(Order).summary, "", entries(names)]
    for root, tree in trees.items():
        if tree.help:
            cls = locate(specs[root]["class_path"])
            about = Docstring.of(cls)
            parts += [f"{root} {cls.__name__}:", f"  {about.summary}"]
            parts += [*(f"    {equation}" for equation in about.equations), entries(tree.help)]
    rows = [line(option) for name, option in takes.items() if name not in _ROOTS]
    parts += ["training:", entries(rows)]
    parts += [] if specs.get("method") else [methods_in_short()]
    parts += [] if specs.get("data") else [data_in_short()]
    return "\n".join([*parts, _EPILOG])

"""What a command line of `untwine train` asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..spec import class_paths
from .classes import class_path
from .docstrings import Docstring
from .errors import UsageError, did_you_mean
from .parser import TRUST, Parser, read_yaml
from .tree import Node, find, flags

__all__ = ["SETTINGS", "Order", "order"]

_DESCRIPTION = """\
Trains a method on data. The same line again continues the run where it stopped."""

_EPILOG = """\
A class is named by its short name, or by the dotted path of your own: --method mypackage.MyVAE.
What it takes becomes options: --method.penalty TotalCorrelation --method.penalty.beta 6. Without
its name, one argument of a default changes alone: --method.optimizer.lr 3e-4."""

_ROOTS = ("method", "data", "sampler")
_INTO = ("untwine", *_ROOTS)


def _steps(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, int):
        return value
    try:
        if "=" not in value:
            return int(value.replace("_", "").replace(",", ""))
        pairs = (part.split("=", 1) for part in value.split(","))
        return {name.strip(): int(number.replace("_", "")) for name, number in pairs}
    except (AttributeError, ValueError) as error:
        raise ValueError(f"Got value: {value}") from error  # the parser says what is expected


_EXPECTED_STEPS = "a whole number, or one by stage such as optimize=1000,amortize=500"
_GENERAL: tuple[tuple[str, Any, Any, str], ...] = (
    ("steps", _steps, None, "training steps, or STAGE=N,STAGE=N for methods of several stages"),
    ("batch_size", int, 64, "examples per step"),
    ("seed", int, 0, "of everything that is random: initial weights, batches, noise"),
    ("precision", Literal["32-true", "bf16-mixed"], "32-true", "of the arithmetic"),
    ("devices", int, 1, "processes, each on a device of its own"),
    ("log_every", int, 100, "steps from one row of the log to the next"),
    ("checkpoint_every", int, 1000, "steps from one checkpoint to the next"),
    ("keep", int, 2, "how many checkpoints to keep"),
)
_MACHINE: tuple[tuple[str, Any, Any, str], ...] = (
    ("accelerator", Literal["auto", "cpu", "cuda", "mps"], "auto", "what to train on"),
    ("logger", str, None, "beside log.jsonl: tensorboard, wandb, mlflow, or several with commas"),
)
_LOGGERS = ("tensorboard", "wandb", "mlflow")
SETTINGS = tuple(name for name, *_ in _GENERAL)
"""What a run's spec holds beside method, data and sampler."""


@dataclass(frozen=True)
class Order:
    """A training that was asked for.

    Attributes:
        spec: Of the run, as `untwine.fit` will write it.
        out: Its folder.
        accelerator: What to train on.
        loggers: Names of loggers.
        progress: Whether to show it.
        trust: What the spec may name beside untwine and torch.optim: what the user typed.
    """

    spec: dict[str, Any]
    out: Path
    accelerator: str
    loggers: tuple[str, ...]
    progress: bool
    trust: tuple[str, ...] = ()


def order(argv: Sequence[str]) -> Order | None:
    """Reads a command line; ``None`` if it only asked for help or for the configuration.

    Raises:
        UsageError: for what cannot be done.
    """
    given = flags(argv, (*_ROOTS, "trust"))
    help_wanted = any(token in ("-h", "--help") for token in argv)
    config = _config(argv)
    nodes = _nodes(given, config)
    parser = _parser(nodes)
    if help_wanted:
        print(_help(parser, nodes))
        return None
    known = {k: v for k, v in config.items() if k not in _INTO and v is not None}
    base: dict[str, Any] = {
        **known,
        "spec": {root: node.plain_values() for root, node in nodes.items()},
    }
    words = [word for word in argv if word != "--print_config"]  # jsonargparse has its own of it
    read = parser.read(words, parser.parse_object(base, defaults=False))
    for root, listing in (("method", "methods"), ("data", "data")):
        if root not in nodes and not config.get(root):
            raise UsageError(f"--{root} NAME is needed; untwine {listing} lists what there is")
    spec = _spec(nodes, config, read, flags(argv, (*_ROOTS, "seed")))
    if len(words) < len(argv):
        print(_yaml(spec), end="")
        return None
    if spec["steps"] is None:
        raise UsageError("--steps N is needed: how many training steps to make")
    out = read.get("out") or _default_out(spec)
    return Order(
        spec,
        Path(out).expanduser(),
        read.get("accelerator", "auto"),
        _loggers(read.get("logger")),
        not read.get("no_progress", False),
        _trust(given, nodes),
    )


def _trust(given: Mapping[str, str], nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """The packages of ``--trust``, and the classes that the user typed."""
    import yaml

    words = {word.strip() for word in given.get("trust", "").split(",")}
    for root in nodes.values():
        words |= {class_path(node.cls) for node in root.nodes() if node.typed}
    for value in given.values():
        if value.lstrip().startswith(("{", "[")):
            try:
                words |= {str(path) for path in class_paths(yaml.safe_load(value))}
            except yaml.YAMLError:  # the parser says so
                continue
    return tuple(sorted(words - {""}))


def _config(argv: Sequence[str]) -> dict[str, Any]:
    """What the last ``--config`` says."""
    paths = [
        argv[i + 1] if token == "--config" else token.partition("=")[2]
        for i, token in enumerate(argv)
        if (token == "--config" and i + 1 < len(argv)) or token.startswith("--config=")
    ]
    if not paths:
        return {}
    content = read_yaml(paths[-1])
    known = [*_INTO, "out", *(name for name, *_ in (*_GENERAL, *_MACHINE))]
    for key in content:
        if key not in known:
            raise UsageError(
                f"{paths[-1]} has an unknown key {key!r}{did_you_mean(str(key), known)} "
                f"It may have {', '.join(known)}"
            )
    for root in _ROOTS:
        written = content.get(root)
        if isinstance(written, Mapping) and written.get("parts"):
            raise UsageError(
                f"the {root} in {paths[-1]} ({written.get('class_path')}) was made by hand, and is "
                "not written down there: repeat this run from Python"
            )
    return content


def _nodes(given: Mapping[str, str], config: Mapping[str, Any]) -> dict[str, Node]:
    if not given and not config:
        return {}
    from ..data import FactorDataset, Multimodal, Sampler
    from ..methods.method import Method

    bases = {"method": (Method,), "data": (FactorDataset, Multimodal), "sampler": (Sampler,)}
    nodes: dict[str, Node] = {}
    for root in _ROOTS:
        written = config.get(root)
        if isinstance(written, Mapping) and "made_by" in written:
            if root not in given:
                changed = [key for key in given if key.startswith(f"{root}.")]
                if changed:
                    raise UsageError(
                        f"--{changed[0]} cannot change the {root} of this file, which was made by "
                        "its constructor and not from options"
                    )
                continue
            written = None
        node = find(root, f"spec.{root}", bases[root], given, written)
        if node is not None:
            nodes[root] = node
    return nodes


def _parser(nodes: Mapping[str, Node]) -> Parser:
    parser = Parser(
        "train", "--method NAME --data NAME --steps N [--out RUN] [options]", _DESCRIPTION
    )
    for root, what in (
        ("method", "what to train"),
        ("data", "what to train it on"),
        ("sampler", "how examples are drawn; by default as the method needs them"),
    ):
        group: Any = parser
        if root in nodes:
            cls = nodes[root].cls
            about = Docstring.of(cls)
            text = "\n".join([about.summary, *(f"  {e}" for e in about.equations)])
            group = parser.add_argument_group(f"{root} {cls.__name__}", text)
            parser.option(f"--{root}", str, what, group=group, dest=f"spec.{root}.class_path")
            if root == "method":
                seed = nodes[root].options["seed"]
                text = "Of the initial weights; the command's --seed by default."
                nodes[root].options["seed"] = replace(seed, help=text)
            nodes[root].add_to(parser, group)
        else:
            parser.option(f"--{root}", str, what, dest=f"chosen.{root}")
    group = parser.add_argument_group("training")
    for name, kind, default, text in (*_GENERAL, *_MACHINE):
        shown = "" if default is None else f" [default {default}]"
        more = {"metavar": "N", "expected": _EXPECTED_STEPS} if name == "steps" else {}
        parser.option(f"--{name}", kind, text + shown, group=group, **more)
    text = "the run's folder [default runs/METHOD-DATA-SEED]"
    parser.option("--out", str, text, group=group, metavar="FOLDER")
    text = "a run's folder or its spec.yaml, to begin from; options override it"
    parser.option("--config", str, text, group=group, metavar="FILE")
    parser.option("--trust", str, TRUST, group=group, metavar="PACKAGE")
    parser.switch("--print_config", "print what would be trained, as YAML, and stop", group=group)
    parser.switch("--no-progress", "show no progress", group=group)
    return parser


def _spec(
    nodes: Mapping[str, Node],
    config: Mapping[str, Any],
    read: Mapping[str, Any],
    given: Mapping[str, str],
) -> dict[str, Any]:
    """The run's spec."""
    settings = {name: read.get(name, default) for name, _, default, _ in _GENERAL}
    parsed = read.get("spec") or {}
    spec: dict[str, Any] = {
        root: nodes[root].spec(parsed.get(root) or {}) if root in nodes else config.get(root)
        for root in _ROOTS
    }
    if "method" in nodes:
        spec["method"]["init_args"] = _initial(nodes["method"], spec, settings["seed"], given)
    return {**spec, **settings}


def _initial(
    node: Node, spec: Mapping[str, Any], seed: int, given: Mapping[str, str]
) -> dict[str, Any]:
    """The method's arguments, with the seed of its weights: the command's, unless it is named."""
    arguments = dict(spec["method"]["init_args"])
    latent_dim = arguments.pop("latent_dim", node.options["latent_dim"].default)
    own = arguments.pop("seed", None)
    if own is None or ("seed" in given and "method.seed" not in given):
        own = seed
    return {"latent_dim": latent_dim, "seed": own, **arguments}


def _default_out(spec: Mapping[str, Any]) -> str:
    names = [spec[root]["class_path"].rpartition(".")[2] for root in ("method", "data")]
    return f"runs/{'-'.join(names)}-{spec['seed']}"


def _yaml(spec: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(dict(spec), sort_keys=False, allow_unicode=True)


def _loggers(names: str | None) -> tuple[str, ...]:
    chosen = tuple(name.strip().lower() for name in (names or "").split(",") if name.strip())
    for name in chosen:
        if name not in _LOGGERS:
            raise UsageError(
                f"--logger is {name!r}{did_you_mean(name, _LOGGERS)} "
                f"There are {', '.join(_LOGGERS)}"
            )
    return chosen


def _help(parser: Parser, nodes: Mapping[str, Node]) -> str:
    parts = [parser.format_help()]
    if "method" not in nodes:
        from .listing import methods_in_short

        parts.append(methods_in_short())
    if "data" not in nodes:
        from .listing import data_in_short

        parts.append(data_in_short())
    return "\n".join([*parts, _EPILOG])

"""Export of a trained method: encoder and decoder as ONNX files, or as programs of torch.export."""

from __future__ import annotations

import copy
import json
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from .._version import __version__
from ..data.batches import Batch, Images, Modalities
from ..methods.abilities import Decodes
from ..methods.method import Method
from .files import explained, replace_file

__all__ = ["FORMATS", "TOLERANCE", "Exported", "Format", "TensorGraph", "export_method", "graphs"]

Format = Literal["onnx", "torch"]
FORMATS: tuple[Format, ...] = ("onnx", "torch")

TOLERANCE = 1e-4
"""Largest deviation from torch: absolute, relative where outputs are larger than 1."""

_ENDINGS = {"onnx": ".onnx", "torch": ".pt2"}
_BATCHES = (1, 5)  # sizes that an export is tried with, beside that of the example


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        folder: Where.
        files: By part: ``encoder`` and ``decoder``.
        deviations: Of each part's outputs from torch's, the largest, see `TOLERANCE`.
        refused: Parts that there are not, and why.
    """

    folder: Path
    files: Mapping[str, Path]
    deviations: Mapping[str, float]
    refused: Mapping[str, str]


@dataclass(frozen=True)
class TensorGraph:
    """A part of a method as a function of tensors.

    Attributes:
        module: Called with the inputs in their order; it returns a tuple of the outputs.
        inputs: An example of each by name, ``(B, ...)``.
        outputs: Their names.
    """

    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]

    def __call__(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """The outputs for inputs by name."""
        with torch.no_grad():
            return list(self.module(*inputs.values()))

    def rows(self, size: int) -> dict[str, Tensor]:
        """The example's inputs, as many rows of them as asked for, over and over."""
        return {name: x[torch.arange(size) % len(x)] for name, x in self.inputs.items()}


class _Encoder(nn.Module):
    """``(x[, c])``, or ``(x of each modality, its mask, ...[, c])``, to the code."""

    def __init__(self, method: Method, modalities: Sequence[str] = ()) -> None:
        super().__init__()
        self.method, self.modalities = method, tuple(modalities)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        count = len(self.modalities)
        if not count:
            return (self.method.represent(Images(*inputs)).mean,)
        x = dict(zip(self.modalities, inputs[:count], strict=True))
        present = dict(zip(self.modalities, inputs[count : 2 * count], strict=True))
        return (self.method.represent(Modalities(x, present, *inputs[2 * count :])).mean,)


class _Decoder(nn.Module):
    """``(z[, c][, y])`` to the mean of p(x|z), of every modality where there are several."""

    def __init__(self, method: Decodes, names: Sequence[str]) -> None:
        super().__init__()
        self.method, self.names = method, tuple(names)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        beside = dict(zip(self.names[1:], inputs[1:], strict=True))
        mean = self.method.decode(inputs[0], **beside).mean
        return tuple(mean.values()) if isinstance(mean, Mapping) else (mean,)


def graphs(method: Method, batch: Batch) -> dict[str, TensorGraph | str]:
    """Encoder and decoder of a method, or why there is none, in a line.

    Args:
        method: In evaluation mode.
        batch: An example of what it represents, two observations or more.
    """
    encoder = _encoder(method, batch)
    if not isinstance(method, Decodes):
        return {"encoder": encoder, "decoder": f"{type(method).__name__} has no decoder"}
    (z,) = encoder(encoder.inputs)
    inputs = {"z": z.contiguous()}
    if batch.c is not None:
        inputs["c"] = batch.c
    if method.classes_beside_code is not None:
        inputs["y"] = torch.arange(len(z)) % method.classes_beside_code
    module = _Decoder(method, list(inputs))
    names = tuple(batch.x) if isinstance(batch.x, Mapping) else ("x",)
    return {"encoder": encoder, "decoder": TensorGraph(module, inputs, names)}


def export_method(method: Method, batch: Batch, to: Format, out: Path) -> Exported:
    """Writes encoder and decoder into a folder, after a comparison with torch at several batches.

    Args:
        method: What was trained; a copy on the CPU is exported.
        batch: An example of what it represents.
        to: ``"onnx"``, or ``"torch"`` for programs of torch.export.
        out: The folder, which is made.

    Raises:
        ValueError: for another format, for a part that cannot be exported, and for one that
            deviates by more than `TOLERANCE`; nothing is written then.
        ImportError: without the packages that write and run ONNX.
    """
    if to not in FORMATS:
        raise ValueError(f"to is {to!r}; expected one of {', '.join(map(repr, FORMATS))}")
    if to == "onnx":
        _check_packages()
    method = copy.deepcopy(method).cpu().float().eval()
    parts = graphs(method, batch.to("cpu", dtype=torch.float32))
    write = _write_onnx if to == "onnx" else _write_torch
    deviations: dict[str, float] = {}
    refused = {name: part for name, part in parts.items() if isinstance(part, str)}
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out) as beside, _quiet():
        for name, part in parts.items():
            if isinstance(part, str):
                continue
            file = Path(beside) / (name + _ENDINGS[to])
            try:
                run = write(part, file)
            except Exception as error:  # of whatever kind, from deep within torch
                reason = " ".join(str(error).split())[:200]
                raise ValueError(
                    f"the {name} of {type(method).__name__} cannot be exported to {to}: {reason}"
                ) from error
            deviations[name] = _deviation(part, run)
            if not deviations[name] <= TOLERANCE:
                raise ValueError(
                    f"the exported {name} of {type(method).__name__} deviates from torch by "
                    f"{deviations[name]:.1e}, more than {TOLERANCE:g}: it was not written"
                )
        for file in sorted(Path(beside).iterdir()):  # weights beyond 2 GB lie beside their graph
            file.replace(out / file.name)
    files = {name: out / (name + _ENDINGS[to]) for name in deviations}
    text = json.dumps(_description(method, parts, to, deviations), indent=2)
    replace_file(out / "description.json", (text + "\n").encode())
    return Exported(out, files, deviations, refused)


def _encoder(method: Method, batch: Batch) -> TensorGraph:
    c = {} if batch.c is None else {"c": batch.c}
    if isinstance(batch, Modalities):
        masks = {f"{name}_present": mask for name, mask in batch.present.items()}
        return TensorGraph(_Encoder(method, list(batch.x)), {**batch.x, **masks, **c}, ("z",))
    return TensorGraph(_Encoder(method), {"x": batch.tensor, **c}, ("z",))


def _program(part: TensorGraph) -> torch.export.ExportedProgram:
    """A part as a graph of tensor operations, for batches of any size."""
    size = torch.export.Dim("batch")
    dims = (tuple({0: size} for _ in part.inputs),)  # the inputs are one starred argument
    inputs = tuple(part.inputs.values())

    def traced(strict: bool) -> torch.export.ExportedProgram:
        with torch.no_grad():
            return torch.export.export(part.module, inputs, dynamic_shapes=dims, strict=strict)

    try:
        return traced(strict=True)  # sees len(x) as a size that may change
    except Exception:  # of Python that the strict reading does not know, such as locks
        return traced(strict=False)


def _write_torch(part: TensorGraph, file: Path) -> Callable[[dict[str, Tensor]], list[Tensor]]:
    torch.export.save(_program(part), file)
    module = torch.export.load(file).module()

    def run(inputs: dict[str, Tensor]) -> list[Tensor]:
        with torch.no_grad():
            return list(module(*inputs.values()))

    return run


def _write_onnx(part: TensorGraph, file: Path) -> Callable[[dict[str, Tensor]], list[Tensor]]:
    import onnxruntime

    names = [*part.inputs]
    program = torch.onnx.export(
        _program(part), input_names=names, output_names=[*part.outputs], verbose=False
    )
    if program is None:
        raise RuntimeError("torch.onnx gave no program")
    program.save(file)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def run(inputs: dict[str, Tensor]) -> list[Tensor]:
        feed = {name: x.numpy() for name, x in inputs.items()}
        return [torch.from_numpy(np.asarray(y)) for y in session.run([*part.outputs], feed)]

    return run


def _deviation(part: TensorGraph, run: Callable[[dict[str, Tensor]], list[Tensor]]) -> float:
    """The largest deviation of an exported part, over batches of several sizes."""
    largest = 0.0
    for size in (*_BATCHES, len(next(iter(part.inputs.values())))):
        inputs = part.rows(size)
        for exact, value in zip(part(inputs), run(inputs), strict=True):
            if value.shape != exact.shape:
                return float("inf")
            scale = exact.abs().clamp(min=1)
            largest = max(largest, float(((value - exact).abs() / scale).max()))
    return largest


def _description(
    method: Method,
    parts: Mapping[str, TensorGraph | str],
    to: Format,
    deviations: Mapping[str, float],
) -> dict[str, object]:
    """What one who has the files alone wants to know."""
    about: dict[str, object] = {
        "untwine": __version__,
        "torch": torch.__version__,
        "format": to,
        "method": type(method).__name__,
    }
    for name, part in parts.items():
        if isinstance(part, str):
            about[name] = part
            continue
        about[name] = {
            "file": name + _ENDINGS[to],
            "inputs": {
                n: {"shape": ["batch", *x.shape[1:]], "type": str(x.dtype).removeprefix("torch.")}
                for n, x in part.inputs.items()
            },
            "outputs": {
                n: {"shape": ["batch", *x.shape[1:]]}
                for n, x in zip(part.outputs, part(part.inputs), strict=True)
            },
            "deviation_from_torch": deviations[name],
        }
    return about


def _check_packages() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "ONNX needs onnx, onnxscript and onnxruntime: pip install 'untwine[export]', or "
            "export to torch"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Within, distributions check nothing, which no graph can hold, and torch tells no progress."""
    checked, log = Distribution._validate_args, logging.getLogger("torch.onnx")
    level = log.level
    Distribution.set_default_validate_args(False)
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Distribution.set_default_validate_args(checked)
        log.setLevel(level)

"""Decoders that run inside a page: their layers as plain data, their weights as text."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..distributions import Conditional, Likelihood
from ..encoding import evaluating, placement
from ..methods import Decodes
from ..nets.conv import Flatten, Unflatten

__all__ = ["CannotInline", "InlineDecoder", "inline_decoder"]

_CLOSE = 2e-4  # of 1: what fewer digits may change in a pixel
_WRONG = 5e-4  # of 1: what may lie between a pixel and the method's own, whose digits end there
_TORCHS = 3e-3  # of 1: how wrong torch's mean of a continuous Bernoulli is near 0.5
_LAST_LOGIT = 15.942
_LARGEST = 2_400_000  # letters of base64
_SPREAD = 24  # codes that it is compared on, beside those given

Layer = dict[str, Any]


class CannotInline(ValueError):
    """A decoder that no page can run, and why."""


@dataclass(frozen=True)
class InlineDecoder:
    """A decoder as a list of layers.

    A layer has a ``kind``: ``linear`` (``inputs``, ``outputs``), ``transposed`` (a transposed
    convolution: ``inputs``, ``outputs``, ``kernel``, ``stride``, ``pad``, and sizes ``from`` and
    ``to``), ``affine`` (a factor and a term for each of ``channels``), or the name of a function of
    one number (``relu``, ``leaky`` with its ``slope``, ``tanh``, ``sigmoid``, ``silu``, ``elu``,
    ``continuous``, the mean of a continuous Bernoulli). Weights lie one after another in the order
    of the layers: matrices ``(outputs, inputs)``, kernels ``(inputs, outputs, kernel, kernel)``,
    each followed by its term.

    Attributes:
        layers: In their order.
        weights: All of them.
        half: Whether they are kept in half precision.
        shape: Of an observation, ``(C, H, W)``.
    """

    layers: list[Layer]
    weights: np.ndarray
    half: bool
    shape: tuple[int, int, int]

    @property
    def text(self) -> str:
        """The weights in base64, little-endian."""
        kept = self.weights.astype("<f2" if self.half else "<f4")
        return base64.b64encode(kept.tobytes()).decode("ascii")

    @property
    def program(self) -> dict[str, Any]:
        """Everything but the weights, as plain data."""
        return {"layers": self.layers, "half": self.half, "shape": list(self.shape)}

    def run(self, codes: Tensor) -> Tensor:
        """What the page computes, ``(B, D)`` to ``(B, C, H, W)``, in double precision."""
        dtype = np.float16 if self.half else np.float32
        weights = torch.from_numpy(self.weights.astype(dtype).astype(np.float64))
        return _run(self.layers, weights, codes.double()).reshape(-1, *self.shape)


@torch.no_grad()
def inline_decoder(
    method: Any, codes: Tensor, c: Tensor | None = None, *, spread: Tensor | None = None
) -> InlineDecoder:
    """The decoder of a method as data, if the page's kernels give the same pictures.

    Weights are kept in half precision where that changes no pixel by more than 2e-4 (of 1), and in
    single precision otherwise. It is compared with the method's own ``decode`` on the given codes
    and on some drawn from the whole range.

    Args:
        method: With ``decode``.
        codes: Some, as the page will start from them.
        c: Their covariates, which the page's codes have at their end.
        spread: Lowest and highest value of each dimension.

    Shape:
        codes ``(B, D)``; c ``(B, C)``; spread ``(D, 2)``.

    Raises:
        CannotInline: for a decoder of other layers, other observations than images, too many
            weights, or another result.
    """
    if not isinstance(method, Decodes) or not isinstance(method, nn.Module):
        raise CannotInline("the method is no module with a decoder")
    device, dtype = placement(method)
    z, given = _tried(codes, c, spread)
    with evaluating(method):
        p = (
            method.decode(z.to(device, dtype))
            if given is None
            else method.decode(z.to(device, dtype), c=given.to(device, dtype))
        )
        expected = p.mean.double().cpu()
        if expected.ndim != 4 or expected.shape[1] not in (1, 3):
            raise CannotInline("observations are no images of 1 or 3 channels")
        inputs = z if given is None else torch.cat([z, given.to(z)], 1)
        reasons = []
        for decoder in method.modules():
            if isinstance(decoder, Conditional) and isinstance(decoder.head, Likelihood):
                try:
                    return _matched(decoder.net, inputs, expected)
                except CannotInline as error:
                    reasons.append(str(error))
    raise CannotInline(reasons[-1] if reasons else "the method has no decoder of its own")


def _tried(codes: Tensor, c: Tensor | None, spread: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Codes to compare on, the given ones first, and their covariates."""
    z = codes.detach().float().cpu()
    given = None if c is None else c.detach().float().cpu()
    if spread is not None:
        rng = torch.Generator().manual_seed(0)
        low, high = spread.float().cpu().unbind(1)
        more = low + (high - low) * torch.rand(_SPREAD, z.shape[1], generator=rng)
        z = torch.cat([z, more])
        if given is not None:
            given = torch.cat([given, given[torch.arange(_SPREAD) % len(given)]])
    return z, given


def _matched(net: nn.Module, inputs: Tensor, expected: Tensor) -> InlineDecoder:
    """A network with the function at its end, and the precision, that give what is expected."""
    layers: list[Layer] = []
    arrays: list[Tensor] = []
    shape: tuple[int, ...] = (inputs.shape[1],)
    for module in _flat(net):
        shape = _append(module, shape, layers, arrays)
    if int(np.prod(shape)) != expected[0].numel():
        raise CannotInline("the network's output is not the picture")
    weights = torch.cat([array.detach().double().cpu().flatten() for array in arrays])
    features = _run(layers, weights, inputs.double()).reshape(expected.shape)
    ends = {name: _FUNCTIONS[name](features, 0.0) for name in _ENDS}
    last = min(ends, key=lambda name: float((ends[name] - expected).abs().max()))
    error = float((ends[last] - expected).abs().max())
    if not error <= (_TORCHS if last == "continuous" else _WRONG):
        raise CannotInline("the picture is no simple function of the network's output")
    layers = layers if last == "same" else [*layers, {"kind": last}]
    channels, height, width = expected.shape[1:]
    for half in (True, False):
        if len(weights) * (2 if half else 4) * 4 / 3 > _LARGEST:
            raise CannotInline(f"{len(weights):,} weights are too many for a page")
        decoder = InlineDecoder(layers, weights.float().numpy(), half, (channels, height, width))
        if (decoder.run(inputs) - ends[last]).abs().max() <= _CLOSE:
            return decoder
    raise CannotInline("single precision is too little for its weights")


def _flat(net: nn.Module) -> Iterator[nn.Module]:
    """The layers of a network that applies one after another."""
    if not isinstance(net, nn.Sequential):
        raise CannotInline(f"the network is a {type(net).__name__}, which is no sequence of layers")
    for module in net:
        if isinstance(module, nn.Sequential):
            yield from _flat(module)
        else:
            yield module


def _append(
    module: nn.Module, shape: tuple[int, ...], layers: list[Layer], arrays: list[Tensor]
) -> tuple[int, ...]:
    """Adds a layer; the shape of what comes out of it."""
    size = int(np.prod(shape))
    if isinstance(module, nn.Linear):
        if module.in_features != size:
            raise CannotInline("the decoder is given more than the code and its covariates")
        layers.append({"kind": "linear", "inputs": size, "outputs": module.out_features})
        arrays += [module.weight, _bias(module.bias, module.out_features, module.weight)]
        return (module.out_features,)
    if isinstance(module, nn.ConvTranspose2d):
        return _append_transposed(module, shape, layers, arrays)
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.running_var is not None:
        assert module.running_mean is not None
        scale = (module.running_var + module.eps).rsqrt()
        if module.weight is not None:
            scale = scale * module.weight
        term = -module.running_mean * scale
        arrays += [scale, term if module.bias is None else term + module.bias]
        layers.append({"kind": "affine", "channels": len(scale), "size": size // len(scale)})
        return shape
    if isinstance(module, _SHAPES):
        # what is laid out anew keeps its order in memory; sizes are those of what comes out
        out = module(torch.empty(1, *shape, device=_device(arrays))).shape[1:]
        return tuple(out)
    if isinstance(module, nn.LeakyReLU):
        layers.append({"kind": "leaky", "slope": module.negative_slope})
        return shape
    if type(module) in _ACTIVATIONS and not (isinstance(module, nn.ELU) and module.alpha != 1):
        layers.append({"kind": _ACTIVATIONS[type(module)]})
        return shape
    if isinstance(module, nn.Identity | nn.Dropout | nn.Dropout2d):
        return shape
    raise CannotInline(f"a page has no kernel for {type(module).__name__}")


def _append_transposed(
    module: nn.ConvTranspose2d, shape: tuple[int, ...], layers: list[Layer], arrays: list[Tensor]
) -> tuple[int, ...]:
    settings = (module.kernel_size, module.stride, module.padding)
    kernel, stride, pad = (int(setting[0]) for setting in settings)
    square = all(len({*setting}) == 1 for setting in settings)
    if not square or module.groups != 1 or module.dilation != (1, 1) or len(shape) != 3:
        raise CannotInline("a page has no kernel for such a transposed convolution")
    sizes = zip(shape[1:], module.output_padding, strict=True)
    to = [(n - 1) * stride - 2 * pad + kernel + extra for n, extra in sizes]
    layers.append(
        {
            "kind": "transposed",
            "inputs": module.in_channels,
            "outputs": module.out_channels,
            "kernel": kernel,
            "stride": stride,
            "pad": pad,
            "from": list(shape[1:]),
            "to": to,
        }
    )
    arrays += [module.weight, _bias(module.bias, module.out_channels, module.weight)]
    return (module.out_channels, *to)


def _run(layers: list[Layer], weights: Tensor, h: Tensor) -> Tensor:
    """The layers, one after another: what the page's kernels are to give."""
    start = 0

    def take(*shape: int) -> Tensor:
        nonlocal start
        count = int(np.prod(shape))
        start += count
        return weights[start - count : start].reshape(shape)

    for layer in layers:
        kind = layer["kind"]
        if kind == "linear":
            matrix = take(layer["outputs"], layer["inputs"])
            h = F.linear(h.flatten(1), matrix, take(layer["outputs"]))
        elif kind == "transposed":
            k, (height, width) = layer["kernel"], layer["from"]
            kernels = take(layer["inputs"], layer["outputs"], k, k)
            bias = take(layer["outputs"])
            h = h.reshape(-1, layer["inputs"], height, width)
            plain = [(n - 1) * layer["stride"] - 2 * layer["pad"] + k for n in (height, width)]
            extra = [t - p for t, p in zip(layer["to"], plain, strict=True)]
            h = F.conv_transpose2d(h, kernels, bias, layer["stride"], layer["pad"], extra)
        elif kind == "affine":
            factor, term = take(layer["channels"], 1), take(layer["channels"], 1)
            h = (h.reshape(len(h), layer["channels"], -1) * factor + term).reshape(h.shape)
        else:
            h = _FUNCTIONS[kind](h, layer.get("slope", 0.0))
    return h


def _bias(bias: Tensor | None, size: int, weight: Tensor) -> Tensor:
    return weight.new_zeros(size) if bias is None else bias


def _device(arrays: list[Tensor]) -> torch.device:
    return arrays[0].device if arrays else torch.device("cpu")


def _continuous(h: Tensor, _: float) -> Tensor:
    """The mean of a continuous Bernoulli; logits end where torch's do in single precision."""
    h = h.clamp(-_LAST_LOGIT, _LAST_LOGIT)
    series = 0.5 + h / 12 - h**3 / 720
    safe = torch.where(h.abs() < 0.05, 1.0, h)
    return torch.where(h.abs() < 0.05, series, 1 / (1 - torch.exp(-safe)) - 1 / safe)


_FUNCTIONS = {
    "sigmoid": lambda h, _: torch.sigmoid(h),
    "same": lambda h, _: h,
    "continuous": _continuous,
    "tanh": lambda h, _: torch.tanh(h),
    "relu": lambda h, _: torch.relu(h),
    "leaky": lambda h, slope: F.leaky_relu(h, slope),
    "silu": lambda h, _: F.silu(h),
    "elu": lambda h, _: F.elu(h),
}
_ENDS = ("same", "sigmoid", "tanh", "continuous")
_SHAPES = (Flatten, Unflatten, nn.Flatten, nn.Unflatten)
_ACTIVATIONS: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.Tanh: "tanh",
    nn.Sigmoid: "sigmoid",
    nn.SiLU: "silu",
    nn.ELU: "elu",
}

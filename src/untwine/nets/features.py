"""Perceptual distances between images, from features of frozen networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..reading import expanded, open_npz
from ..spec import Recorded

__all__ = ["VGG16", "Features", "FrozenNet", "MultiScale"]


class Features(Recorded, nn.Module, ABC):
    r"""A fixed way to look at images, in several layers; what it keeps are buffers.

    A perceptual distance is the mean absolute difference of each layer, times the number of the
    image's values:

    .. math::
        d(x, y) = D \sum_l w_l \, \frac{1}{D_l} \| f_l(x) - f_l(y) \|_1

    so that a layer weighs as much as a Laplace likelihood of scale 1, :math:`\|x - y\|_1`, whose
    :math:`D` values differ by as much on average. Nothing in it is trained.

    A subclass says in `forward` what the layers are.
    """

    weights: Sequence[float] | None = None
    """One per layer, :math:`w_l`; all one if ``None``."""

    @abstractmethod
    def forward(self, x: Tensor) -> Sequence[Tensor]:
        """The layers of images ``(B, C, H, W)`` in [0, 1], each ``(B, ...)``."""

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """How far ``y`` looks from ``x``.

        Shape:
            x and y ``(B, C, H, W)``; returns ``(B,)``.

        Raises:
            ValueError: for observations that are no images.
        """
        if x.ndim != 4:
            raise ValueError(
                f"perceptual distances compare images (B, C, H, W), got {tuple(x.shape)}: "
                "leave the features out for vectors"
            )
        ones, twos = self(x), self(y)
        weights = [1.0] * len(ones) if self.weights is None else self.weights
        if len(weights) != len(ones):
            raise ValueError(f"there are {len(weights)} weights for {len(ones)} layers")
        layers = [
            weight * (one - two).abs().flatten(1).mean(1)
            for weight, one, two in zip(weights, ones, twos, strict=True)
        ]
        return x[0].numel() * torch.stack(layers).sum(0)


class MultiScale(Features):
    r"""The bands of a Laplacian pyramid: what averaging over 2x2 pixels loses, scale by scale.

    .. math::
        x_0 = x, \quad x_{j+1} = \mathrm{pool}(x_j), \quad
        f_j = x_j - \mathrm{up}(x_{j+1}), \quad f_J = x_J

    No net is needed: it is what a method compares images with if it is given nothing better. The
    mean over a band's pixels makes coarse differences count more than in the pixels themselves,
    by :math:`4^j`.

    Args:
        levels: :math:`J`, how often the image is halved (rounding up); fewer times where its
            smaller side is 1 before.
        weights: One per band, the coarse remainder last.

    Raises:
        ValueError: for fewer than one level, or another number of weights.

    References:
        Ling, Okada, "Diffusion Distance for Histogram Comparison", 2006, and its use for images in
        Bojanowski et al., "Optimizing the Latent Space of Generative Networks", 2018,
        https://arxiv.org/abs/1707.05776, section 3 (with a Gaussian blur instead of the mean).

    Example:
        >>> [tuple(band.shape) for band in MultiScale(2)(torch.rand(5, 1, 8, 8))]
        [(5, 1, 8, 8), (5, 1, 4, 4), (5, 1, 2, 2)]
    """

    def __init__(self, levels: int = 4, weights: Sequence[float] | None = None) -> None:
        super().__init__()
        if levels < 1:
            raise ValueError(f"levels is {levels}; expected at least 1")
        if weights is not None and len(weights) != levels + 1:
            raise ValueError(f"there are {len(weights)} weights for {levels + 1} bands")
        self.levels, self.weights = levels, weights

    def forward(self, x: Tensor) -> list[Tensor]:
        """The bands, finest first, and what remains."""
        bands = []
        for _ in range(self.levels):
            if min(x.shape[-2:]) < 2:
                break
            coarse = F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
            up = coarse.repeat_interleave(2, -1).repeat_interleave(2, -2)
            bands.append(x - up[..., : x.shape[-2], : x.shape[-1]])
            x = coarse
        return [*bands, x]


_BLOCKS = (2, 2, 3, 3, 3)
_PAPER = ("relu1_2", "relu2_2", "relu3_2", "relu4_3", "pool5")


class VGG16(Features):
    """Layers of VGG16, trained on ImageNet.

    Args:
        path: A file of weights: an ``.npz`` with ``w0, w1, ...`` (output, input, 3, 3) and
            ``b0, b1, ...``, as many of the 13 convolutions from the first on as there are, and
            ``mean`` and ``std`` of the colors (ImageNet's if absent); or torchvision's state
            dictionary, a ``.pth``. Without one, torchvision's own weights, which it downloads
            unless they are there.
        layers: Names such as ``"relu1_2"`` and ``"pool5"``; by default those that LORD compares,
            relu1_2, relu2_2, relu3_2, relu4_3 and pool5, as far as the weights go.
        weights: One per layer; all one by default.
        normalized: Whether colors get ImageNet's mean and deviation first, as the weights expect.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: without a path and without torchvision.
        ValueError: for a file of another kind, and for layers that it does not reach.

    References:
        Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
        2015, https://arxiv.org/abs/1409.1556, configuration D. The layers are those of the code
        that LORD's authors released, where each is read after its ReLU; that code gives the net
        images in [0, 1] as they are, ``normalized=False``.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        layers: Sequence[str] | None = None,
        weights: Sequence[float] | None = None,
        normalized: bool = True,
    ) -> None:
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        tensors = _torchvision() if path is None else _read(path)
        convolutions = sum(key.startswith("w") for key in tensors)
        reached = _names(convolutions)
        if layers is None:
            layers = [name for name in _PAPER if name in reached]
        for name in layers:
            if name not in reached:
                raise ValueError(
                    f"there is no layer {name!r} in these {convolutions} convolutions of VGG16; "
                    f"there are {reached}"
                )
        if not layers or list(layers) != sorted(set(layers), key=reached.index):
            raise ValueError(f"layers is {list(layers)}; expected names in the order of the net")
        if weights is not None and len(weights) != len(layers):
            raise ValueError(f"there are {len(weights)} weights for {len(layers)} layers")
        self.layers, self.weights, self.normalized = tuple(layers), weights, normalized
        self._plan = reached[: reached.index(layers[-1]) + 1]
        mean = tensors.pop("mean", torch.tensor([0.485, 0.456, 0.406]))
        std = tensors.pop("std", torch.tensor([0.229, 0.224, 0.225]))
        needed = sum(name.startswith("relu") for name in self._plan)
        self.register_buffer("mean", mean.reshape(3, 1, 1), persistent=False)
        self.register_buffer("std", std.reshape(3, 1, 1), persistent=False)
        for i in range(needed):
            self.register_buffer(f"w{i}", tensors[f"w{i}"], persistent=False)
            self.register_buffer(f"b{i}", tensors[f"b{i}"], persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The layers; grey images are taken for three equal colors.

        Raises:
            ValueError: for images of other than one or three channels, or too small for the layers.
        """
        if x.shape[1] not in (1, 3):
            raise ValueError(f"x has {x.shape[1]} channels; expected images of 1 or 3")
        smallest = 2 ** sum(name.startswith("pool") for name in self._plan)
        if min(x.shape[-2:]) < smallest:
            raise ValueError(
                f"images of {x.shape[-2]}x{x.shape[-1]} are too small for {self.layers[-1]}, which "
                f"takes {smallest}x{smallest}: name earlier layers"
            )
        h = x.expand(-1, 3, -1, -1)
        if self.normalized:
            h = (h - self.mean) / self.std
        outputs, i = [], 0
        for name in self._plan:
            if name.startswith("pool"):
                h = F.max_pool2d(h, 2)
            else:
                h = F.relu(F.conv2d(h, getattr(self, f"w{i}"), getattr(self, f"b{i}"), padding=1))
                i += 1
            if name in self.layers:
                outputs.append(h)
        return outputs

    def extra_repr(self) -> str:
        """The layers compared."""
        return ", ".join(self.layers)


class FrozenNet(Features):
    """Layers of a net of your own, frozen as it is now.

    Args:
        net: Any module of images; its parameters are copied and will not be trained.
        layers: Names of its submodules (as ``net.named_modules()`` has them) whose outputs are
            compared; the net's own output by default.
        weights: One per layer; all one by default.

    Raises:
        ValueError: for a name that no submodule has.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
        >>> features = FrozenNet(net, ["1", "2"])
        >>> [tuple(f.shape) for f in features(torch.rand(5, 1, 8, 8))], list(features.parameters())
        ([(5, 4, 6, 6), (5, 2, 4, 4)], [])
    """

    def __init__(
        self,
        net: nn.Module,
        layers: Sequence[str] = ("",),
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        modules = dict(net.named_modules())
        for name in layers:
            if name not in modules:
                raise ValueError(f"the net has no module {name!r}; it has {sorted(modules)}")
        if weights is not None and len(weights) != len(layers):
            raise ValueError(f"there are {len(weights)} weights for {len(layers)} layers")
        self.layers, self.weights = tuple(layers), weights
        # Kept out of the registered modules: its parameters would be a player's to train.
        self._net = (net,)
        state = [*net.named_parameters(), *net.named_buffers()]
        self._names = [name for name, _ in state]
        for i, (_, value) in enumerate(state):
            self.register_buffer(f"state{i}", value.detach().clone(), persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The outputs of the named submodules, in the order of their names here."""
        (net,) = self._net
        outputs: dict[str, Tensor] = {}
        modules = dict(net.named_modules())
        hooks = [
            modules[name].register_forward_hook(
                lambda module, inputs, output, name=name: outputs.__setitem__(name, output)
            )
            for name in self.layers
        ]
        training = net.training
        net.eval()
        try:
            state = {name: getattr(self, f"state{i}") for i, name in enumerate(self._names)}
            torch.func.functional_call(net, state, (x,))
        finally:
            net.train(training)
            for hook in hooks:
                hook.remove()
        return [outputs[name] for name in self.layers]


def _names(convolutions: int) -> list[str]:
    """The layers of VGG16 that its first convolutions reach, in order."""
    names: list[str] = []
    left = convolutions
    for block, size in enumerate(_BLOCKS, 1):
        names += [f"relu{block}_{i + 1}" for i in range(min(size, left))]
        if left < size:
            break
        left -= size
        names.append(f"pool{block}")
    return names


def _read(path: str | Path) -> dict[str, Tensor]:
    """Convolutions of a file of weights."""
    path = expanded(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path} of VGG16's weights")
    if path.suffix == ".npz":
        with open_npz(path) as archive:
            content = {key: torch.from_numpy(archive[key]).float() for key in archive.files}
    else:
        content = _state(torch.load(path, map_location="cpu", weights_only=True))
    statistics: dict[str, Tensor] = {k: content[k] for k in ("mean", "std") if k in content}
    for i, (inputs, outputs) in enumerate(_channels()):
        if f"w{i}" not in content:
            break
        weight, bias = content[f"w{i}"], content.get(f"b{i}", torch.empty(0))
        if weight.shape != (outputs, inputs, 3, 3) or bias.shape != (outputs,):
            raise ValueError(
                f"convolution {i} of {path} has weights {tuple(weight.shape)} and biases "
                f"{tuple(bias.shape)}; VGG16's are {(outputs, inputs, 3, 3)} and {(outputs,)}"
            )
        statistics |= {f"w{i}": weight, f"b{i}": bias}
    if "w0" not in statistics:
        raise ValueError(
            f"{path} holds {sorted(content)[:8]}; expected w0, b0, w1, b1, ... of VGG16's "
            "convolutions, or torchvision's features.0.weight, features.0.bias, ..."
        )
    return statistics


def _torchvision() -> dict[str, Tensor]:
    try:
        from torchvision.models import VGG16_Weights, vgg16
    except ImportError as error:
        raise ImportError(
            "VGG16's weights come from torchvision, which is not installed: install it, or give "
            "VGG16(path=...) a file of weights; MultiScale() needs neither"
        ) from error
    return _state(vgg16(weights=VGG16_Weights.IMAGENET1K_V1).state_dict())


def _state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The convolutions of torchvision's state dictionary."""
    numbers = sorted(
        int(key.split(".")[1])
        for key in state
        if key.startswith("features.") and key.endswith(".weight")
    )
    convolutions: dict[str, Tensor] = {}
    for i, number in enumerate(numbers):
        convolutions[f"w{i}"] = state[f"features.{number}.weight"].detach().float()
        convolutions[f"b{i}"] = state[f"features.{number}.bias"].detach().float()
    return convolutions


def _channels() -> Iterator[tuple[int, int]]:
    """Inputs and outputs of VGG16's convolutions."""
    inputs = 3
    for size, outputs in zip(_BLOCKS, (64, 128, 256, 512, 512), strict=True):
        for _ in range(size):
            yield inputs, outputs
            inputs = outputs

"""Architectures of networks; no losses, no distributions."""

from .adain import AdaIN, adain
from .adaptive import AdaptiveAugment
from .architecture import Architecture
from .augment import DiffAugment, RandomAffine
from .conv import Burgess2018, Conv, Locatello2019
from .critics import GaussianNoise, mlp_critic
from .dcgan import DCGAN
from .default import default_architecture
from .equalized import EqualizedConv, EqualizedLinear
from .features import VGG16, Features, FrozenNet, MultiScale
from .mlp import MLP, mlp
from .modulated import modulated_conv
from .recurrent import Recurrent
from .rungs import Rungs
from .running_copy import follow, running_copy
from .style import StyleGenerator, StyleMapping, StyleSynthesis, style_sizes
from .style_discriminator import StyleDiscriminator, batch_deviation

__all__ = [
    "DCGAN",
    "MLP",
    "VGG16",
    "AdaIN",
    "AdaptiveAugment",
    "Architecture",
    "Burgess2018",
    "Conv",
    "DiffAugment",
    "EqualizedConv",
    "EqualizedLinear",
    "Features",
    "FrozenNet",
    "GaussianNoise",
    "Locatello2019",
    "MultiScale",
    "RandomAffine",
    "Recurrent",
    "Rungs",
    "StyleDiscriminator",
    "StyleGenerator",
    "StyleMapping",
    "StyleSynthesis",
    "adain",
    "batch_deviation",
    "default_architecture",
    "follow",
    "mlp",
    "mlp_critic",
    "modulated_conv",
    "running_copy",
    "style_sizes",
]

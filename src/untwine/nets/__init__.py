"""Architectures of networks; no losses, no distributions."""

from .adain import AdaIN, adain
from .architecture import Architecture
from .augment import DiffAugment, RandomAffine
from .conv import Burgess2018, Conv, Locatello2019
from .critics import GaussianNoise, mlp_critic
from .dcgan import DCGAN
from .default import default_architecture
from .features import VGG16, Features, FrozenNet, MultiScale
from .mlp import MLP, mlp
from .recurrent import Recurrent
from .rungs import Rungs

__all__ = [
    "DCGAN",
    "MLP",
    "VGG16",
    "AdaIN",
    "Architecture",
    "Burgess2018",
    "Conv",
    "DiffAugment",
    "Features",
    "FrozenNet",
    "GaussianNoise",
    "Locatello2019",
    "MultiScale",
    "RandomAffine",
    "Recurrent",
    "Rungs",
    "adain",
    "default_architecture",
    "mlp",
    "mlp_critic",
]

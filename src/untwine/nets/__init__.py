"""Architectures, and nothing but: no losses, no distributions."""

from .architecture import Architecture, default_architecture
from .conv import Burgess2018, Conv, Locatello2019
from .critics import mlp_critic
from .mlp import MLP, mlp

__all__ = [
    "MLP",
    "Architecture",
    "Burgess2018",
    "Conv",
    "Locatello2019",
    "default_architecture",
    "mlp",
    "mlp_critic",
]

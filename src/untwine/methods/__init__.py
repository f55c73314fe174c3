"""Methods: one file per paper. A new one is added by its file and one line here."""

import inspect

from .ada_gvae import AdaGVAE as AdaGVAE
from .annealed_vae import AnnealedVAE as AnnealedVAE, Capacity as Capacity
from .beta_tcvae import BetaTCVAE as BetaTCVAE, TotalCorrelation as TotalCorrelation
from .beta_vae import BetaVAE as BetaVAE
from .dip_vae import DIP as DIP, DIPVAEI as DIPVAEI, DIPVAEII as DIPVAEII
from .factor_vae import FactorVAE as FactorVAE
from .gaussian_mixture_vae import GaussianMixtureVAE as GaussianMixtureVAE
from .infogan_cr import InfoGANCR as InfoGANCR
from .lord import LORD as LORD
from .m2 import M2 as M2
from .method import (
    Context as Context,
    Loss as Loss,
    Method as Method,
    Player as Player,
    Stage as Stage,
    play as play,
)
from .penalty import KL as KL, Penalty as Penalty, Trace as Trace
from .vae import VAE as VAE

__all__ = sorted(  # the methods that can be built, so that one line adds one
    name
    for name, value in globals().items()
    if inspect.isclass(value) and issubclass(value, Method) and not inspect.isabstract(value)
)

"""Methods: one file per paper. A new one is added by its file and one line here."""

import inspect

from .aae import AAE as AAE
from .abilities import (
    Classifies as Classifies,
    Clusters as Clusters,
    Decodes as Decodes,
    HasLevels as HasLevels,
    HasPrior as HasPrior,
    MixesStyles as MixesStyles,
    Represents as Represents,
    Samples as Samples,
    SamplesGiven as SamplesGiven,
)
from .ada_gvae import AdaGVAE as AdaGVAE
from .ada_mlvae import AdaMLVAE as AdaMLVAE
from .annealed_vae import AnnealedVAE as AnnealedVAE, Capacity as Capacity
from .beta_tcvae import BetaTCVAE as BetaTCVAE, TotalCorrelation as TotalCorrelation
from .beta_vae import BetaVAE as BetaVAE
from .block_kl import BlockKL as BlockKL
from .clustering_aae import ClusteringAAE as ClusteringAAE
from .dip_vae import DIP as DIP, DIPVAEI as DIPVAEI, DIPVAEII as DIPVAEII
from .divergences import (
    MMD as MMD,
    Adversarial as Adversarial,
    SlicedWasserstein as SlicedWasserstein,
    Stein as Stein,
)
from .drnet import DrNet as DrNet
from .elastic_infogan import ElasticInfoGAN as ElasticInfoGAN
from .f_statistic import FStatistic as FStatistic
from .factor_vae import FactorVAE as FactorVAE
from .factorized_support import FactorizedSupport as FactorizedSupport
from .few_labels_vae import FewLabelsVAE as FewLabelsVAE
from .gaussian_mixture_vae import GaussianMixtureVAE as GaussianMixtureVAE
from .generalized_m2 import GeneralizedM2 as GeneralizedM2
from .gradient_guard import GradientGuard as GradientGuard
from .graph import Graph as Graph, Variable as Variable
from .group_mmd import GroupMMD as GroupMMD
from .gvae import GVAE as GVAE
from .hierarchical_mixture_vae import HierarchicalMixtureVAE as HierarchicalMixtureVAE
from .hierarchical_model import HierarchicalModel as HierarchicalModel, TopDown as TopDown
from .info_vae import InfoVAE as InfoVAE
from .infogan import InfoGAN as InfoGAN
from .infogan_cr import Contrast as Contrast, InfoGANCR as InfoGANCR
from .jacobian_penalties import OrthogonalJacobian as OrthogonalJacobian, SeamGap as SeamGap
from .joint_vae import JointVAE as JointVAE
from .labelled_mixture_vae import LabelledMixtureVAE as LabelledMixtureVAE
from .ladder_vae import LadderVAE as LadderVAE
from .level_kl import LevelKL as LevelKL
from .lord import LORD as LORD
from .loss import Loss as Loss
from .m1 import M1 as M1, classify_codes as classify_codes
from .m1m2 import M1M2 as M1M2
from .m2 import M2 as M2
from .mathieu2016 import Mathieu2016 as Mathieu2016
from .method import Context as Context, Method as Method, Player as Player, Stage as Stage
from .mixture_kl import MixtureKL as MixtureKL
from .mixture_vae import MixtureVAE as MixtureVAE
from .mlvae import MLVAE as MLVAE
from .model import Model as Model
from .multi_latent_vae import MultiLatentVAE as MultiLatentVAE
from .multimodal_vae import MultimodalVAE as MultimodalVAE
from .penalty import KL as KL, Penalties as Penalties, Penalty as Penalty, Trace as Trace
from .play import play as play
from .qlae import QLAE as QLAE, Quantization as Quantization
from .reducing_aae import (
    ReducingAAE as ReducingAAE,
    SemiSupervisedReducingAAE as SemiSupervisedReducingAAE,
)
from .semi_supervised_aae import SemiSupervisedAAE as SemiSupervisedAAE
from .slow_vae import SlowVAE as SlowVAE
from .snapshot import Snapshot as Snapshot
from .style_gan import StyleGAN as StyleGAN
from .swaps import Swaps as Swaps, swap as swap
from .tripod import (
    HessianPenalty as HessianPenalty,
    Multiinformation as Multiinformation,
    Tripod as Tripod,
)
from .vade import MixtureBound as MixtureBound, VaDE as VaDE
from .vae import VAE as VAE
from .vaegan import VAEGAN as VAEGAN
from .vamp_vae import VampVAE as VampVAE
from .very_deep_vae import VeryDeepVAE as VeryDeepVAE
from .vlae import VLAE as VLAE

__all__ = sorted(  # the methods that can be built, so that one line adds one
    name
    for name, value in globals().items()
    if inspect.isclass(value) and issubclass(value, Method) and not inspect.isabstract(value)
)

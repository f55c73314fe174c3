"""Metrics: functions ``name(codes, factors, **protocol) -> Score`` on plain arrays.

`METRICS` says of each what it asks for; `evaluate` computes many at once.
"""

# Functions and their modules share names. They are imported here, all at once, so that the package
# holds the functions: a module that is already loaded does not put itself in their place.
import importlib
from typing import TYPE_CHECKING, Any

from ..encoding import Codes as Codes, encode as encode
from .activity import active_units as active_units, dimension_kl as dimension_kl
from .aggregate import (
    aggregate_posterior as aggregate_posterior,
    aggregate_total_correlation as aggregate_total_correlation,
)
from .beta_vae_score import beta_vae_score as beta_vae_score
from .blocks import block_mutual_information as block_mutual_information
from .catalog import METRICS as METRICS
from .clustering import (
    ari as ari,
    batch_silhouette as batch_silhouette,
    cluster_accuracy as cluster_accuracy,
    lisi as lisi,
    nmi as nmi,
    silhouette as silhouette,
)
from .dci import dci as dci
from .dcimig import dcimig as dcimig
from .downstream import (
    downstream_accuracy as downstream_accuracy,
    sample_efficiency as sample_efficiency,
)
from .explicitness import explicitness as explicitness
from .factor_vae_score import factor_vae_score as factor_vae_score
from .fairness import unfairness as unfairness
from .infomec import infomec as infomec
from .irs import irs as irs
from .jemmig import jemmig as jemmig
from .mcc import mcc as mcc, r2 as r2
from .mig import mig as mig
from .mig_sup import mig_sup as mig_sup
from .model_centrality import model_centrality as model_centrality
from .modularity import modularity as modularity
from .pairwise import pairwise_mutual_information as pairwise_mutual_information
from .sap import sap as sap
from .score import Score as Score
from .total_correlation import (
    gaussian_total_correlation as gaussian_total_correlation,
    wasserstein_correlation as wasserstein_correlation,
)
from .udr import udr as udr
from .z_max_var import z_max_var as z_max_var

if TYPE_CHECKING:
    from .door import Disentanglement as Disentanglement
    from .evaluation import Evaluation as Evaluation
    from .suite import evaluate as evaluate

__all__ = sorted(METRICS)

_WHERE = {"Disentanglement": "door", "Evaluation": "evaluation", "evaluate": "suite"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_WHERE[name]}", __name__), name)
    globals()[name] = value
    return value

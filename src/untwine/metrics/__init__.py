"""Metrics: functions ``name(codes, factors, **protocol) -> Score`` on plain arrays.

`METRICS` says of each what it asks for; `untwine.evaluate` computes many at once. A metric stands
in the private module of its name, so that ``untwine.metrics.mig`` is the function and nothing else.
Every such module is imported; the lines below are for type checkers.
"""

from importlib import import_module as _import_module
from pkgutil import iter_modules as _iter_modules

from .._moved import redirect
from ..encoding import Codes as Codes, encode as encode
from ._active_units import active_units as active_units
from ._aggregate_total_correlation import aggregate_total_correlation as aggregate_total_correlation
from ._ami import ami as ami
from ._ari import ari as ari
from ._batch_silhouette import batch_silhouette as batch_silhouette
from ._beta_vae_score import beta_vae_score as beta_vae_score
from ._block_mutual_information import block_mutual_information as block_mutual_information
from ._cluster_accuracy import cluster_accuracy as cluster_accuracy
from ._consistency import consistency as consistency
from ._dci import dci as dci, dci_from_importance as dci_from_importance
from ._dci_es import dci_es as dci_es, explicitness_from_curve as explicitness_from_curve
from ._dcimig import dcimig as dcimig
from ._dimension_kl import dimension_kl as dimension_kl
from ._downstream_accuracy import downstream_accuracy as downstream_accuracy
from ._estimators.aggregate import aggregate_posterior as aggregate_posterior
from ._explicitness import explicitness as explicitness
from ._factor_vae_score import factor_vae_score as factor_vae_score
from ._flatness import flatness as flatness
from ._gaussian_total_correlation import gaussian_total_correlation as gaussian_total_correlation
from ._graph_connectivity import graph_connectivity as graph_connectivity
from ._infomec import infomec as infomec
from ._irs import irs as irs
from ._isolated_labels_asw import isolated_labels_asw as isolated_labels_asw
from ._isolated_labels_f1 import isolated_labels_f1 as isolated_labels_f1
from ._jemmig import jemmig as jemmig
from ._kbet import kbet as kbet
from ._latent_matching import latent_matching as latent_matching
from ._lisi import lisi as lisi
from ._mcc import mcc as mcc
from ._mig import mig as mig
from ._mig_sup import mig_sup as mig_sup
from ._model_centrality import model_centrality as model_centrality
from ._modularity import modularity as modularity
from ._nmi import nmi as nmi
from ._pairwise_mutual_information import pairwise_mutual_information as pairwise_mutual_information
from ._r2 import r2 as r2
from ._readout import readout as readout
from ._reduced_downstream import reduced_downstream as reduced_downstream
from ._sample_efficiency import sample_efficiency as sample_efficiency
from ._sap import sap as sap
from ._silhouette import silhouette as silhouette
from ._strong_downstream import strong_downstream as strong_downstream
from ._udr import udr as udr
from ._unfairness import unfairness as unfairness
from ._v_measure import v_measure as v_measure
from ._wasserstein_correlation import wasserstein_correlation as wasserstein_correlation
from ._z_max_var import z_max_var as z_max_var
from .chance import above_chance as above_chance
from .registry import GROUPS as GROUPS, METRICS as METRICS, metric as metric
from .score import NotApplicable as NotApplicable, Score as Score

for _name in [module.name for module in _iter_modules(__path__) if not module.ispkg]:
    if _name.startswith("_"):
        globals()[_name[1:]] = vars(_import_module(f"{__name__}.{_name}"))[_name[1:]]

__all__ = sorted(METRICS)

__getattr__ = redirect("untwine.metrics")

"""Uses of a trained method: codes for other libraries, samples, what is missing, edits."""

from ..evaluation import which
from .annotation import annotate
from .censoring import Censor, censor
from .choice import Control
from .controls import Controls
from .counterfactuals import Counterfactuals, counterfactuals
from .discovery import CausalGraph, Discovery, agreement, discover, match
from .edited import Edited
from .erasure import Erasure, erase
from .estimator import CodeTransformer
from .expression import differential_expression, normalized_expression
from .fairness import Fairness, fairness, parity
from .falsification import Falsification, falsify
from .generation import condition_of, interpolate, sample, sample_like
from .imputation import impute
from .interventions import Effects, intervene
from .locating import Location, Recovery, locate, recover
from .probe import Probe
from .query import map_query
from .readers import Reader, nearest_reader, reader_of, tunnel_reader
from .transfer import TransferCurve, transfer_curve, transfer_curves

__all__ = [
    "CausalGraph",
    "Censor",
    "CodeTransformer",
    "Control",
    "Controls",
    "Counterfactuals",
    "Discovery",
    "Edited",
    "Effects",
    "Erasure",
    "Fairness",
    "Falsification",
    "Location",
    "Probe",
    "Reader",
    "Recovery",
    "TransferCurve",
    "agreement",
    "annotate",
    "censor",
    "condition_of",
    "counterfactuals",
    "differential_expression",
    "discover",
    "erase",
    "fairness",
    "falsify",
    "impute",
    "interpolate",
    "intervene",
    "locate",
    "map_query",
    "match",
    "nearest_reader",
    "normalized_expression",
    "parity",
    "reader_of",
    "recover",
    "sample",
    "sample_like",
    "transfer_curve",
    "transfer_curves",
    "tunnel_reader",
    "which",
]

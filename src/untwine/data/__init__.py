"""Data sets with factors, the batches that methods learn from, and the loaders between them."""

from .batches import Batch, Clips, FewLabels, Groups, Images, Indexed, Modalities, Pairs
from .catalog import Entry, available
from .dataset import FactorDataset, Split, Subset
from .draws import generator_for
from .dsprites import DSprites
from .files import H5, H5AD, Npz
from .folder import Folder
from .loader import DataLoaderAdapter, Loader, as_loader
from .modalities import Multimodal
from .samplers import (
    IID,
    ClipsSampler,
    FewLabelsSampler,
    GroupsSampler,
    IndexedSampler,
    ModalitiesSampler,
    PairsSampler,
    Sampler,
    default_sampler,
)
from .space import FactorSpace
from .table import Arrays
from .variants import (
    ColorDSprites,
    Colored,
    Noisy,
    NoisyDSprites,
    OnBackground,
    ScreamDSprites,
    Transformed,
    swirl,
)

__all__ = [
    "H5",
    "H5AD",
    "IID",
    "Arrays",
    "Batch",
    "Clips",
    "ClipsSampler",
    "ColorDSprites",
    "Colored",
    "DSprites",
    "DataLoaderAdapter",
    "Entry",
    "FactorDataset",
    "FactorSpace",
    "FewLabels",
    "FewLabelsSampler",
    "Folder",
    "Groups",
    "GroupsSampler",
    "Images",
    "Indexed",
    "IndexedSampler",
    "Loader",
    "Modalities",
    "ModalitiesSampler",
    "Multimodal",
    "Noisy",
    "NoisyDSprites",
    "Npz",
    "OnBackground",
    "Pairs",
    "PairsSampler",
    "Sampler",
    "ScreamDSprites",
    "Split",
    "Subset",
    "Transformed",
    "as_loader",
    "available",
    "default_sampler",
    "generator_for",
    "swirl",
]

"""Data sets with factors, the batches that methods learn from, and the loaders between them."""

from .._moved import redirect
from .arrays import Arrays
from .batches import Batch, Clips, FewLabels, Groups, Images, Indexed, Modalities, Pairs
from .catalog import Entry, available
from .cells import H5AD, Cells, MultimodalCells
from .clips import Frames, Scenes
from .constructors import from_arrays, from_folder, from_h5, from_h5ad, from_npz
from .dataset import FactorDataset, Split, Subset
from .dsprites import DSprites
from .files import H5, Npz
from .folder import Folder
from .loader import DataLoaderAdapter, Loader, as_loader
from .lpc import LPCSprites
from .modalities import Data, Multimodal
from .moving import MovingDigits, MovingSprites
from .samplers import (
    IID,
    ClipsSampler,
    FewLabelsSampler,
    GroupsSampler,
    IndexedSampler,
    LaplacePairsSampler,
    ModalitiesSampler,
    PairsSampler,
    Sampler,
    SuccessivePairsSampler,
    default_sampler,
)
from .seeds import generator_for
from .space import Factor, FactorSpace
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
    "Cells",
    "Clips",
    "ClipsSampler",
    "ColorDSprites",
    "Colored",
    "DSprites",
    "Data",
    "DataLoaderAdapter",
    "Entry",
    "Factor",
    "FactorDataset",
    "FactorSpace",
    "FewLabels",
    "FewLabelsSampler",
    "Folder",
    "Frames",
    "Groups",
    "GroupsSampler",
    "Images",
    "Indexed",
    "IndexedSampler",
    "LPCSprites",
    "LaplacePairsSampler",
    "Loader",
    "Modalities",
    "ModalitiesSampler",
    "MovingDigits",
    "MovingSprites",
    "Multimodal",
    "MultimodalCells",
    "Noisy",
    "NoisyDSprites",
    "Npz",
    "OnBackground",
    "Pairs",
    "PairsSampler",
    "Sampler",
    "Scenes",
    "ScreamDSprites",
    "Split",
    "Subset",
    "SuccessivePairsSampler",
    "Transformed",
    "as_loader",
    "available",
    "default_sampler",
    "from_arrays",
    "from_folder",
    "from_h5",
    "from_h5ad",
    "from_npz",
    "generator_for",
    "swirl",
]

__getattr__ = redirect(__name__)

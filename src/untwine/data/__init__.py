"""Data sets with factors, the batches that methods learn from, and the loaders between them.

A data set of the library is added by its file and one line here.
"""

import inspect

from .._moved import redirect as _redirect
from .arrays import Arrays as Arrays
from .augmented import Augmented as Augmented
from .batches import (
    Batch as Batch,
    Clips as Clips,
    FewLabels as FewLabels,
    Groups as Groups,
    Images as Images,
    Indexed as Indexed,
    Modalities as Modalities,
    Pairs as Pairs,
)
from .cars3d import Cars3D as Cars3D
from .catalog import Entry as Entry, available as available
from .celeba import CelebA as CelebA
from .cells import H5AD as H5AD, Cells as Cells, MultimodalCells as MultimodalCells
from .cells_on_disk import CellsOnDisk as CellsOnDisk
from .clips import Frames as Frames, Scenes as Scenes
from .constructors import (
    from_arrays as from_arrays,
    from_folder as from_folder,
    from_h5 as from_h5,
    from_h5ad as from_h5ad,
    from_npz as from_npz,
    from_torch as from_torch,
)
from .correlated import (
    Correlated as Correlated,
    CorrelatedSampler as CorrelatedSampler,
    Correlation as Correlation,
    confounder as confounder,
    correlated_settings as correlated_settings,
)
from .dataset import (
    FactorDataset as FactorDataset,
    Slice as Slice,
    Split as Split,
    Subset as Subset,
)
from .downsampled import Downsampled as Downsampled
from .dsprites import DSprites as DSprites
from .faces import DrawnFaces as DrawnFaces
from .files import H5 as H5, Npz as Npz
from .folder import Folder as Folder
from .folder_on_disk import FolderOnDisk as FolderOnDisk
from .held_out import HeldOut as HeldOut, HeldOutAtRandom as HeldOutAtRandom, corner as corner
from .light_tunnel import LightTunnel as LightTunnel
from .loader import DataLoaderAdapter as DataLoaderAdapter, Loader as Loader, as_loader as as_loader
from .lpc import LPCSprites as LPCSprites
from .mnist import MNIST as MNIST, FashionMNIST as FashionMNIST
from .modalities import Data as Data, Multimodal as Multimodal
from .moving import MovingDigits as MovingDigits, MovingSprites as MovingSprites
from .mpi3d import MPI3D as MPI3D
from .on_disk import OnDisk as OnDisk
from .rooms3d import Rooms3D as Rooms3D
from .samplers import (
    IID as IID,
    AdjacentPairsSampler as AdjacentPairsSampler,
    ClipsSampler as ClipsSampler,
    FewLabelsSampler as FewLabelsSampler,
    GroupsSampler as GroupsSampler,
    IndexedSampler as IndexedSampler,
    LaplacePairsSampler as LaplacePairsSampler,
    ModalitiesSampler as ModalitiesSampler,
    PairsSampler as PairsSampler,
    Sampler as Sampler,
    SuccessivePairsSampler as SuccessivePairsSampler,
    default_sampler as default_sampler,
)
from .seeds import generator_for as generator_for
from .shapes3d import Shapes3D as Shapes3D
from .smallnorb import SmallNORB as SmallNORB
from .space import Factor as Factor, FactorSpace as FactorSpace
from .torch_dataset import TorchDataset as TorchDataset
from .variants import (
    Binarized as Binarized,
    ColorDSprites as ColorDSprites,
    Colored as Colored,
    Noisy as Noisy,
    NoisyDSprites as NoisyDSprites,
    OnBackground as OnBackground,
    ScreamDSprites as ScreamDSprites,
    Transformed as Transformed,
    swirl as swirl,
)
from .yaleb import YaleB as YaleB

__all__ = sorted(
    name
    for name, value in globals().items()
    if not name.startswith("_") and not inspect.ismodule(value)
)

__getattr__ = _redirect(__name__)

"""How fast dSprites is rendered and read, and how much memory it takes.

Run it on an idle machine: ``python benchmarks/data.py``. It takes about ten seconds.
"""

from __future__ import annotations

import resource
import statistics
import sys

import common
import numpy as np
import torch
from common import timed

from untwine.data import (
    IID,
    ColorDSprites,
    DSprites,
    FactorDataset,
    Loader,
    NoisyDSprites,
    PairsSampler,
    Sampler,
    ScreamDSprites,
)
from untwine.data.sprites import shared_sprites

BATCH = 64
BATCHES = 100


def peak() -> float:
    """The most memory that the process has held so far, in MB."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1e6 if sys.platform == "darwin" else used * 1024 / 1e6


def batch_time(data: FactorDataset, sampler: Sampler) -> float:
    """The median milliseconds of a batch, once warm."""
    loader = Loader(data, sampler, batch_size=BATCH)
    for step in range(10):
        loader(step)
    return 1e3 * statistics.median(timed(lambda s=step: loader(s))[1] for step in range(BATCHES))


def main() -> None:
    common.parser(__doc__).parse_args()
    torch.set_num_threads(1)
    print(f"imports                                  {peak():8.0f} MB")
    print(f"make the data set                        {1e3 * timed(DSprites)[1]:8.2f} ms")
    data = DSprites()
    index = np.random.default_rng(0).integers(0, len(data), (BATCHES, BATCH))
    print(f"first batch, rendered                    {1e3 * timed(lambda: data[0])[1]:8.2f} ms")
    cold = statistics.median(timed(lambda i=i: data.observations(i))[1] for i in index)
    print(f"random batch of {BATCH}, rendered             {1e3 * cold:8.2f} ms")
    print(f"render all that are missing              {timed(data.render)[1]:8.2f} s")
    print(f"all images, packed                       {shared_sprites().nbytes / 1e6:8.0f} MB")
    warm = statistics.median(timed(lambda i=i: data.observations(i))[1] for i in index)
    print(f"random batch of {BATCH}, already rendered     {1e3 * warm:8.2f} ms")
    print(
        f"factors of all images                    {1e3 * timed(lambda: data.factors)[1]:8.2f} ms"
    )
    print(f"whole process so far, at its largest     {peak():8.0f} MB")
    cases: list[tuple[FactorDataset, Sampler]] = [
        (data, IID()),
        (data, PairsSampler()),
        (data.split(0.5)[0], PairsSampler()),
        (ColorDSprites(), IID()),
        (NoisyDSprites(), IID()),
        (ScreamDSprites(), IID()),
    ]
    for case, sampler in cases:
        name = f"{type(case).__name__}, {type(sampler).__name__}, batch of {BATCH}"
        print(f"{name:41s}{batch_time(case, sampler):8.2f} ms")
    print(f"whole process with look-ups for Split    {peak():8.0f} MB")


if __name__ == "__main__":
    main()

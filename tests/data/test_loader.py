"""Loaders: pure functions of the step, shares that add up, and whatever people bring."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from untwine import data as ud
from untwine.data import FactorDataset, FactorSpace, Loader, as_loader, default_sampler
from untwine.data.seeds import generator_for, noise_for

SPACE = FactorSpace(("a", "b", "c"), (3, 4, 5))
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
DATA = FactorDataset.from_arrays(IMAGES, SPACE.factors(np.arange(60)), SPACE.names)
NOISY = ud.Noisy(DATA)
MODALITIES = ud.Multimodal({"grey": DATA, "noisy": NOISY})
CASES = [
    (NOISY, ud.IID()),
    (NOISY, ud.PairsSampler()),
    (NOISY, ud.GroupsSampler(3)),
    (NOISY, ud.FewLabelsSampler("b", labelled=8, batch_labelled=4)),
    (NOISY, ud.IndexedSampler("a")),
    (NOISY, ud.ClipsSampler("c", 3)),
    (MODALITIES, ud.ModalitiesSampler()),
]
IDS = [type(sampler).__name__ for _, sampler in CASES]


def tensors(batch):
    for value in vars(batch).values():
        yield from value.values() if isinstance(value, dict) else [value]


def equal(one, two):
    return all(
        a is b is None or torch.equal(a, b) for a, b in zip(tensors(one), tensors(two), strict=True)
    )


@pytest.mark.parametrize(("data", "sampler"), CASES, ids=IDS)
def test_a_batch_is_a_pure_function_of_seed_and_step(data, sampler):
    loader = Loader(data, sampler, batch_size=16, seed=3)
    assert (loader.size, len(loader(0))) == (60, 16)
    later = loader(12)
    loader(5)
    assert equal(later, loader(12))
    assert equal(later, Loader(data, type(sampler)(**sampler.arguments), batch_size=16, seed=3)(12))
    assert not equal(later, loader(13))
    assert not equal(later, Loader(data, sampler, batch_size=16, seed=4)(12))


@pytest.mark.parametrize("world_size", [2, 4])
@pytest.mark.parametrize(("data", "sampler"), CASES, ids=IDS)
def test_the_shares_of_all_ranks_are_the_batch_of_one_process(data, sampler, world_size):
    whole = Loader(data, sampler, batch_size=16, seed=1)(7)
    shares = [
        Loader(data, sampler, batch_size=16, seed=1, rank=rank, world_size=world_size)(7)
        for rank in range(world_size)
    ]
    assert all(len(share) == 16 // world_size for share in shares)
    for all_of_it, *parts in zip(tensors(whole), *map(tensors, shares), strict=True):
        if all_of_it is not None:
            assert torch.equal(all_of_it, torch.cat(parts))


def test_iteration_begins_at_step_zero_and_has_no_end():
    loader = Loader(DATA, ud.IID(), batch_size=4)
    for step, batch in zip(range(30), loader, strict=False):
        assert equal(batch, loader(step))
    assert len(list(loader.batches(5))) == 5
    assert equal(next(loader.batches(1, start=9)), loader(9))


def test_seeds_and_steps_have_generators_of_their_own():
    firsts = {generator_for(seed, step).integers(2**63) for seed in range(20) for step in range(20)}
    noises = {
        noise_for(seed, index, draw).integers(2**63)
        for seed in range(5)
        for index in range(5)
        for draw in (0, 1, 2, 1 << 64, (1 << 64) + 1)
    }
    assert len(firsts) == 400
    assert len(noises) == 125
    assert not firsts & noises
    assert generator_for(2, 3).random() == generator_for(2, 3).random()


def test_the_same_batch_in_another_process():
    code = (
        "import numpy as np, untwine.data as ud;"
        "x = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8);"
        "d = ud.Noisy(ud.FactorDataset.from_arrays(x, np.arange(60) % 7));"
        "print(ud.Loader(d, ud.PairsSampler(1), batch_size=8, seed=5)(11).x1.sum().item())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    data = ud.Noisy(FactorDataset.from_arrays(IMAGES, np.arange(60) % 7))
    here = Loader(data, ud.PairsSampler(1), batch_size=8, seed=5)(11).x1.sum().item()
    assert float(run.stdout) == here


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        (
            {"batch_size": 10, "world_size": 4},
            "batch_size of 10 cannot be divided among 4 proc.* 8",
        ),
        ({"batch_size": 3, "world_size": 4}, "use a multiple of 4, such as 4"),
        ({"batch_size": 8, "world_size": 4, "rank": 4}, "rank is 4; expected 0 to 3"),
        ({"batch_size": 8, "seed": -1}, "seed is -1"),
        ({"batch_size": 8, "seed": 0.5}, "seed is 0.5"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        Loader(DATA, ud.IID(), **arguments)


def test_a_labelled_part_that_cannot_be_divided():
    sampler = ud.FewLabelsSampler("b", labelled=8, batch_labelled=3)
    loader = Loader(DATA, sampler, batch_size=8, world_size=2)
    with pytest.raises(ValueError, match="batch of 3 cannot be divided among 2"):
        loader(0)


def learner(supervision=ud.Images, sampler=None):
    return SimpleNamespace(supervision=supervision, sampler=lambda: sampler)


def test_a_data_set_becomes_a_loader_with_the_method_s_sampler():
    loader = as_loader(DATA, learner(ud.Pairs), 8, seed=2)
    assert equal(loader(3), Loader(DATA, ud.PairsSampler(), batch_size=8, seed=2)(3))
    own = ud.GroupsSampler(5)
    loader = as_loader(DATA, learner(ud.Groups, own), 8, rank=1, world_size=2)
    assert loader.sampler is own
    assert loader(0).x.shape == (4, 5, 1, 8, 8)
    assert as_loader(MODALITIES, learner(ud.Modalities))(0).x["grey"].shape == (64, 1, 8, 8)


def test_a_loader_keeps_its_batch_size_and_seed():
    given = Loader(DATA, ud.IID(), batch_size=6, seed=9)
    loader = as_loader(given, learner(), 64, seed=0, rank=1, world_size=2, device="meta")
    assert (loader.batch_size, loader.seed, loader.rank) == (6, 9, 1)
    assert loader(0).x.device.type == "meta"
    with pytest.raises(ValueError, match="learns from Pairs, but IID makes Images: use PairsSamp"):
        as_loader(given, learner(ud.Pairs))


def test_a_torch_data_loader_goes_round_and_round():
    x, y = torch.from_numpy(IMAGES[:10, None]), torch.arange(10)
    loader = as_loader(DataLoader(TensorDataset(x, y), batch_size=4), learner())
    assert loader.size == 10
    batches = [loader(step) for step in range(6)]
    assert [len(batch) for batch in batches] == [4, 4, 2, 4, 4, 2]
    assert all(type(batch) is ud.Images for batch in batches)
    assert torch.equal(torch.cat([batch.x for batch in batches[3:]]), x / 255)
    assert len(list(loader.batches(2))) == 2
    plain = as_loader(DataLoader(DATA, batch_size=60), learner())
    assert torch.equal(plain(0).x, DATA.observations(range(60)))
    assert as_loader(plain, learner(), device="meta")(1).x.device.type == "meta"


def collate(rows):
    x = torch.stack(rows)
    return ud.Pairs(x, x + 1)


def test_a_torch_data_loader_may_yield_batch_types():
    loader = as_loader(DataLoader(DATA, batch_size=4, collate_fn=collate), learner(ud.Pairs))
    assert type(loader(0)) is ud.Pairs


class Stream(IterableDataset):
    def __iter__(self):
        return iter(torch.zeros(6, 2))


def test_data_loaders_that_cannot_be_used():
    with pytest.raises(ValueError, match=r"has no length: give .*DataLoaderAdapter\(loader, size="):
        as_loader(DataLoader(Stream()), learner())
    assert ud.DataLoaderAdapter(DataLoader(Stream(), batch_size=3), size=6)(0).x.shape == (3, 2)
    small = DataLoader(DATA, batch_size=100, drop_last=True)
    with pytest.raises(ValueError, match="yields no batch"):
        as_loader(small, learner())(0)
    words = DataLoader(["a", "b"], batch_size=2)
    with pytest.raises(TypeError, match="expected a tensor"):
        as_loader(words, learner())(0)
    with pytest.raises(ValueError, match=r"each of the 2 processes .*DistributedSampler"):
        as_loader(DataLoader(DATA), learner(), world_size=2)


def test_a_function_of_the_step():
    class Ramp:
        size = 100

        def __call__(self, step):
            return ud.Images(torch.full((2, 3), float(step)))

    loader = as_loader(Ramp(), learner(), device="cpu")
    assert (loader.size, loader(4).x[0, 0].item()) == (100, 4.0)
    assert [batch.x[0, 0].item() for batch in loader.batches(2, start=3)] == [3.0, 4.0]
    with pytest.raises(TypeError, match="needs the attribute size"):
        as_loader(lambda step: None, learner())
    with pytest.raises(TypeError, match=r"data is a ndarray; expected a FactorDataset"):
        as_loader(IMAGES, learner())


def test_the_default_sampler_of_images_gives_covariates_too():
    data = FactorDataset.from_arrays(np.zeros((5, 2)), covariates=np.arange(5.0))
    batch = Loader(data, default_sampler(ud.Images), batch_size=8)(0)
    assert batch.c.shape == (8, 1)

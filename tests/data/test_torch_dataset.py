"""Datasets of torch: labels, dictionaries, pairs, pictures, and random transforms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import untwine as ut
from untwine.data import AdjacentPairsSampler, Augmented, Loader, PairsSampler, TorchDataset

X = torch.from_numpy(np.random.default_rng(0).random((12, 3, 8, 8), np.float32))


class Items(torch.utils.data.Dataset):
    """Items made by a function of their number, which counts how often it is asked."""

    def __init__(self, make, n=12):
        self.make, self.n, self.asked = make, n, 0

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        self.asked += 1
        return self.make(i)


def test_an_observation_alone_has_no_factors():
    data = TorchDataset(Items(lambda i: X[i]))
    assert data.shape == (3, 8, 8)
    assert data.space.names == ()
    assert torch.equal(data.observations([3, 0, 3]), X[[3, 0, 3]])
    vectors = TorchDataset(Items(lambda i: np.arange(5.0) + i))
    assert torch.equal(vectors.observations([2]), torch.arange(5.0)[None] + 2)


def test_labels_numbers_texts_and_vectors():
    data = ut.FactorDataset.from_torch(Items(lambda i: (X[i], i % 3)))
    assert (data.space.names, data.space.sizes) == (("label",), (3,))
    assert (data.factors[:, 0] == np.arange(12) % 3).all()
    two = TorchDataset(Items(lambda i: (X[i], torch.tensor(i % 2), "ab"[i % 2])), names=["n", "t"])
    assert (two.factors[:, 0] == two.factors[:, 1]).all()
    assert two.values == {"t": ("a", "b")}
    many = TorchDataset(Items(lambda i: (X[i], np.array([i % 2, i % 3, i % 4]))))
    assert many.space.sizes == (2, 3, 4)
    some = TorchDataset(Items(lambda i: (X[i], None if i else 4)))
    assert some.factors[:3, 0].tolist() == [4, -1, -1]


def test_dictionaries_name_their_parts():
    items = Items(lambda i: {"image": X[i], "digit": i % 5, "site": "ab"[i % 2], "age": 40.5 + i})
    data = TorchDataset(items, names=["digit", "site"], covariates=["age"])
    assert data.space.names == ("digit", "site")
    assert data.values["site"] == ("a", "b")
    assert data.covariates[:, 0].tolist() == [40.5 + i for i in range(12)]
    assert torch.equal(data.batch([4]).c, torch.tensor([[44.5]]))
    every = TorchDataset(Items(lambda i: {"image": X[i], "digit": i % 5}))
    assert every.space.names == ("digit",)
    with pytest.raises(ValueError, match=r"2 arrays .before, after.: name the observation"):
        TorchDataset(Items(lambda i: {"before": X[i], "after": X[-i]}))
    with pytest.raises(ValueError, match="no 'angle'; they have image, digit"):
        TorchDataset(Items(lambda i: {"image": X[i], "digit": 0}), names=["angle"])


@pytest.mark.parametrize("form", ["tuple", "dictionary"])
def test_pairs_are_drawn_as_they_are_given_and_train(form):
    if form == "tuple":
        data = TorchDataset(Items(lambda i: (X[i], 1 - X[i], i % 4)))
    else:
        items = Items(lambda i: {"a": X[i], "b": 1 - X[i], "label": i % 4})
        data = TorchDataset(items, x=["a", "b"])
    assert len(data) == 24
    assert (data.factors[::2] == data.factors[1::2]).all()
    batch = Loader(data, AdjacentPairsSampler(), batch_size=6, seed=1)(0)
    assert torch.allclose(batch.x0, 1 - batch.x1)
    method = ut.methods.AdaGVAE.build(data, latent_dim=2, net=ut.nets.MLP([8]), seed=0)
    ut.fit(method, data, sampler=AdjacentPairsSampler(), steps=2, batch_size=4, progress=False)
    assert ut.encode(method, data).mean.shape == (24, 2)
    with pytest.raises(ValueError, match="5 rows are no pairs"):
        AdjacentPairsSampler().bind(data.space, data.factors[:5])


def test_pictures_bytes_and_layouts():
    pictures = (255 * X).byte().permute(0, 2, 3, 1).numpy()
    data = TorchDataset(Items(lambda i: (Image.fromarray(pictures[i]), 0)))
    assert torch.equal(data.observations([5]), (255 * X[5:6]).byte() / 255)
    last = TorchDataset(Items(lambda i: pictures[i]))
    assert torch.equal(last.observations([5]), data.observations([5]))
    gray = TorchDataset(Items(lambda i: X[i, 0] > 0.5))
    assert gray.shape == (1, 8, 8)
    assert gray.observations([1]).unique().tolist() == [0, 1]
    flat = TorchDataset(Items(lambda i: Image.fromarray(pictures[i]).convert("L")))
    assert flat.shape == (1, 8, 8)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda i: X[i] * 2 - 1, "item 0 .* expected bytes, or floats in .* leave out Normalize"),
        (lambda i: X[i] / 0, "item 0 .* nan or infinite"),
        (lambda i: Image.new("P", (8, 8)), r"mode P: image\.convert"),
        (lambda i: (X[i], {"deep": 1}), "a factor is a dict"),
        (lambda i: i, "an item is a int; expected an observation"),
        (lambda i: (X[i], *range(1 + i // 6)), "item 6 has 2 factors, but item 0 has 1"),
    ],
)
def test_other_forms_are_refused_by_item(make, said):
    with pytest.raises((ValueError, TypeError), match=said):
        TorchDataset(Items(make))


def test_what_is_seen_later_is_refused_by_item_too():
    data = TorchDataset(Items(lambda i: X[i, :, : 8 - i // 6]))
    with pytest.raises(ValueError, match=r"item 7 .* shape \(3, 7, 8\), but item 0 \(3, 8, 8\)"):
        data.observations([0, 7])
    with pytest.raises(TypeError, match=r"len\(dataset\) and dataset\[i\]"):
        TorchDataset(iter([1]))
    with pytest.raises(TypeError, match="from_torch of a dataset of torch"):
        ut.encode(lambda x: x, Items(lambda i: X[i]))


def test_labels_that_the_dataset_says_are_not_read_item_by_item():
    items = Items(lambda i: (X[i], i % 3))
    items.targets, items.classes = [i % 3 for i in range(12)], ["cat", "dog", "eel"]
    data = TorchDataset(items)
    assert items.asked == 1
    assert data.values == {"label": ("cat", "dog", "eel")}
    assert (data.factors[:, 0] == np.arange(12) % 3).all()
    items = Items(lambda i: (X[i], i % 3))
    told = TorchDataset(items, factors=np.arange(12) % 4, names=["pose"])
    assert items.asked == 1
    assert told.space.names == ("pose",)


def noisy(x):
    return (x + 0.1 * torch.rand(x.shape)).clamp(0, 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TorchDataset(Items(lambda i: (noisy(X[i]), i % 3))),
        lambda: Augmented(TorchDataset(Items(lambda i: (X[i], i % 3))), noisy, changes=()),
    ],
    ids=["items", "Augmented"],
)
def test_random_transforms_are_functions_of_item_and_draw(make, tmp_path):
    data = make()
    torch.manual_seed(5)
    before = torch.rand(2)
    torch.manual_seed(5)
    one = data.observations([4, 2], draw=7)
    assert torch.equal(torch.rand(2), before)  # nobody else's draws have moved
    assert torch.equal(one, data.observations([2, 4], draw=7).flip(0))
    assert not torch.equal(one, data.observations([4, 2], draw=8))

    def train(steps, out):
        method = ut.methods.BetaVAE.build(data, latent_dim=2, net=ut.nets.MLP([8]), seed=0)
        return ut.fit(method, data, steps=steps, batch_size=4, out=out, progress=False)

    whole = train(6, tmp_path / "whole")
    train(3, tmp_path / "part")
    again = train(6, tmp_path / "part")
    assert whole.weights_digest() == again.weights_digest()
    with pytest.raises(ValueError, match="pass it"):
        ut.Run.load(tmp_path / "whole").data  # noqa: B018
    assert len(ut.Run.load(tmp_path / "whole", data=data).data) == 12


def test_augmentation_leaves_out_what_it_changes():
    space = ut.data.FactorSpace(("shape", "column"), (2, 3))
    table = space.factors(np.arange(6))
    data = ut.FactorDataset.from_arrays(X[:6].numpy(), table, names=["shape", "column"])
    moved = Augmented(data, lambda x: x.roll(int(torch.randint(0, 8, ())), -1), ["column"])
    assert moved.space.names == ("shape",)
    assert (moved.factors == table[:, :1]).all()
    x, rolled = data.observations([0])[0], moved.observations([0], draw=3)[0]
    assert any(torch.equal(rolled, x.roll(k, -1)) for k in range(8))
    drawn = {moved.observations([0], draw=k).numpy().tobytes() for k in range(30)}
    assert len(drawn) > 3
    shared = ut.data.GroupsSampler(2, shared="shape").bind(moved.space, moved.factors)
    rows = shared(20, np.random.default_rng(0))
    rows = rows[0] if isinstance(rows, tuple) else rows
    assert (table[rows[:, 0], 0] == table[rows[:, 1], 0]).all()
    with pytest.raises(ValueError, match="column"):
        ut.data.GroupsSampler(2, shared="column").bind(moved.space, moved.factors)
    with pytest.raises(ValueError, match="differ in one factor"):
        PairsSampler(1).bind(ut.data.FactorSpace((), ()), np.empty((6, 0), int))


@pytest.mark.parametrize(
    ("transform", "changes", "said"),
    [
        (lambda x: 2 * x - 1, (), r"values from .* end with clamp\(0, 1\)"),
        (lambda x: x.numpy(), (), "returns a ndarray; expected a tensor"),
        (lambda x: x, "label", r"expected a list of factors: \['label'\]"),
        (lambda x: x, ["pose"], "pose"),
    ],
)
def test_transforms_that_do_not_fit_are_refused(transform, changes, said):
    data = TorchDataset(Items(lambda i: (X[i], i % 3)))
    with pytest.raises((ValueError, TypeError), match=said):
        Augmented(data, transform, changes)

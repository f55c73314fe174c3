"""Several runs, and several representations: tables, groups over seeds, files, pages."""

import json

import numpy as np
import pandas
import pytest
from scipy.stats import t as student

import untwine as ut
from untwine.evaluation.write import latex, markdown, write_table
from untwine.methods import BetaVAE
from untwine.nets import MLP
from untwine.report import RunComparison
from untwine.training import fit


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two values of beta, three seeds of one and one of the other."""
    folder = tmp_path_factory.mktemp("runs")
    factors = np.stack(np.unravel_index(np.arange(60), (3, 4, 5)), 1)
    mix = np.random.default_rng(0).normal(size=(3, 7))
    x = ((factors - factors.mean(0)) @ mix / 3).astype(np.float32)
    np.savez(folder / "small.npz", x=x, factors=factors, factor_names=["size", "row", "column"])
    data = ut.data.Npz(str(folder / "small.npz"))
    made = []
    for beta, seed in ((1.0, 0), (1.0, 1), (1.0, 2), (4.0, 0)):
        method = BetaVAE.build(data, latent_dim=3, beta=beta, seed=seed, net=MLP([8]))
        path = folder / f"beta{beta:g}-{seed}"
        made.append(fit(method, data, steps=4, batch_size=8, seed=seed, out=path, progress=False))
    return made


@pytest.fixture(scope="module")
def both(runs):
    return ut.compare(runs, metrics=["mig", "modularity"], n=60, progress=False)


def test_runs_that_differ_by_their_seeds_are_one_group(runs, both):
    assert isinstance(both, RunComparison)
    assert both.settings == ("method.beta",)
    assert both.metrics == ("mig", "modularity")
    assert both.frame["run"].tolist() == ["beta1-0", "beta1-1", "beta1-2", "beta4-0"]
    assert both.frame["seed"].tolist() == [0, 1, 2, 0]
    assert both.frame["loss"].tolist() == [run.rows[-1]["vae/nll"] for run in runs]
    summary = both.summary().set_index(["group", "metric"])
    migs = both.frame["mig"][:3].to_numpy()
    row = summary.loc["method.beta=1", "mig"]
    assert (row["mean"], row["deviation"]) == pytest.approx((migs.mean(), migs.std(ddof=1)))
    reach = student.ppf(0.975, 2) * migs.std(ddof=1) / np.sqrt(3)
    assert (row["low"], row["high"]) == pytest.approx((row["mean"] - reach, row["mean"] + reach))
    alone = summary.loc["method.beta=4", "mig"]
    assert alone["runs"] == 1
    assert np.isnan([alone["deviation"], alone["low"]]).all()
    text = str(both)
    assert f"{migs.mean():.3f} ± {migs.std(ddof=1):.3f}" in text
    assert "method.beta=4" in text


def test_scores_are_kept_in_the_runs_and_not_measured_again(runs, both, monkeypatch):
    assert runs[0].scores["scores"]["mig"]["value"] == both.frame["mig"][0]
    monkeypatch.setattr(ut.Run, "measure", lambda *a, **k: pytest.fail("measured again"))
    again = ut.compare([run.path for run in runs], metrics=["mig"])
    assert again.frame["mig"].tolist() == both.frame["mig"].tolist()


def test_the_trade_off_has_a_mark_for_each_group(both):
    figure = both.trade_off("mig")
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names == ["method.beta=1", "method.beta=4"]
    with pytest.raises(ValueError, match="metric is 'sap'; there are mig, modularity"):
        both.trade_off("sap")


def test_one_run_is_no_comparison_and_runs_need_folders(runs):
    with pytest.raises(ValueError, match="1 runs to compare; expected two or more"):
        ut.compare(runs[:1])


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_files_hold_all_digits(both, tmp_path, ending):
    path = both.write(tmp_path / f"table.{ending}")
    read = {"csv": pandas.read_csv, "json": pandas.read_json, "parquet": pandas.read_parquet}
    frame = read[ending](path)
    assert frame["mig"].tolist() == pytest.approx(both.frame["mig"].tolist(), rel=1e-12)
    assert frame["run"].tolist() == both.frame["run"].tolist()


def test_tables_for_papers_and_pages(both, tmp_path):
    text = both.write(tmp_path / "table.tex").read_text()
    assert text.startswith("\\begin{tabular}{l")
    assert "$\\pm$" in text
    assert both.write(tmp_path / "table.md").read_text().count("\n") == 4
    frame = pandas.DataFrame({"a_b": ["x&y", "1|2"], "v": [0.5, float("nan")]})
    assert "a\\_b & v" in latex(frame)
    assert "x\\&y & 0.5000" in latex(frame)
    assert "| 1\\|2 |  |" in markdown(frame)
    with pytest.raises(ValueError, match=r"'table.xlsx' is no table: expected a name that ends in"):
        write_table(frame, "table.xlsx")


def test_commands_of_several_runs(runs, untwine, tmp_path):
    folders = " ".join(str(run.path) for run in runs)
    few = "--metrics mig modularity --n 60"
    status, out, err = untwine(f"compare {folders} {few} --out all.tex --page all.html")
    assert (status, err) == (0, "")
    assert "method.beta=1" in out
    assert "beta1-2" in (tmp_path / "all.html").read_text()
    assert (tmp_path / "all.tex").is_file()
    status, out, err = untwine(f"measure {folders} {few} --out all.csv")
    assert (status, err) == (0, "")
    assert len(pandas.read_csv(tmp_path / "all.csv")) == 4
    status, out, err = untwine(f"report {runs[0].path} {runs[3].path} --n 60 --no-scores")
    assert (status, err) == (0, "")
    assert all((runs[k].path / "report.html").is_file() for k in (0, 3))
    status, _, err = untwine(f"compare {folders} --out all.xlsx")
    assert (status, "is no table" in err) == (2, True)


def test_codes_and_factors_in_files_of_their_own(untwine, tmp_path):
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (90, 2))
    z = np.concatenate([factors + 0.1 * rng.normal(size=(90, 2)), rng.normal(size=(90, 1))], 1)
    np.save(tmp_path / "codes.npy", z)
    shapes = np.array(["disc", "ring", "star"])[factors[:, 0]]
    table = pandas.DataFrame({"shape": shapes, "size": factors[:, 1]})
    table.to_csv(tmp_path / "factors.csv", index=False)
    pandas.DataFrame(z).to_csv(tmp_path / "codes.csv", index=False)
    few = "--metrics mig --no-progress"
    expected = ut.evaluate(z, table, ["mig"], points=10_000)["mig"].value
    for codes in ("codes.npy", "codes.csv"):
        line = f"measure --codes {codes} --factors factors.csv {few} --out out.json"
        status, out, err = untwine(line)
        assert (status, err) == (0, "")
        assert "protocol" not in out
        scores = json.loads((tmp_path / "out.json").read_text())
        assert scores["scores"]["mig"]["value"] == pytest.approx(expected)
        assert scores["names"] == ["shape", "size"]
    assert "bins=20" in untwine(f"measure codes.npy --factors factors.csv {few} --protocol")[1]
    for ending in ("csv", "tex", "md", "parquet"):
        line = f"measure codes.npy --factors factors.csv {few} --out out.{ending}"
        assert untwine(line)[0] == 0
        assert (tmp_path / f"out.{ending}").stat().st_size
    status, _, err = untwine("measure")
    assert (status, "needs a run, a file" in err) == (2, True)


def test_several_values_and_seeds_are_a_small_study(untwine, folder):
    line = (
        "train --method BetaVAE --method.beta 1 4 --seeds 0 1 --data small.npz --steps 2 "
        "--batch_size 8 --no-progress --out study"
    )
    status, out, err = untwine(line)
    assert (status, err) == (0, "")
    names = [f"method.beta={beta},seed={seed}" for beta in (1, 4) for seed in (0, 1)]
    assert sorted(p.name for p in (folder / "study").iterdir()) == names
    assert "untwine compare" in out
    run = ut.Run.load(folder / "study" / names[3])
    assert (run.spec["method"]["init_args"]["beta"], run.spec["seed"]) == (4.0, 1)
    assert untwine(line)[0] == 0  # finished: nothing is made again
    status, _, err = untwine(f"{line} --seed 3")
    assert (status, "--seed is given both" in err) == (2, True)

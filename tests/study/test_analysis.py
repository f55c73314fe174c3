"""What a study's runs say: closed forms on tables that are made up, and pages of real ones."""

from importlib import import_module

import numpy as np
import pandas as pd
import pytest

from untwine.report import study_page
from untwine.settings.errors import UsageError
from untwine.study import analysis, metrics_of, table
from untwine.study.analysis import (
    agreement_between_runs,
    beats,
    bootstrap,
    choices,
    explained,
    rank_correlations,
    strengths,
    transfer,
    with_strengths,
)


def frame(effect, seeds=20, methods=3, levels=4, rng=None):
    """A balanced study whose ``mig`` is made by ``effect(method, level, seed)``."""
    rows = [
        {"run": f"{m}{h}{s}", "method": f"M{m}", "method.beta": float(h), "data": "d", "seed": s,
         "mig": effect(m, h, s)}
        for m in range(methods) for h in range(levels) for s in range(seeds)
    ]  # fmt: skip
    made = with_strengths(pd.DataFrame(rows))
    made.attrs["metrics"] = ["mig"]
    return made


def test_strengths_are_what_varies_within_a_method():
    rows = pd.DataFrame(
        {
            "method": ["A", "A", "B", "B", "C"],
            "method.beta": [1.0, 4.0, np.nan, np.nan, 2.0],
            "method.gamma": [np.nan, np.nan, 3.0, 9.0, np.nan],
            "method.latent_dim": [10] * 5,
            "method.seed": [0, 1, 0, 1, 0],
        }
    )
    assert strengths(rows).tolist() == ["beta=1", "beta=4", "gamma=3", "gamma=9", "-"]


def test_shares_of_variance_are_those_of_sums_of_squares():
    only_method = explained(frame(lambda m, h, s: float(m)), "mig")
    assert only_method["method"] == pytest.approx(1)
    only_strength = explained(frame(lambda m, h, s: float(h)), "mig")
    assert only_strength["strength"] == pytest.approx(1)
    only_seed = explained(frame(lambda m, h, s: float(s)), "mig")
    assert only_seed["seed"] == pytest.approx(1)
    # independent effects of variances 2/3 (0, 1, 2), 5/4 (0 .. 3) and 399/12 (0 .. 19)
    both = explained(frame(lambda m, h, s: m + h + s), "mig")
    total = 2 / 3 + 5 / 4 + 399 / 12
    assert both["method"] == pytest.approx(2 / 3 / total)
    assert both["strength"] == pytest.approx(5 / 4 / total)
    assert both["seed"] == pytest.approx(399 / 12 / total)


def test_adjusted_shares_are_fair_where_group_means_of_noise_are_not():
    rng = np.random.default_rng(0)
    found = [explained(frame(lambda m, h, s: rng.normal(), seeds=3), "mig") for _ in range(100)]
    mean = {k: np.mean([f[k] for f in found]) for k in found[0]}
    assert mean["strength"] == pytest.approx(9 / 35, abs=0.03)  # degrees of freedom
    assert mean["method"] == pytest.approx(2 / 35, abs=0.02)
    assert abs(mean["strength adjusted"]) < 0.04
    assert abs(mean["method adjusted"]) < 0.03


def test_a_score_that_is_the_same_everywhere_has_no_variance():
    with pytest.raises(UsageError, match="alike"):
        explained(frame(lambda m, h, s: 0.3), "mig")


def test_intervals_cover_what_other_seeds_give():
    def gap(rows):
        shares = explained(rows, "mig")
        return 1 - shares["method adjusted"] - 2 * shares["strength adjusted"]

    rng = np.random.default_rng(1)
    truth = 1 - 2 * 0.3125 / 1.3125  # strengths 0, 0.5, 1, 1.5 beside a seed of variance 1
    covered, widths = 0, []
    for _ in range(10):
        made = frame(lambda m, h, s: 0.5 * h + rng.normal(), seeds=8, methods=2)
        low, high = bootstrap(made, gap, repeats=60)
        covered += low < truth < high
        widths.append(high - low)
    assert covered >= 7
    assert max(widths) < 0.8
    assert np.isnan(bootstrap(made, lambda rows: np.nan, repeats=3)).all()


def test_rank_correlations_turn_scores_so_that_higher_is_better():
    x = np.arange(6.0)
    rows = pd.DataFrame({"mig": x, "dci": x**3, "gaussian_total_correlation": x, "nll": -x})
    matrix = rank_correlations(rows, ["mig"], ["dci", "gaussian_total_correlation", "nll"])
    assert matrix.loc["mig"].tolist() == pytest.approx([1, -1, 1])
    rows["sap"] = [0, 0, 1, 1, 2, 2]
    from scipy.stats import spearmanr

    expected = spearmanr(rows["mig"], rows["sap"]).statistic
    assert rank_correlations(rows, ["mig", "sap"]).loc["mig", "sap"] == pytest.approx(expected)
    rows["irs"] = 1.0
    assert np.isnan(rank_correlations(rows, ["mig"], ["irs"]).loc["mig", "irs"])


def test_settings_that_carry_over_win_and_others_do_not():
    rng = np.random.default_rng(0)
    made = frame(lambda m, h, s: 10.0 * (m == 2) * (h == 3) + rng.normal(), seeds=8)
    made["dci"] = made["mig"]
    made["sap"] = rng.normal(size=len(made))
    matrix = transfer(made, ["mig", "dci", "sap"])
    # the chosen cell is 1 of 12: it beats all others, and its own runs half of the time
    assert matrix.loc["mig", "dci"] == pytest.approx(11 / 12 + 0.5 / 12, abs=0.02)
    assert matrix.loc["mig", "sap"] == pytest.approx(0.5, abs=0.2)
    several = pd.concat([made, made.assign(data="e")], ignore_index=True)
    assert transfer(several, ["mig"], seeds="all").shape == (2, 2)
    assert beats(np.array([1.0]), np.array([0.0, 1.0, 2.0])) == 0.5


def test_choices_are_compared_with_chance_and_with_the_best():
    made = frame(lambda m, h, s: float(m + h))
    made["oracle"], made["blind"] = made["mig"], -made["mig"]
    found = choices(made, ["oracle", "blind"], ["mig"]).set_index("by")
    assert found.loc["oracle", "value"] == found.loc["oracle", "best"] == 5
    assert found.loc["oracle", "regained"] == found.loc["oracle", "rank"] == 1
    assert found.loc["blind", "value"] == 0
    assert found.loc["oracle", "random"] == pytest.approx(made["mig"].mean())
    assert found.loc["blind", "regained"] < 0


def test_runs_are_compared_by_the_codes_that_they_keep(finished):
    rows = with_strengths(table(finished))
    made = agreement_between_runs(finished, rows)
    assert made["udr"].notna().all()
    assert set(made["strength"]) == {"beta=1", "beta=4"}
    assert metrics_of(made) == ["mig", "active_units"]


def test_the_page_is_complete_and_says_what_it_cannot_show(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("untwine.report.study"), "_DRAWS", 20)
    page = study_page(finished, tmp_path / "page.html")
    text = page.read_text()
    for title in (
        "Does the seed matter more",
        "Do the scores agree",
        "Choosing a run",
        "Repeat it",
    ):
        assert title in text
    assert "sample_efficiency was not measured" in text
    assert "agreement needs two scores" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert text.count("<tr>") > 4
    with pytest.raises(ValueError, match="expected the name of a page"):
        study_page(finished, tmp_path / "page.txt")
    with pytest.raises(FileNotFoundError, match="is no study"):
        study_page(tmp_path)


def test_every_function_of_the_room_is_named():
    assert all(hasattr(analysis, name) for name in analysis.__all__)

"""Scores above chance, and scores of sampled codes, beside what they are exactly."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

import untwine as ut
from untwine import metrics
from untwine.metrics import above_chance

RNG = np.random.default_rng(0)


def test_above_chance_is_the_adjusted_mutual_information():
    """One code, one factor of the smaller entropy: (I - E[I]) / (H - E[I]), E[I] in closed form."""
    factor = RNG.integers(0, 3, 60)
    code = np.where(RNG.random(60) < 0.5, factor, RNG.integers(0, 6, 60))
    exact = adjusted_mutual_info_score(factor, code, average_method="min")
    settings = {"discrete_codes": True}
    score = above_chance("mig", code, factor, settings=settings, permutations=2_000)
    assert score.value == pytest.approx(exact, abs=5e-3)
    assert score.parts["per_factor"] == pytest.approx([exact], abs=5e-3)
    assert score.parts["raw"] == metrics.mig(code, factor, discrete_codes=True).value
    assert score.parts["p_value"] == pytest.approx(1 / 2_001)
    assert score.protocol["bins"] == 20
    assert "2000 permutations" in score.protocol["above_chance"]


@pytest.mark.parametrize("name", ["mig", "modularity", "infomec", "dci", "mcc"])
def test_noise_is_nothing_and_the_factors_themselves_are_all(name):
    rng = np.random.default_rng(1)
    factors = rng.integers(0, 4, (1500, 3))
    settings = {"predictor": "fast"} if name == "dci" else {}
    if name == "infomec":
        settings = {"estimator": "bins"}
    noise = above_chance(
        name, rng.normal(size=(1500, 6)), factors, settings=settings, permutations=8
    )
    assert abs(noise.value) < 0.15
    assert noise.parts["p_value"] > 1 / 9 - 1e-9
    whole = above_chance(name, factors * 1.0, factors, settings=settings, permutations=4)
    assert whole.value == pytest.approx(1.0, abs=0.02)


def test_lower_is_better_for_some():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (600, 2))
    fair = above_chance(
        "unfairness", factors * 1.0, factors, settings={"predictor": "logistic"}, permutations=4
    )
    raw, chance = fair.parts["raw"], fair.parts["chance"]
    assert fair.value == pytest.approx((raw - chance) / (0 - chance))


def test_evaluate_has_chance_beside_each_score():
    rng = np.random.default_rng(2)
    factors = rng.integers(0, 4, (500, 2))
    codes = np.column_stack([factors[:, 0] + 0.2 * rng.normal(size=500), rng.normal(size=500)])
    table = ut.evaluate(
        codes, factors, ["mig", "modularity", "gaussian_total_correlation"], chance=6, seed=3
    )
    alone = above_chance("mig", codes, factors, permutations=6, seed=3)
    assert table.beside["chance"]["mig"] == pytest.approx(alone.parts["chance"])
    frame = table.to_frame()
    assert list(frame.columns[:3]) == ["value", "chance", "above chance"]
    assert frame.loc["mig", "above chance"] == pytest.approx(alone.value)
    assert np.isnan(frame.loc["gaussian_total_correlation", "chance"])
    assert "above chance" in str(table)
    again = type(table).from_json(table.to_json())
    assert again.beside == table.beside
    assert ut.evaluate(codes, factors, ["mig"]).beside == {}


def test_sampled_codes_stand_beside_means():
    """The total correlation of Gaussian means of correlation r, and of samples of variance 1 + s2:
    -log(1 - r^2) / 2 and -log(1 - (r / (1 + s2))^2) / 2."""
    r, s2, n = 0.8, 0.5, 40_000
    mean = np.random.default_rng(0).multivariate_normal(np.zeros(2), [[1, r], [r, 1]], n)
    table = ut.evaluate(
        mean,
        None,
        ["gaussian_total_correlation", "dimension_kl"],
        stddev=np.full_like(mean, np.sqrt(s2)),
        sampled=True,
        points=None,
    )
    name = "gaussian_total_correlation"
    assert table[name].value == pytest.approx(-np.log(1 - r**2) / 2, abs=0.02)
    expected = -np.log(1 - (r / (1 + s2)) ** 2) / 2
    assert table.beside["sampled"] == {name: pytest.approx(expected, abs=0.02)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chance": 0}, "chance is 0; expected at least 1 permutation"),
        ({"sampled": True}, "sampled codes: needs the posteriors' standard deviations"),
    ],
)
def test_evaluate_refuses_what_it_cannot_put_beside(options, message):
    with pytest.raises(ValueError, match=message):
        ut.evaluate(RNG.normal(size=(60, 2)), np.arange(60) % 3, ["mig"], **options)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("migg", {}, "there is no metric 'migg': did you mean 'mig'"),
        ("udr", {}, "udr takes no factors"),
        ("lisi", {}, "lisi has no best value"),
        ("mig", {"bin": 3}, "mig has no setting 'bin'"),
    ],
)
def test_above_chance_refuses(name, settings, message):
    with pytest.raises(ValueError, match=message):
        above_chance(name, RNG.normal(size=(60, 2)), np.arange(60) % 3, settings=settings)
    with pytest.raises(ValueError, match="permutations is 1"):
        above_chance("mig", RNG.normal(size=(60, 2)), np.arange(60) % 3, permutations=1)

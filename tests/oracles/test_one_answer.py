"""The same scores from every way in: `evaluate` of codes, `run.measure()`, the command line."""

import numpy as np
import pytest
import torch

import untwine as ut
from untwine.cli import main
from untwine.distributions import LearnedNormal
from untwine.evaluation import Evaluation
from untwine.methods import MLVAE, VAE, GaussianMixtureVAE, JointVAE
from untwine.metrics import GROUPS, METRICS

NAMES = ("shape", "still", "place")
QUICK = ["mig", "modularity", "sap", "active_units", "dimension_kl", "readout"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three factors, the second of which is constant."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(3, size=240), np.full(240, 2), rng.integers(4, size=240)], 1)
    x = factors @ rng.normal(size=(3, 8)) + 0.1 * rng.normal(size=(240, 8))
    file = tmp_path_factory.mktemp("data") / "small.npz"
    np.savez(file, x=x.astype(np.float32), factors=factors, names=NAMES)
    return ut.data.Npz(file)


def trained(method, data, out, **arguments):
    made = method.build(data, latent_dim=4, seed=0, **arguments)
    return ut.fit(made, data, steps=3, batch_size=16, out=out, progress=False)


def test_a_constant_factor_is_left_out_whoever_asks(data, tmp_path, capsys):
    run = trained(VAE, data, tmp_path / "run")
    codes = ut.encode(run.method, data)
    by_hand = ut.evaluate(codes, metrics=QUICK)
    by_run = run.measure(QUICK, save=False)
    assert main(["measure", str(run.path), "--metrics", *QUICK, "--no-progress"]) == 0
    by_line = Evaluation.from_json(run.path / "scores.json")
    for scores in (by_run, by_line):
        assert {n: s.value for n, s in scores.scores.items()} == {
            n: s.value for n, s in by_hand.scores.items()
        }
        assert scores.names == by_hand.names == ("shape", "place")
        assert scores.left_out == by_hand.left_out
    assert "a single value (2)" in by_hand.left_out["still"]
    assert set(by_hand) == {"mig", "modularity", "sap", "active_units", "dimension_kl"}
    assert "still" in capsys.readouterr().out
    expected = ut.metrics.mig(codes.mean, codes.factors[:, [0, 2]]).value
    assert by_hand["mig"].value == expected


@pytest.mark.parametrize(
    ("method", "arguments", "reason"),
    [
        (GaussianMixtureVAE, {"components": 3}, "standard normal prior, but p(z) is a "),
        (VAE, {"prior": LearnedNormal(4)}, "standard normal prior, but p(z) is a Normal"),
        (
            JointVAE,
            {},
            "Gaussian posteriors, but q(z|x) is Blocks of Normal, OneHot",
        ),
    ],
)
def test_a_divergence_from_a_prior_that_is_not_there_is_skipped(
    data, tmp_path, method, arguments, reason, capsys
):
    run = trained(method, data, tmp_path / "run", **arguments)
    with torch.no_grad():
        for parameter in run.method.prior.parameters():
            parameter.add_(0.1)
    codes = ut.encode(run.method, data)
    metrics = ["active_units", "dimension_kl"]
    for scores in (ut.evaluate(codes, metrics=metrics), run.measure(metrics, save=False)):
        assert reason in scores.skipped["dimension_kl"]
    assert main(["measure", str(run.path), "--metrics", *metrics, "--no-progress"]) == 0
    out = capsys.readouterr().out
    assert "dimension_kl: skipped" in out
    assert "prior=standard normal" not in out


def test_the_default_suite_is_one(data, tmp_path):
    run = trained(VAE, data, tmp_path / "run")
    default = run.measure(save=False, n=100)
    unasked = {"blocks", "label", "batch", "label or batch"}  # this run has none of these
    asked = {name for name in GROUPS["default"] if not unasked & set(METRICS[name].needs)}
    assert set(default) | set(default.skipped) == asked
    assert set(GROUPS["classic"]) < set(GROUPS["default"])
    ut.report(run, n=100)
    assert set(run.scores["scores"]) == set(default)


def test_measure_keeps_earlier_scores_unless_told_not_to(data, tmp_path):
    run = trained(VAE, data, tmp_path / "run")
    run.measure(["mig"])
    second = run.measure(["modularity"])
    assert list(second) == ["modularity"]
    run.measure(["sap"], save=False)
    assert set(run.scores["scores"]) == {"mig", "modularity"}
    with pytest.raises(ValueError, match="n is 1; expected at least 2"):
        run.measure(n=1)
    unwritten = trained(VAE, data, None)
    assert unwritten.measure(["mig"])["mig"].value == second_value(unwritten, data)


def second_value(run, data):
    return ut.evaluate(ut.encode(run.method, data), metrics=["mig"])["mig"].value


# named parts


def test_codes_of_a_method_with_parts_name_them(data, tmp_path):
    run = trained(MLVAE, data, tmp_path / "run", label="shape")
    codes = ut.encode(run.method, data)
    assert codes.blocks == {"content": slice(0, 2), "style": slice(2, 4)}
    assert codes.facts.standard_normal_prior
    assert repr(codes) == (
        "Codes(240 x 4: content 0..1, style 2..3; factors shape, still, place; "
        "q Blocks of Normal, Normal, prior N(0, I))"
    )
    assert "\n" not in repr(ut.encode(trained(VAE, data, None).method, data))
    scores = run.measure(["readout", "block_mutual_information", "mig"])
    expected = ut.metrics.readout(
        codes.mean, codes.factors[:, [0, 2]], {"content": [0, 1], "style": [2, 3]}
    )
    assert scores["readout"].value == expected.value
    # named parts do not turn a metric of dimensions into one of parts
    assert scores["mig"].value == second_value(run, data)
    assert "blocks" not in scores["mig"].protocol
    plain = ut.evaluate(codes.mean, codes.factors, ["mig", "readout"])
    assert "give blocks=" in plain.skipped["readout"]


@pytest.fixture(scope="module")
def parted():
    """The first part knows the shape, the second one the place."""
    rng = np.random.default_rng(1)
    factors = np.stack([rng.integers(3, size=900), rng.integers(4, size=900)], 1)
    corners = np.eye(3)[factors[:, 0]]
    z = np.concatenate([corners, factors[:, 1:] * 1.0, rng.normal(size=(900, 2))], 1)
    z += 0.01 * rng.normal(size=z.shape)
    return z, factors, {"content": slice(0, 3), "style": slice(3, 6)}


def test_what_can_be_read_off_which_part(parted):
    z, factors, blocks = parted
    score = ut.metrics.readout(z, factors, blocks)
    matrix, chance = score.parts["matrix"], score.parts["chance"]
    assert score.parts["names"] == ["content", "style"]
    assert matrix[0, 0] == 1.0
    assert matrix[1, 1] > 0.95
    # the other part does no better than the commonest value, up to three standard errors
    for part, factor in ((1, 0), (0, 1)):
        assert abs(matrix[part, factor] - chance[factor]) < 3 * np.sqrt(0.25 / 300)
    test = np.random.default_rng(0).permutation(900)[600:]
    train = np.random.default_rng(0).permutation(900)[:600]
    for k in range(2):
        commonest = np.bincount(factors[train, k]).argmax()
        assert chance[k] == pytest.approx((factors[test, k] == commonest).mean())
    assert score.value > 0.85
    assert "logistic" in score.protocol["probe"]


def test_of_real_factors_it_is_the_explained_variance(parted):
    z, _, blocks = parted
    real = np.stack([z[:, 0] + 0.5, 2 * z[:, 3] + np.random.default_rng(0).normal(size=900)], 1)
    score = ut.metrics.readout(z, real, blocks)
    np.testing.assert_array_equal(score.parts["chance"], 0.0)
    assert score.parts["matrix"][0, 0] == pytest.approx(1.0, abs=1e-3)
    share = 4 * z[:, 3].var() / (4 * z[:, 3].var() + 1)
    assert score.parts["matrix"][1, 1] == pytest.approx(share, abs=0.05)
    assert score.parts["measures"] == ["R2", "R2"]


def test_it_is_a_table_of_its_own(parted):
    z, factors, blocks = parted
    space = ut.FactorSpace(("shape", "place"), (3, 4))
    codes = ut.Codes(z, None, factors, space, blocks)
    scores = ut.evaluate(codes, metrics=["readout"])
    frame = scores.per_part()
    assert list(frame.index) == ["content", "style", "chance"]
    assert list(frame.columns) == ["shape", "place"]
    np.testing.assert_array_equal(frame.to_numpy()[:2], scores["readout"].parts["matrix"])
    again = Evaluation.from_json(scores.to_json())
    for text in (str(scores), str(again), again._repr_html_()):
        for word in ("content", "style", "chance", "shape", "1.000"):
            assert word in text
    assert ut.evaluate(z, factors, ["mig"]).per_part().empty


def test_measure_and_the_report_show_the_table(data, tmp_path, capsys):
    run = trained(MLVAE, data, tmp_path / "run", label="shape")
    assert main(["measure", str(run.path), "--metrics", "mig", "readout", "--no-progress"]) == 0
    out = capsys.readouterr().out
    for word in ("content", "style", "chance", "place"):
        assert word in out
    page = ut.report(run, n=100).read_text()
    assert "read off which part" in page
    assert ">content<" in page

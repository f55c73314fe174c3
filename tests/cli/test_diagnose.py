"""`untwine diagnose`, and what every method's model is told or refused."""

import json

import numpy as np
import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal

import untwine as ut
from untwine import diagnostics as d, plots
from untwine.diagnostics.rotations import best_rotation

from ..laws.conftest import make_data, suited
from ..oracles.test_diagnostics_linear import MODEL, ROTATION, Linear

DATA = "--data Npz --data.path small.npz"
F64 = torch.float64
REFUSED = {
    "AAE",
    "ClusteringAAE",
    "DrNet",
    "ElasticInfoGAN",
    "FStatistic",
    "GeneralizedM2",
    "InfoGAN",
    "InfoGANCR",
    "LORD",
    "M1M2",
    "Mathieu2016",
    "MultimodalVAE",
    "QLAE",
    "ReducingAAE",
    "SemiSupervisedAAE",
    "SemiSupervisedReducingAAE",
    "StyleGAN",
    "Tripod",
}
"""Without a density of x given z, of z given x, or of z; or of several modalities."""


def test_a_run_is_diagnosed(untwine, folder):
    line = f"train --method BetaVAE --method.beta 2 --method.latent_dim 3 {DATA} --steps 4"
    status, out, err = untwine(f"{line} --batch_size 8 --no-progress --out run")
    assert status == 0, err
    status, out, err = untwine("diagnose run --n 30")
    assert (status, err) == (0, "")
    assert "of 3 dimensions are used" in out
    assert "ELBO" in out
    content = json.loads((folder / "run/diagnosis/diagnosis.json").read_text())
    assert content["beta"] == 2.0
    assert content["verdict"] in out
    assert content["elbo"]["kl"]["value"] == pytest.approx(sum(content["elbo"]["kl_per_dim"]))
    drawn = {path.stem for path in (folder / "run/diagnosis").glob("*.png")}
    assert {"elbo_parts", "seam_gaps", "posterior_widths", "dimension_kl"} <= drawn
    status, out, _ = untwine("diagnose run --n 30 --quiet --out elsewhere")
    assert out.strip() == content["verdict"]
    again = json.loads((folder / "elsewhere/diagnosis.json").read_text())
    assert again == content


@pytest.mark.parametrize("name", ut.methods.__all__)
def test_every_method_is_diagnosed_or_refused_with_the_reason(name):
    cls = getattr(ut.methods, name)
    data = suited(cls, make_data())
    method = cls.build(data, latent_dim=4, seed=0)
    try:
        found = d.diagnose(method, data, n=12, samples=1)
    except d.NoDensity:
        assert name in REFUSED
        return
    assert name not in REFUSED
    assert np.isfinite(found.elbo.elbo.value)
    assert "nats" in str(found)
    if found.orthogonality is None:
        assert found.missing


def test_the_verdict_names_the_rotation_that_would_remove_the_gap():
    x = MODEL.sample(60)[1]
    turn = torch.eye(3, dtype=F64)
    angle = np.radians(25)
    turn[:2, :2] = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = d.diagnose(Linear(MODEL.rotated(turn), diagonal=True), x)
    gap = MODEL.rotated(turn).seam_gap()
    assert found.verdict.startswith("3 of 3 dimensions are used; columns cross by")
    assert f"cost {gap:.2g} nats; rotating z0 and z1 by 25 degrees would remove it" in found.verdict
    straight = d.diagnose(Linear(MODEL, diagonal=True), x)
    assert "diagonal posteriors cost nothing" in straight.verdict


def test_the_best_rotation_diagonalizes_what_one_rotation_can():
    precision = MODEL.rotated(ROTATION).precision().unsqueeze(0)
    rotation, left, _ = best_rotation(precision)
    assert left.item() == pytest.approx(0, abs=1e-9)
    turned = rotation.T @ precision[0] @ rotation
    torch.testing.assert_close(turned, torch.diag(turned.diagonal()), atol=1e-5, rtol=0)
    torch.testing.assert_close(rotation.T @ rotation, torch.eye(3, dtype=F64))
    # two places whose axes differ by 2a: the best compromise lies between, and something is left
    a = 0.3
    c, s = np.cos(a), np.sin(a)
    axes = torch.diag(torch.tensor([9.0, 1.5], dtype=F64))
    both = torch.stack(
        [t @ axes @ t.T for t in (torch.tensor([[c, -s * k], [s * k, c]]) for k in (1, -1))]
    )
    rotation, left, _ = best_rotation(both)
    torch.testing.assert_close(rotation.abs(), torch.eye(2, dtype=F64), atol=1e-6, rtol=0)
    assert left.mean() > 0.05


def test_full_covariance_is_recognized():
    x = MODEL.sample(30)[1]
    found = d.diagnose(Linear(MODEL.rotated(ROTATION)), x)
    assert "diagonal posteriors would cost" in found.verdict
    assert "full-covariance posteriors are 0 nats from the optimum" in str(found)


def test_other_priors_and_posteriors_leave_parts_out():
    class Other(Linear):
        def prior(self):
            return Independent(Normal(torch.zeros(3, dtype=F64), 2.0), 1)

    found = d.diagnose(Other(MODEL), MODEL.sample(30)[1])
    assert set(found.missing) == {"dimensions in use", "the seam gap"}
    assert found.elbo.mutual_information is not None
    assert "cannot be diagnosed" in found.verdict

    class Mixed(Linear):
        def represent(self, x):
            q = super().represent(x)
            two = torch.stack([q.mean, q.mean + 1], 1)
            parts = MultivariateNormal(two, q.covariance_matrix.unsqueeze(1))
            weights = torch.distributions.Categorical(torch.ones(len(x), 2, dtype=F64))
            return torch.distributions.MixtureSameFamily(weights, parts)

    found = d.diagnose(Mixed(MODEL), MODEL.sample(30)[1])
    assert found.elbo.rule == "monte carlo"
    assert found.elbo.total_correlation is None
    assert found.orthogonality.covariance_kl is None


@pytest.mark.parametrize("model", ["aligned", "rotated"])
def test_figures_hold_the_numbers(model, tmp_path):
    turned = MODEL if model == "aligned" else MODEL.rotated(ROTATION)
    found = d.diagnose(Linear(turned, diagonal=True), turned.sample(40)[1])
    canvas = plots.column_cosines(found.orthogonality)
    shown = [text.get_text() for text in canvas.axes[0].texts]
    assert shown == [f"{v:.2f}" for v in found.orthogonality.cosines.flatten().tolist()]
    widths = plots.posterior_widths(found.orthogonality).axes[0].lines
    assert [list(line.get_ydata()) for line in widths] == [
        found.orthogonality.learned.tolist(),
        found.orthogonality.optimal.tolist(),
    ]
    bars = plots.elbo_parts(found.elbo).axes[0].patches
    assert bars[-1].get_width() == found.elbo.kl.value
    plots.seam_gaps({"one": found.orthogonality, "two": found.orthogonality}).savefig(
        tmp_path / "gaps.png"
    )
    with pytest.raises(ValueError, match="no model to draw"):
        plots.seam_gaps({})


def test_what_is_not_finite_is_said():
    x = MODEL.sample(30)[1]

    class Broken(Linear):
        def represent(self, x):
            loc = torch.full((len(x), 3), torch.nan)
            return Independent(Normal(loc, 1.0, validate_args=False), 1, validate_args=False)

    with pytest.raises(ValueError, match="codes of some observations are not finite"):
        d.diagnose(Broken(MODEL), x)
    with pytest.raises(d.NoDensity, match="Jacobian is not finite"):
        d.metric_at(lambda z: z / 0.0, torch.zeros(2, 3), sigma=1.0)


def test_a_gap_that_no_rotation_removes_is_said():
    """The directions of this decoder turn with z."""

    class Bent(Linear):
        def represent(self, x):
            return Independent(Normal(x.double()[:, :2], 0.3), 1)

        def decode(self, z):
            z = z.double()
            angle = 3.0 * z.sum(1, keepdim=True)
            a, b = z[:, :1], z[:, 1:]
            mean = torch.cat([a + 0.9 * b * angle.cos(), b + 0.9 * a * angle.sin()], 1)
            return Independent(Normal(mean, 0.3), 1)

        def prior(self):
            return Independent(Normal(torch.zeros(2, dtype=F64), 1.0), 1)

    x = torch.randn(80, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    found = d.diagnose(Bent(MODEL), x)
    gap, left = found.orthogonality.seam_gap, found.orthogonality.rotated
    assert left.mean() > 0.3 * gap.mean()
    assert "would leave" in found.verdict or "nats, which no single rotation" in found.verdict


def test_axes_of_a_run_its_levels_and_regions(untwine, folder):
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    np.savez("images.npz", images=images)
    data = "--data Npz --data.path images.npz --steps 2 --batch_size 8 --no-progress"
    sizes = "--method.latent_dim 2 --method.blocks [1,1] --method.width 4"
    status, _, err = untwine(f"train --method VeryDeepVAE {sizes} {data} --out deep")
    assert status == 0, err
    region = "--axes 2 --level z_1x1_0 --region 0:4,2:6"
    status, out, err = untwine(f"diagnose deep --n 20 {region}")
    assert (status, err) == (0, "")
    assert "Level z_1x1_0: 2 axes by the region, ratio; of their squared change lie outside" in out
    content = json.loads((folder / "deep/diagnosis/diagnosis.json").read_text())["axes"]
    assert content["level"] == "z_1x1_0"
    assert len(content["outside"]) == 2
    assert (folder / "deep/diagnosis/axes.png").exists()
    status, _, err = untwine("diagnose deep --n 20 --level z_1x1_0")
    assert status == 2
    assert "add --axes 5" in err
    status, _, err = untwine("diagnose deep --n 20 --axes 2 --region 4")
    assert status == 2
    assert "--region is '4'; expected rows and columns" in err
    status, _, err = untwine("diagnose deep --n 20 --axes 2 --level z_9")
    assert status != 0
    assert "expected one of z_1x1_0" in err
    status, _, err = untwine(f"train --method VAE --method.latent_dim 3 {DATA} --steps 2 "
                             "--batch_size 8 --no-progress --out flat")  # fmt: skip
    assert status == 0, err
    status, out, err = untwine("diagnose flat --n 20 --axes 2")
    assert (status, err) == (0, "")
    assert "2 axes by the average metric of 32 codes" in out
    assert (folder / "flat/diagnosis/axes.png").exists()

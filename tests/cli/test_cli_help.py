"""What the command line says about itself."""

import os
import subprocess
import sys

import pytest

import untwine.methods as methods
from untwine import __version__
from untwine.cli import main
from untwine.methods.method import hyperparameter_names


def test_help_lists_the_commands(untwine):
    status, out, _ = untwine("--help")
    assert status == 0
    for command in (
        "demo",
        "train",
        "measure",
        "report",
        "explore",
        "diagnose",
        "export",
        "push",
        "sample",
        "methods",
        "data",
    ):
        assert f"\n  {command}" in out
    assert main([]) == 0


def test_version(untwine):
    assert untwine("--version")[1] == f"untwine {__version__}\n"


def test_help_of_train_lists_methods_data_and_general_options(untwine):
    status, out, _ = untwine("train --help")
    assert status == 0
    for name in (*methods.__all__, "DSprites", "Npz"):
        assert f"\n  {name} " in out
    for option in ("--steps", "--batch_size", "--seed", "--out", "--config", "--precision"):
        assert option in out


@pytest.mark.parametrize("name", methods.__all__)
def test_help_of_a_method_explains_all_its_hyperparameters_and_no_others(untwine, name):
    status, out, _ = untwine(f"train --method {name} --help")
    assert status == 0
    shown = {word.rstrip("+") for word in out.split() if word.startswith("--method.")}
    expected = {f"--method.{n}" for n in hyperparameter_names(getattr(methods, name))}
    modules = ("augment", "critic", "class_critic", "style_critic", "transform")  # no words
    expected -= {f"--method.{module}" for module in modules}
    mentioned = {"--method.penalty", "--method.penalty.beta", "--method.optimizer.lr"}
    mentioned.add("--method.beta")
    assert expected <= shown <= expected | mentioned


def test_help_shows_the_symbol_the_meaning_and_the_default(untwine):
    out = " ".join(untwine("train --method BetaTCVAE --help")[1].split())
    assert "--method.beta BETA β, the weight of the total correlation. [float or a Schedule" in out
    assert "default 6.0]" in out
    assert "β D_KL(q(z) ‖ Π_j q(z_j))" in out
    out = " ".join(untwine("train --method DIPVAEI --help")[1].split())
    assert "--method.lambda_od LAMBDA_OD λ_od" in out
    assert "Adam(lr=0.0001, fused=true)" in out


def test_help_explains_the_class_of_an_argument_that_was_named(untwine):
    out = untwine("train --method AdaGVAE --method.penalty TotalCorrelation --help")[1]
    assert "--method.penalty.beta BETA" in out
    assert "--method.penalty.estimator ESTIMATOR" in out
    assert "--method.penalty.beta BETA" not in untwine("train --method AdaGVAE --help")[1]


def test_methods_are_listed(untwine):
    status, out, _ = untwine("methods")
    assert status == 0
    for name in methods.__all__:
        assert f" {name} " in out
    assert "Pairs" in out
    assert "Higgins et al. 2017" in out


def test_a_method_is_explained(untwine):
    status, out, _ = untwine("methods DIPVAEII")
    assert status == 0
    assert "untwine.methods.DIPVAEII" in out
    assert "λ_od Σ_(i ≠ j) [Cov_q(z)[z]]_ij²" in out
    assert "--method.lambda_od" in out
    assert "https://arxiv.org/abs/1711.00848" in out


def test_a_method_of_the_users_is_explained(untwine):
    status, out, _ = untwine("methods mine_of_the_user.MyVAE")
    assert status == 0
    assert "β, my weight." in out
    assert "β D_KL" in out


def test_data_sets_are_listed_and_explained(untwine):
    out = untwine("data")[1]
    assert "DSprites" in out
    assert "737,280 x 1x64x64" in out
    assert ":math:" not in out
    out = untwine("data DSprites")[1]
    assert "shape 3, scale 6, orientation 40, posX 32, posY 32" in out
    assert "--data.path" in untwine("data Npz")[1]


@pytest.mark.parametrize(
    "command",
    ["demo", "measure", "report", "explore", "diagnose", "export", "sample", "methods", "data"],
)
def test_every_command_has_help(untwine, command):
    status, out, _ = untwine(f"{command} --help")
    assert status == 0
    assert out.startswith(f"usage: untwine {command}")


def test_help_and_the_module_start_without_torch(folder):
    code = "import sys; from untwine.cli import main; main([]); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    done = subprocess.run(
        [sys.executable, "-m", "untwine", "--version"], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("untwine ")


def test_help_takes_little_more_than_importing_torch(folder):
    """Processor time, since the machine may be busy: at most 1.5 s beside torch's own."""

    def seconds(*words):
        before = os.times()
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        after = os.times()
        return after.children_user - before.children_user

    torch = min(seconds("-c", "import torch") for _ in range(2))
    train = min(seconds("-m", "untwine", "train", "--help") for _ in range(2))
    assert train - torch < 1.5

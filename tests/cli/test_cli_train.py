"""`untwine train`: from a line to a run, and from a run's spec to the same run."""

import signal
import subprocess
import sys

import pytest
import yaml

from untwine.methods import LORD
from untwine.training import Run

DATA = "--data Npz --data.path small.npz"
FEW = "--steps 4 --batch_size 8 --no-progress"


def spec_of(run):
    return yaml.safe_load((run / "spec.yaml").read_text())


def printed(untwine, line):
    status, out, err = untwine(f"train {line} --print_config")
    assert status == 0, err
    return yaml.safe_load(out)


def test_a_run_of_the_users_own_class(untwine, folder):
    line = f"train --method mine_of_the_user.MyVAE --method.beta 3 {DATA} {FEW} --out runs/mine"
    status, out, err = untwine(line)
    assert (status, err) == (0, "")
    assert "MyVAE on Npz: 4 steps" in out
    assert "untwine report runs/mine" in out
    run = Run.load(folder / "runs/mine", trust=["mine_of_the_user"])
    assert type(run.method).__name__ == "MyVAE"
    assert run.method.penalty.beta == 3.0
    assert run.spec["method"]["init_args"] == {"latent_dim": 10, "seed": 0, "beta": 3.0}


def test_a_spec_repeats_its_run(untwine, folder):
    line = (
        f"train --method AdaGVAE --method.penalty TotalCorrelation --method.penalty.beta 3 "
        f"--method.net MLP --method.net.hidden [8,9] --method.optimizer.lr 1e-3 {DATA} "
        f"--data.names [a,b,c] --sampler PairsSampler --sampler.changed 1 --seed 5 {FEW} --out one"
    )
    assert untwine(line)[0] == 0
    assert untwine("train --config one/spec.yaml --out two --no-progress")[0] == 0
    assert untwine("train --config two --out three --no-progress")[0] == 0
    one, two, three = (spec_of(folder / name) for name in ("one", "two", "three"))
    assert one == two == three
    assert list(one["method"]["init_args"]) == list(two["method"]["init_args"])
    weights = {(folder / n / "model.safetensors").read_bytes() for n in ("one", "two", "three")}
    assert len(weights) == 1
    assert one["method"]["init_args"]["penalty"] == {
        "class_path": "untwine.methods.TotalCorrelation",
        "init_args": {"beta": 3.0},
    }
    assert one["sampler"]["init_args"] == {"changed": 1}


def test_a_run_made_in_python_is_repeated_too(untwine, folder):
    from untwine import fit
    from untwine.data import Npz
    from untwine.functional import Linear
    from untwine.methods import FactorVAE

    data = Npz("small.npz")
    beta = Linear(0, end=4, steps=10)
    method = FactorVAE.build(data, 4, seed=3, gamma=beta, critic_width=7)
    fit(method, data, steps=3, batch_size=8, seed=1, out="one", progress=False)
    assert untwine("train --config one --out two --no-progress")[0] == 0
    assert spec_of(folder / "one") == spec_of(folder / "two")
    first = (folder / "one/model.safetensors").read_bytes()
    assert first == (folder / "two/model.safetensors").read_bytes()


def test_a_method_that_its_constructor_made_is_repeated(untwine, folder):
    (folder / "linear_of_the_user.py").write_text(
        "import torch\n"
        "from untwine.data import Images\n"
        "from untwine.distributions import Point\n"
        "from untwine.methods import Loss, Method, Player\n"
        "class Linear(Method):\n"
        "    supervision = Images\n"
        "    def __init__(self, width: int):\n"
        "        super().__init__()\n"
        "        self.net = torch.nn.Linear(7, width)\n"
        "        torch.nn.init.ones_(self.net.weight)\n"
        "        torch.nn.init.zeros_(self.net.bias)\n"
        "    def players(self):\n"
        "        return {'net': Player((self.net,), torch.optim.SGD)}\n"
        "    def represent(self, x):\n"
        "        return Point(self.net(x))\n"
        "    def moves(self, batch, ctx):\n"
        "        yield {'net': Loss(square=(self.net(batch.x) ** 2).sum(1))}\n"
    )
    sys.path.insert(0, str(folder))
    from linear_of_the_user import Linear

    from untwine import fit
    from untwine.data import Npz

    fit(Linear(width=2), Npz("small.npz"), steps=3, batch_size=8, out="one", progress=False)
    assert untwine("train --config one --out two --no-progress --trust linear_of_the_user")[0] == 0
    assert spec_of(folder / "one") == spec_of(folder / "two")
    assert spec_of(folder / "two")["method"]["made_by"] == "constructor"
    first = (folder / "one/model.safetensors").read_bytes()
    assert first == (folder / "two/model.safetensors").read_bytes()
    status, _, err = untwine("train --config one --method.width 3 --out three")
    assert status == 2
    assert "--method.width cannot change the method of this file" in err
    other = printed(untwine, "--config one --method VAE")
    assert other["method"]["init_args"] == {"latent_dim": 10, "seed": 0}


def test_the_same_line_again_resumes(untwine, folder):
    line = f"train --method VAE {DATA} --batch_size 8 --no-progress"
    assert untwine(f"{line} --steps 3")[0] == 0
    run = folder / "runs" / "VAE-Npz-0"
    assert untwine(f"{line} --steps 3")[0] == 0
    assert untwine(f"{line} --steps 5")[0] == 0
    assert Run(run).steps == 5
    assert untwine(f"{line} --steps 5 --out straight")[0] == 0
    weights = [(r / "model.safetensors").read_bytes() for r in (run, folder / "straight")]
    assert weights[0] == weights[1]


def test_another_run_in_the_folder_is_refused(untwine):
    line = f"train --method BetaVAE {DATA} {FEW} --out here"
    assert untwine(f"{line} --method.beta 2")[0] == 0
    status, _, err = untwine(f"{line} --method.beta 3")
    assert status == 2
    assert "method.init_args.beta: 2.0, now 3.0" in err


def test_one_seed_decides_everything(untwine):
    base = f"--method VAE {DATA} --steps 4"
    assert printed(untwine, base)["method"]["init_args"]["seed"] == 0
    spec = printed(untwine, f"{base} --seed 7")
    assert (spec["seed"], spec["method"]["init_args"]["seed"]) == (7, 7)
    spec = printed(untwine, f"{base} --seed 7 --method.seed 1")
    assert (spec["seed"], spec["method"]["init_args"]["seed"]) == (7, 1)


def test_options_override_a_file(untwine, folder):
    spec = printed(untwine, f"--method BetaVAE --method.beta 3 {DATA} --steps 4 --batch_size 8")
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec))
    new = printed(untwine, "--config spec.yaml --method.beta 5 --steps 9 --seed 2")
    assert (new["method"]["init_args"]["beta"], new["steps"], new["batch_size"]) == (5.0, 9, 8)
    assert (new["seed"], new["method"]["init_args"]["seed"]) == (2, 2)
    new = printed(untwine, "--config spec.yaml --method BetaVAE")
    assert new == spec
    new = printed(untwine, "--config spec.yaml --method VAE")
    assert new["method"]["init_args"] == {"latent_dim": 10, "seed": 0}
    assert new["data"] == spec["data"]


def test_short_names_are_enough_in_a_file(untwine, folder):
    (folder / "short.yaml").write_text(
        "method:\n  class_path: AdaGVAE\n  init_args: {penalty: KL}\n"
        "data: {class_path: Npz, init_args: {path: small.npz}}\nsteps: 4\n"
    )
    spec = printed(untwine, "--config short.yaml --method.penalty.beta 2")
    assert spec["method"]["class_path"] == "untwine.methods.AdaGVAE"
    assert spec["method"]["init_args"]["penalty"] == {
        "class_path": "untwine.methods.KL",
        "init_args": {"beta": 2.0},
    }


def test_weights_may_be_schedules_or_numbers(untwine):
    base = f"--method BetaVAE {DATA} --steps 4"
    schedule = (
        "--method.beta Linear --method.beta.start 0 --method.beta.end 4 --method.beta.steps 9"
    )
    spec = printed(untwine, f"{base} {schedule}")
    assert spec["method"]["init_args"]["beta"] == {
        "class_path": "untwine.functional.Linear",
        "init_args": {"start": 0.0, "end": 4.0, "steps": 9},
    }
    assert printed(untwine, f"{base} --method.beta=1e-2")["method"]["init_args"]["beta"] == 0.01


def test_one_argument_of_a_default_changes_alone(untwine):
    base = f"--method InfoGANCR {DATA} --steps 4"
    spec = printed(untwine, f"{base} --method.generator_optimizer.lr 0.5")
    assert spec["method"]["init_args"]["generator_optimizer"] == {
        "class_path": "torch.optim.Adam",
        "init_args": {"lr": 0.5, "betas": [0.5, 0.999], "fused": True},
    }
    spec = printed(untwine, f"{base} --method.generator_optimizer SGD")
    assert spec["method"]["init_args"]["generator_optimizer"] == {
        "class_path": "torch.optim.SGD",
        "init_args": {},
    }


def test_a_prior_has_as_many_dimensions_as_the_codes(untwine, folder):
    line = f"--method VAE --method.latent_dim 3 --method.prior GaussianMixture {DATA} {FEW}"
    spec = printed(untwine, line)
    assert spec["method"]["init_args"]["prior"]["init_args"] == {"latent_dim": 3}
    assert untwine(f"train {line} --out mixture")[0] == 0
    assert Run.load(folder / "mixture").method.prior().event_shape == (3,)


def test_data_sets_are_made_of_data_sets(untwine):
    data = "--data Split --data.data Noisy --data.data.data DSprites --data.fraction 0.5"
    spec = printed(untwine, f"--method VAE --steps 4 {data}")
    inner = spec["data"]["init_args"]["data"]
    assert spec["data"]["init_args"]["fraction"] == 0.5
    assert inner["init_args"]["data"] == {"class_path": "untwine.data.DSprites", "init_args": {}}


def test_a_file_stands_for_the_data_set_of_it(untwine, folder):
    base = f"--method VAE {FEW.removesuffix(' --no-progress')}"
    spec = printed(untwine, f"{base} --data small.npz --data.names [a,b,c]")
    assert spec["data"]["class_path"] == "untwine.data.Npz"
    assert spec["data"]["init_args"] == {"path": "small.npz", "names": ["a", "b", "c"]}
    spec = printed(untwine, f"{base} --data ./photos")
    assert spec["data"] == {"class_path": "untwine.data.Folder", "init_args": {"path": "./photos"}}
    assert untwine(f"train --method VAE {FEW} --data small.npz --out one")[0] == 0
    assert Run.load(folder / "one").data.space.names == ("size", "row", "column")


def test_steps_by_stage(untwine, folder):
    line = f"train --method LORD {DATA} --batch_size 8 --no-progress --out staged"
    assert untwine(f"{line} --steps optimize=3,amortize=2")[0] == 0
    run = Run.load(folder / "staged")
    assert isinstance(run.method, LORD)
    assert run.spec["steps"] == {"optimize": 3, "amortize": 2}
    assert run.steps == 5


def test_without_out_a_run_is_named_after_what_it_is(untwine, folder):
    assert untwine(f"train --method VAE {DATA} {FEW} --seed 3")[0] == 0
    assert (folder / "runs" / "VAE-Npz-3" / "model.safetensors").exists()


def test_a_logger_by_name(untwine, folder):
    pytest.importorskip("tensorboard")
    assert untwine(f"train --method VAE {DATA} {FEW} --out logged --logger tensorboard")[0] == 0
    assert list((folder / "logged" / "tensorboard").glob("events.out.tfevents.*"))


def test_a_loss_that_is_not_finite_ends_with_status_1(untwine, folder):
    line = f"train --method VAE {DATA} {FEW} --method.optimizer SGD --method.optimizer.lr 1e30"
    status, _, err = untwine(f"{line} --out bad")
    assert status == 1
    assert err.startswith("untwine: ")
    assert len(err.splitlines()) == 1


def test_ctrl_c_says_how_to_go_on(folder):
    line = f"train --method VAE {DATA} --steps 1000000 --batch_size 8 --out stopped".split()
    # A shell's background jobs ignore the signal, and their children would, too.
    heeding = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    words = [sys.executable, "-c", heeding, sys.executable, "-m", "untwine", *line]
    running = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    for shown in running.stderr:
        if shown.startswith("fit "):
            running.send_signal(signal.SIGINT)
            break
    rest = running.stderr.read()
    assert running.wait(60) == 130
    assert "the same command again continues" in rest
    assert "Traceback" not in rest
    assert Run(folder / "stopped").steps > 0


def test_held_out_data_schedules_and_averages_are_options_and_repeated(untwine, folder):
    line = (
        f"train --method BetaVAE {DATA} --steps 9 --batch_size 8 --no-progress --validation 0.2 "
        "--validate_every 3 --monitor vae/nll --patience 9 --keep best --warmup 2 --clip 5 "
        "--schedule CosineAnnealingLR --schedule.T_max 9 --average EMA --average.decay 0.5 "
        "--out one"
    )
    status, _, err = untwine(line)
    assert (status, err) == (0, "")
    assert untwine("train --config one --out two --no-progress")[0] == 0
    assert spec_of(folder / "one") == spec_of(folder / "two")
    first = (folder / "one/model.safetensors").read_bytes()
    assert first == (folder / "two/model.safetensors").read_bytes()
    spec = spec_of(folder / "one")
    assert spec["schedule"] == {
        "class_path": "torch.optim.lr_scheduler.CosineAnnealingLR",
        "init_args": {"T_max": 9},
    }
    assert (spec["validation"], spec["keep"], spec["monitor"]) == (0.2, "best", "vae/nll")
    assert len(Run.load(folder / "one").held_out) == 12
    assert "validation/vae/nll" in Run.load(folder / "one").log


def test_data_of_its_own_is_held_out_and_epochs_are_steps(untwine, folder):
    line = f"train --method BetaVAE {DATA} --batch_size 8 --no-progress --out run"
    assert untwine(f"{line} --epochs 1 --validation small.npz --validate_every 4")[0] == 0
    run = Run.load(folder / "run")
    assert (run.steps, len(run.held_out)) == (8, 60)
    assert untwine(f"{line}-2 --config run")[0] == 0  # the file says how many steps
    status, _, err = untwine(f"{line}-3 --epochs 1 --steps 3")
    assert (status, "give one of them" in err) == (2, True)
    status, _, err = untwine(f"{line}-3 --steps 3 --patience 2")
    assert (status, "give validation=" in err) == (2, True)

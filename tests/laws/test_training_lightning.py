"""Lightning's callbacks in `fit`, and methods under Lightning's Trainer."""

from __future__ import annotations

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch import callbacks as theirs

from tests.training_toys import Duel, Noisy, Plain, Points, Staged, equal
from untwine.methods import FactorVAE
from untwine.training import fit
from untwine.training.lightning import LightningCallback, MethodModule

QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}


class Noting(pl.Callback):
    def __init__(self):
        self.seen = []

    def on_train_start(self, trainer, pl_module):
        self.seen.append(("start", trainer.max_steps, type(pl_module).__name__))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.seen.append((batch_idx, trainer.global_step, float(outputs["vae"])))
        if trainer.global_step == 3:
            trainer.should_stop = True

    def on_validation_end(self, trainer, pl_module):
        self.seen.append(("held out", float(trainer.callback_metrics["validation/vae/total"])))

    def on_train_end(self, trainer, pl_module):
        self.seen.append("end")


def test_a_callback_of_lightnings_sees_the_training_and_stops_it():
    callback, looks = Noting(), {"validation": Points(), "validate_every": 2}
    run = fit(Noisy(), Points(), steps=9, log_every=1, progress=False, **looks,
              callbacks=[LightningCallback(callback)])  # fmt: skip
    assert run.steps == 3
    assert run.stopped == "step 3 of 9: Noting set should_stop"
    total = run.log["vae/total"].tolist()
    held_out = run.log["validation/vae/total"].dropna().item()
    assert callback.seen == [
        ("start", 9, "Noisy"),
        (0, 1, pytest.approx(total[0])),
        (1, 2, pytest.approx(total[1])),
        ("held out", pytest.approx(held_out)),
        (2, 3, pytest.approx(total[2])),
        "end",
    ]


class Strange(pl.Callback):
    def on_before_backward(self, trainer, pl_module, loss):
        raise AssertionError


class Curious(pl.Callback):
    def on_train_start(self, trainer, pl_module):
        return trainer.datamodule


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (theirs.EarlyStopping("x"), r"EarlyStopping has no place in fit: fit\(validation=, pat"),
        (theirs.ModelCheckpoint(), r"ModelCheckpoint has no place in fit: a run writes"),
        (theirs.StochasticWeightAveraging(1e-3), r"fit\(average=SWA\(\)\) does it"),
        (theirs.LearningRateMonitor(), "LearningRateMonitor has no place in fit"),
        (theirs.TQDMProgressBar(), "fit shows its own bar"),
        (Strange(), "Strange has the hooks on_before_backward, which have no place in fit"),
        (theirs.Timer("00:00:01:00"), "Timer has the hooks .*state_dict"),
        (Noisy, "callback is a ABCMeta|callback is a Noted"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_fit_does_itself_is_refused_by_name(callback, message):
    with pytest.raises(TypeError, match=message):
        LightningCallback(callback)


def test_what_a_callback_asks_in_vain_is_named():
    with pytest.raises(AttributeError, match=r"asks for trainer.datamodule, which .*global_step"):
        fit(Noisy(), Points(), steps=1, progress=False, callbacks=[LightningCallback(Curious())])


@pytest.mark.parametrize("make", [Plain, Duel])
def test_a_trainer_makes_the_moves_that_fit_makes(make):
    """Without noise, from the same batches, to the same weights."""
    one, other = make(), make()
    fit(one, Points(), steps=4, progress=False)
    module = MethodModule(other)
    batches = [Points()(step) for step in range(4)]
    loader = torch.utils.data.DataLoader(batches, batch_size=None)
    pl.Trainer(max_epochs=1, **QUIET).fit(module, loader)
    assert equal(one, other)
    assert module.made == 4


def test_data_players_and_held_out_terms(images_of_three_factors):
    data = images_of_three_factors
    method = FactorVAE.build(data, latent_dim=3, seed=0)
    module = MethodModule(method, data, data, batch_size=16)
    trainer = pl.Trainer(max_steps=4, val_check_interval=1, limit_val_batches=2, **QUIET)
    trainer.fit(module)
    assert module.made == 2  # of two players, each of whose steps Lightning counts
    terms = {name for name in trainer.callback_metrics if not name.startswith("validation/")}
    assert {"vae/nll", "vae/total"} < terms
    assert {f"validation/{name}" for name in terms} < {*trainer.callback_metrics}


def test_stages_are_trained_one_by_one_and_named():
    with pytest.raises(ValueError, match="Staged has the stages both, decode, and a Trainer"):
        MethodModule(Staged())
    with pytest.raises(ValueError, match="stage is 'bth'; the method has both, decode"):
        MethodModule(Staged(), stage="bth")
    assert MethodModule(Staged(), stage="decode").stage.players == ("decoder",)


@pytest.fixture
def images_of_three_factors():
    from .conftest import make_data

    return make_data()

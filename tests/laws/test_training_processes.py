"""Several processes train as one."""

from __future__ import annotations

import multiprocessing
import os
import socket
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import SGD

from tests.training_toys import DIM, WIDTH, Noisy, Plain, Points
from untwine.data import FactorDataset
from untwine.methods.method import Loss, Player
from untwine.training import NonFiniteLoss, fit
from untwine.training.record import read_record

STEPS = 8


class Normed(Plain):
    """Two players, one of them with running statistics."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.norm = nn.BatchNorm1d(DIM, momentum=0.3)
        self.critic = nn.Linear(DIM, 1)
        nn.init.constant_(self.critic.weight, 0.3 + 0.1 * seed)
        nn.init.zeros_(self.critic.bias)

    def players(self):
        own = super().players()["vae"]
        critic = Player((self.critic, self.norm), partial(SGD, lr=0.05))
        return {"vae": own, "critic": critic}

    def moves(self, batch, ctx):
        yield from super().moves(batch, ctx)
        z = self.represent(batch.x).mean
        yield {
            "vae": Loss(fool=self.critic(z).squeeze(-1) ** 2),
            "critic": Loss(tell=(self.critic(self.norm(z)).squeeze(-1) - 1) ** 2),
        }


class LateNaN(Plain):
    """Not finite in the second process alone."""

    def moves(self, batch, ctx):
        rank = torch.distributed.get_rank()
        bad = torch.where(ctx.step >= 3, torch.nan if rank else 0.0, 0.0)
        for move in super().moves(batch, ctx):
            yield {"vae": Loss(**move["vae"].terms, tc=bad)}


def held_out() -> dict:
    """Rows of another distribution, whose error rises from the first look on."""
    x = torch.rand(20, WIDTH, generator=torch.Generator().manual_seed(9)) ** 4
    return {
        "validation": FactorDataset.from_arrays(x),
        "validate_every": 2,
        "patience": 1,
        "keep": "best",
    }


def worker(rank: int, port: int, make, folder: str, resume_from: int, steps: int) -> None:
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "LOCAL_WORLD_SIZE": "2",
        "TORCHELASTIC_RUN_ID": "test",
    }
    torch.set_num_threads(1)
    from lightning.fabric import Fabric

    fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp")
    out = Path(folder)
    data = Points(rank=rank, count=2)
    options = {"batch_size": 16, "seed": 1, "fabric": fabric, "progress": False, "log_every": 4}
    options |= {"out": out / "run", "checkpoint_every": 3}
    try:
        if resume_from:
            fit(make(seed=rank), data, steps=resume_from, **options)
        method = make(seed=rank)  # the first process's weights count
        if steps > STEPS:
            options |= held_out()
        fit(method, data, steps=steps, **options)
        torch.save(method.state_dict(), out / f"rank{rank}.pt")
    except NonFiniteLoss as error:
        (out / f"error{rank}").write_text(str(error))
    torch.distributed.destroy_process_group()


def run_two(make, folder: Path, resume_from: int = 0, steps: int = STEPS) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.regressions.resumed_run"])
    both = [
        processes.Process(target=worker, args=(rank, port, make, str(folder), resume_from, steps))
        for rank in (0, 1)
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(100)
        process.kill()
    assert [process.exitcode for process in both] == [0, 0]


def state(folder: Path, rank: int) -> dict[str, torch.Tensor]:
    return torch.load(folder / f"rank{rank}.pt", weights_only=True)


pytestmark = pytest.mark.skipif(
    os.name != "posix" or not torch.distributed.is_available(), reason="needs gloo and forkserver"
)


def test_two_processes_equal_one_with_the_same_global_batch(tmp_path):
    run_two(Plain, tmp_path)
    one, two = state(tmp_path, 0), state(tmp_path, 1)
    assert all(torch.equal(one[k], two[k]) for k in one), "replicas differ"
    alone = Plain()
    run = fit(alone, Points(), steps=STEPS, batch_size=16, seed=1, log_every=4, progress=False)
    for key, value in alone.state_dict().items():
        torch.testing.assert_close(one[key], value, rtol=1e-5, atol=1e-6)
    rows = read_record(tmp_path / "run/log.jsonl")
    assert [row["step"] for row in rows] == [1, 4, 8]
    for row, expected in zip(rows, run.rows, strict=True):
        assert row["vae/error"] == pytest.approx(expected["vae/error"], rel=1e-5)


@pytest.mark.parametrize("make", [Normed, Noisy])
def test_replicas_stay_equal_to_the_last_bit_and_resume(tmp_path, make):
    for name, resume_from in (("whole", 0), ("resumed", 5)):
        (tmp_path / name).mkdir()
        run_two(make, tmp_path / name, resume_from)
        one, two = state(tmp_path / name, 0), state(tmp_path / name, 1)
        assert all(torch.equal(one[k], two[k]) for k in one), "replicas differ"
    resumed = state(tmp_path / "resumed", 0)
    whole = state(tmp_path / "whole", 0)
    assert all(torch.equal(whole[k], resumed[k]) for k in whole), "resumed run differs"
    if make is Normed:
        assert whole["norm.num_batches_tracked"] == STEPS
        assert whole["norm.running_var"].sub(1).abs().max() > 1e-3


def test_validation_is_that_of_one_process_and_both_stop_together(tmp_path):
    steps = 60
    run_two(Plain, tmp_path, steps=steps)
    one, two = state(tmp_path, 0), state(tmp_path, 1)
    assert all(torch.equal(one[k], two[k]) for k in one), "replicas differ"
    alone = Plain()
    options = {"batch_size": 16, "seed": 1, "log_every": 4, "progress": False, **held_out()}
    run = fit(alone, Points(), steps=steps, **options)
    rows = [row for row in read_record(tmp_path / "run/log.jsonl") if "validation/vae/error" in row]
    expected = [row for row in run.rows if "validation/vae/error" in row]
    assert [row["step"] for row in rows] == [row["step"] for row in expected]
    for row, same in zip(rows, expected, strict=True):
        assert row["validation/vae/error"] == pytest.approx(same["validation/vae/error"], rel=1e-4)
    for key, value in alone.state_dict().items():  # of the best look
        torch.testing.assert_close(one[key], value, rtol=1e-4, atol=1e-5)


def test_all_processes_stop_when_one_of_them_has_nan(tmp_path):
    run_two(LateNaN, tmp_path)
    for rank in (0, 1):
        message = (tmp_path / f"error{rank}").read_text()
        assert "term 'tc' of player 'vae' is not finite at step 4" in message

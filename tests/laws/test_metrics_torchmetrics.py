"""Metrics as torchmetrics."""

import numpy as np
import pytest
import torch
from torchmetrics import Metric, MetricCollection

from untwine import metrics
from untwine.metrics import METRICS, Disentanglement

LOOP = [n for n, m in METRICS.items() if set(m.needs) <= {"factors"}]
QUICK = {
    "beta_vae_score": {"train": 100, "test": 50},
    "factor_vae_score": {"votes": 100, "test_votes": 50},
    "z_max_var": {"votes": 100, "test_votes": 50, "batch": 10},
    "dci": {"predictor": "logistic"},
    "downstream_accuracy": {"predictor": "logistic"},
    "sample_efficiency": {"predictor": "logistic", "few": 30, "labels": (30,)},
    "unfairness": {"predictor": "logistic"},
}


@pytest.fixture(scope="module")
def world():
    generator = torch.Generator().manual_seed(0)
    factors = torch.cartesian_prod(torch.arange(3), torch.arange(4), torch.arange(5)).repeat(5, 1)
    factors = factors[torch.randperm(300, generator=generator)]
    codes = factors.double() + 0.3 * torch.randn(300, 3, generator=generator, dtype=torch.float64)
    return codes, factors


@pytest.mark.parametrize("name", LOOP)
def test_batches_score_as_the_whole(name, world):
    gathered = Disentanglement(name, **QUICK.get(name, {}))
    assert isinstance(gathered, Metric)
    for codes, factors in zip(world[0].split(64), world[1].split(64), strict=True):
        gathered.update(codes, factors)
    expected = METRICS[name].call(*world, seed=0, settings=QUICK.get(name, {}))
    assert float(gathered.compute()) == pytest.approx(expected.value, rel=1e-6)
    assert gathered.score.protocol == expected.protocol
    assert gathered.higher_is_better == METRICS[name].higher_is_better


def test_reset_forgets(world):
    codes, factors = world
    gathered = Disentanglement("mig")
    gathered.update(codes[:100], factors[:100])
    gathered.reset()
    gathered.update(codes[100:], factors[100:])
    assert float(gathered.compute()) == pytest.approx(metrics.mig(codes[100:], factors[100:]).value)


def test_a_part_and_a_limit(world):
    codes, factors = world
    gathered = Disentanglement("dci", part="completeness", predictor="logistic", points=90, seed=5)
    gathered.update(codes, factors)
    rows = np.random.default_rng(5).permutation(300)[:90]
    expected = metrics.dci(codes[rows], factors[rows], predictor="logistic", seed=5)
    assert float(gathered.compute()) == pytest.approx(expected.parts["completeness"])


def test_a_collection_shares_what_it_gathers(world):
    both = MetricCollection({"gap": Disentanglement("mig"), "mod": Disentanglement("modularity")})
    for codes, factors in zip(world[0].split(50), world[1].split(50), strict=True):
        both.update(codes, factors)
    result = both.compute()
    assert float(result["gap"]) == pytest.approx(metrics.mig(*world).value)
    assert float(result["mod"]) == pytest.approx(metrics.modularity(*world).value)
    assert len(both.compute_groups) == 1


def _process(rank, world_size, port, codes, factors, queue):
    import torch.distributed as dist

    address = f"tcp://127.0.0.1:{port}"
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=world_size)
    gathered = Disentanglement("mig")
    for batch in range(rank, 6, world_size):
        rows = slice(50 * batch, 50 * (batch + 1))
        gathered.update(torch.from_numpy(codes[rows]), torch.from_numpy(factors[rows]))
    queue.put((rank, float(gathered.compute())))
    dist.destroy_process_group()


def test_two_processes_score_what_both_have_seen(world):
    import socket

    import torch.multiprocessing as mp

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = mp.get_context("spawn")
    queue = context.Queue()
    codes, factors = (part.numpy() for part in world)
    workers = [
        context.Process(target=_process, args=(rank, 2, port, codes, factors, queue))
        for rank in range(2)
    ]
    for worker in workers:
        worker.start()
    results = dict(queue.get(timeout=120) for _ in workers)
    for worker in workers:
        worker.join(timeout=60)
    expected = metrics.mig(*world).value
    assert results == {0: pytest.approx(expected), 1: pytest.approx(expected)}


def test_what_is_refused(world):
    with pytest.raises(ValueError, match="no metric 'migg': did you mean 'mig'"):
        Disentanglement("migg")
    with pytest.raises(ValueError, match="udr needs a set of runs"):
        Disentanglement("udr")
    with pytest.raises(ValueError, match="mig has no setting 'bin'"):
        Disentanglement("mig", bin=3)
    with pytest.raises(ValueError, match="points is 0"):
        Disentanglement("mig", points=0)
    with pytest.raises(ValueError, match="codes has 3 rows but factors has 4"):
        Disentanglement("mig").update(world[0][:3], world[1][:4])
    gathered = Disentanglement("mig", part="absent")
    gathered.update(*world)
    with pytest.raises(ValueError, match="mig has no part 'absent'; it has per_factor"):
        gathered.compute()
    gathered = Disentanglement("mig", part="per_factor")
    gathered.update(*world)
    with pytest.raises(ValueError, match=r"has shape \(3,\); expected one number"):
        gathered.compute()

"""Critics' records, and coverage of samples: what is known of both beforehand."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.optim import SGD

import untwine as ut
from untwine.data import FactorDataset
from untwine.functional import density_and_coverage
from untwine.methods import AAE, Adversarial
from untwine.nets import MLP
from untwine.report.adversaries import adversaries, covered_by_chance
from untwine.report.page import subject_of
from untwine.training import critic_records


def rows(accuracy, **others):
    return [
        {"step": 100 * i, "critic/accuracy": a, **{k: v[i] for k, v in others.items()}}
        for i, a in enumerate(accuracy)
    ]


def test_verdicts_by_how_accuracy_went():
    random = np.random.default_rng(0)
    around = 0.5 + 0.01 * random.normal(size=30)
    learned = np.concatenate([np.linspace(0.9, 0.6, 20), np.full(10, 0.6)])
    cases = {
        "dead": rows(around),
        "undecided": rows(learned),
        "won": rows(np.concatenate([np.full(10, 0.7), np.full(20, 1.0)])),
        "too short": rows(around[:9]),
    }
    for verdict, log in cases.items():
        (record,) = critic_records(log)
        assert record.verdict == verdict
        assert bool(record.advice) == (verdict in ("dead", "won"))
        assert record.name == "critic/accuracy"
        assert record.calibration is None
    (record,) = critic_records(rows(learned, **{"critic/calibration": np.full(30, -9.0)}))
    assert (record.verdict, record.calibration) == ("won", -9.0)
    (record,) = critic_records(rows(learned, **{"critic/calibration": np.full(30, -0.1)}))
    assert record.verdict == "undecided"
    assert str(record) == "critic: accuracy 0.88 at first, 0.60 at the end"


def test_a_player_with_two_critics_has_two_records():
    row = {"critics/accuracy_class": 0.6, "critics/accuracy_style": 0.5, "vae/nll": 3.0}
    records = critic_records([row | {"stage": "fit"}] * 12)
    assert [r.name for r in records] == ["critics/accuracy_class", "critics/accuracy_style"]
    assert [r.verdict for r in records] == ["undecided", "dead"]
    assert str(records[1]).startswith("critics critic of style: accuracy 0.50")


def test_logs_without_critics_have_no_records():
    assert critic_records([{"vae/nll": 1.0}] * 20) == []


def by_hand(real, fake, k):
    distance = np.linalg.norm(real[:, None] - real[None], axis=-1)
    radius = np.sort(distance, 1)[:, k]
    inside = np.linalg.norm(real[:, None] - fake[None], axis=-1) < radius[:, None]
    return inside.sum() / (k * len(fake)), inside.any(1).mean()


def test_density_and_coverage_by_hand():
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(40, 3)), 0.7 * random.normal(size=(25, 3))
    value = density_and_coverage(torch.tensor(real), torch.tensor(fake), 4)
    np.testing.assert_allclose([float(v) for v in value], by_hand(real, fake, 4))
    with pytest.raises(ValueError, match="5 real examples; expected more than neighbors, 5"):
        density_and_coverage(torch.zeros(5, 2), torch.zeros(5, 2))


def test_samples_of_the_same_distribution_have_the_expected_coverage():
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn(60, 2, 100, 4, generator=generator)
    values = torch.stack([torch.stack(density_and_coverage(a, b)) for a, b in draws])
    density, coverage = values.mean(0).tolist()
    assert coverage == pytest.approx(covered_by_chance(100, 100, 5), abs=0.01)
    assert density == pytest.approx(1, abs=0.03)
    # half of the modes alone: coverage halves, density does not
    modes = torch.randn(200, 4, generator=generator) + 50 * (torch.arange(200) % 2)[:, None]
    density, coverage = density_and_coverage(modes[:100], modes[100::2][:50])
    assert density > 0.8
    assert coverage < 0.55


@pytest.fixture
def data():
    x = np.random.default_rng(0).random((64, 6), np.float32)
    return FactorDataset.from_arrays(x)


def test_a_dead_critic_is_warned_of_and_reported(tmp_path, data):
    method = AAE.build(
        data,
        2,
        seed=0,
        net=MLP((8,)),
        adversarial=Adversarial(width=4),
        critic_optimizer=partial(SGD, lr=0.0),
    )
    for parameter in method.critic.parameters():
        parameter.data.zero_()
    with pytest.warns(UserWarning, match=r"^critic: accuracy 0\.50 at first.*It was at 0\.5 from"):
        run = ut.fit(method, data, steps=12, log_every=1, out=tmp_path / "run", progress=False)
    found = adversaries(subject_of(run, None, None, None, ()), seed=0)
    assert [record.verdict for record in found.critics] == ["dead"]
    assert found.count == 64
    assert 0 <= found.coverage <= 1
    page = ut.report(run, n=20, scores=False).read_text()
    assert "Mode coverage" in page
    assert "learns nothing, and so teaches nothing" in page


def test_runs_without_critics_have_no_such_section(tmp_path, data):
    run = ut.fit(ut.methods.VAE.build(data, 2), data, steps=3, out=tmp_path / "run", progress=False)
    assert adversaries(subject_of(run, None, None, None, ()), seed=0) is None
    assert "Mode coverage" not in ut.report(run, n=20, scores=False).read_text()

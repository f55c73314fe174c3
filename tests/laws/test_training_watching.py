"""Rates and traversals through training: notes, warnings, and the film in the report."""

import json
import warnings

import numpy as np
import pytest
import torch

import untwine as ut
from untwine.methods import VAE, BetaVAE
from untwine.training import RateWatch, TraversalFrames, read_frames, read_rates


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((200, 2)) @ rng.standard_normal((2, 6))
    return ut.FactorDataset.from_arrays((3 * z).astype("f4"), np.arange(200)[:, None] % 5)


@pytest.fixture(scope="module")
def images():
    x = np.random.default_rng(0).integers(0, 256, (60, 12, 12), dtype=np.uint8)
    return ut.FactorDataset.from_arrays(x)


def trained(method, data, out, steps, *callbacks):
    return ut.fit(method, data, steps=steps, batch_size=20, out=out, checkpoint_every=5,
                  callbacks=callbacks, progress=False)  # fmt: skip


def test_rates_are_those_of_the_codes(vectors, tmp_path):
    method = VAE.build(vectors, 3, seed=0)
    run = trained(method, vectors, tmp_path, 10, RateWatch(5, rows=200))
    noted = read_rates(tmp_path)
    assert sorted(noted) == [0, 5, 10]
    codes = ut.encode(run.method, vectors)
    expected = ut.metrics.dimension_kl(codes.mean, codes.stddev).parts["kl"]
    np.testing.assert_allclose(noted[10], expected, atol=1e-5)


def test_a_resumed_run_has_the_notes_of_one_that_was_not_stopped(vectors, tmp_path):
    class Stop(Exception):
        pass

    class Stops:
        def on_step(self, state, losses):
            if state.position.done == 7:
                raise Stop

    whole = VAE.build(vectors, 3, seed=0)
    trained(whole, vectors, tmp_path / "whole", 12, RateWatch(3, rows=50))
    with pytest.raises(Stop):
        trained(VAE.build(vectors, 3, seed=0), vectors, tmp_path / "b", 12, RateWatch(3, rows=50),
                Stops())  # fmt: skip
    trained(VAE.build(vectors, 3, seed=0), vectors, tmp_path / "b", 12, RateWatch(3, rows=50))
    one, two = read_rates(tmp_path / "whole"), read_rates(tmp_path / "b")
    assert {0, 3, 6, 9, 12} == set(one)
    assert all(np.allclose(one[s], two[s], atol=1e-5) for s in one)
    for a, b in zip(whole.parameters(), ut.Run.load(tmp_path / "b").method.parameters(),
                    strict=True):  # fmt: skip
        assert torch.equal(a, b)  # watching changes no weight


def test_a_collapse_is_warned_of_once(vectors, tmp_path):
    method = BetaVAE.build(vectors, 3, seed=0, beta=1e4, optimizer=_fast())
    with pytest.warns(UserWarning, match=r"posterior collapse.*beta: Linear") as caught:
        trained(method, vectors, None, 300, RateWatch(20, rows=100, grace=200))
    assert sum("collapse" in str(w.message) for w in caught) == 1


def test_a_dimension_that_falls_silent_is_named():
    watch = RateWatch(1, grace=0)
    watch.noted = {0: np.array([0.5, 0.2]), 1: np.array([0.6, 0.001])}
    with pytest.warns(UserWarning, match=r"z1 fell below 0.01 nats"):
        watch._look(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch._look(1)


def _fast():
    from functools import partial

    return partial(torch.optim.Adam, lr=1e-2)


def test_frames_are_decoded_codes_and_the_report_shows_their_film(images, tmp_path):
    method = VAE.build(images, 3, seed=0, net=ut.nets.MLP([8]))
    run = trained(method, images, tmp_path, 4, TraversalFrames(2, positions=5), RateWatch(2))
    frames = read_frames(tmp_path)
    assert sorted(frames) == [0, 2, 4]
    assert frames[4].shape == (3, 5, 1, 12, 12)
    with torch.no_grad():
        z = run.method.represent(images.observations([0])).mean
        z[0, 1] = -2
        picture = (run.method.decode(z).mean[0] * 255).round()
    np.testing.assert_allclose(frames[4][1, 0], picture.numpy(), atol=1)
    text = ut.report(run, n=40, scores=False).read_text()
    assert "data:image/gif;base64" in text
    assert "Rates of dimensions" in text


def test_what_cannot_be_watched_is_said(vectors, images):
    with pytest.raises(TypeError, match="pictures of 1 or 3 channels"):
        trained(VAE.build(vectors, 2), vectors, None, 2, TraversalFrames(1))
    method = VAE.build(vectors, 2, prior=ut.distributions.LaplacePrior(2))
    with pytest.raises(TypeError, match="Gaussian posterior and a standard normal prior"):
        trained(method, vectors, None, 2, RateWatch(1))
    with pytest.raises(ValueError, match="at least 1"):
        RateWatch(0)


@pytest.mark.parametrize(
    "text", ["nothing", '{"step": 1}', '{"step": "a", "kl": [1]}', '{"step": 1, "kl": ["a"]}']
)
def test_damaged_notes_are_refused_in_a_line(tmp_path, text):
    (tmp_path / "rates.jsonl").write_text(text)
    with pytest.raises(ValueError, match=r"damaged|Expecting"):
        read_rates(tmp_path)
    with pytest.raises(ValueError, match="RateWatch"):
        read_rates(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="TraversalFrames"):
        read_frames(tmp_path)


def test_the_command_line_watches(images, tmp_path, monkeypatch, capsys):
    from untwine.cli import main

    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", x=images.observations(range(60)).numpy())
    line = "train --method VAE --method.net MLP --method.net.hidden [8] --data a.npz --steps 4"
    words = [*line.split(), "--out", "r", "--no-progress"]
    assert main([*words, "--watch", "rates,traversals", "--watch_every", "2"]) == 0
    assert sorted(read_rates("r")) == [0, 2, 4]
    assert json.loads((tmp_path / "r/rates.jsonl").read_text().splitlines()[0])["step"] == 0
    assert main([*words, "--watch", "rate"]) == 2
    assert "did you mean rates" in capsys.readouterr().err

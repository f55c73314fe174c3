"""What a training step costs, beside a plain PyTorch loop and beside other libraries.

    python benchmarks/training_step.py
    python benchmarks/training_step.py --against pythae disent --python others/bin/python

All train a beta-VAE (Bernoulli likelihood, beta 4, Adam) with the 64x64 net of Locatello et al. on
the same images in memory, each through its own data path and its own training loop. Every
contestant has a process; in each round they take turns, in rotating order, so that a slow minute
of the machine slows all of them. Reported are the medians of the rounds, and of the ratios within
them.

- ``plain`` is a hand-written loop with untwine's own nets and optimizer: what `fit` adds to them.
- ``naive`` is the loop as people write it first: default memory format, default Adam.
- ``pythae`` and ``disent`` want other versions of torch and of its companions than untwine: make
  an environment for them, ``python -m venv others && others/bin/pip install pythae disent``, or
  one for each, and name its interpreter with ``--python``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import workers

OURS = ("untwine", "plain", "naive")
OTHERS = ("pythae", "disent")
LATENT, BETA, LR, WARM = 10, 4.0, 1e-3, 3
SIZE = 4096

Round = Callable[[int], float]
"""Trains for a number of steps; returns the seconds that they took."""


def images() -> Any:
    """Squares on black, ``(N, 1, 64, 64)`` float32 of 0 and 1."""
    import torch

    generator = torch.Generator().manual_seed(0)
    corner = torch.randint(0, 48, (SIZE, 2), generator=generator)
    side = torch.randint(6, 16, (SIZE, 1), generator=generator)
    at = torch.arange(64)
    inside = (at >= corner[..., None]) & (at < (corner + side)[..., None])
    return (inside[:, 0, :, None] & inside[:, 1, None, :]).float()[:, None]


def layers() -> tuple[list[Any], list[Any]]:
    """The net, as everybody would write it: encoder (without its last layer) and decoder."""
    from torch import nn

    def down(a: int, b: int, kernel: int) -> list[nn.Module]:
        return [nn.Conv2d(a, b, kernel, 2, (kernel - 2) // 2), nn.ReLU()]

    def up(a: int, b: int) -> list[nn.Module]:
        return [nn.ConvTranspose2d(a, b, 4, 2, 1), nn.ReLU()]

    encoder = [*down(1, 32, 4), *down(32, 32, 4), *down(32, 64, 2), *down(64, 64, 2)]
    encoder += [nn.Flatten(), nn.Linear(1024, 256), nn.ReLU()]
    decoder = [nn.Linear(LATENT, 256), nn.ReLU(), nn.Linear(256, 1024), nn.ReLU()]
    decoder += [nn.Unflatten(1, (64, 4, 4)), *up(64, 64), *up(64, 32), *up(32, 32)]
    return encoder, [*decoder, nn.ConvTranspose2d(32, 1, 4, 2, 1)]


def untwine(batch: int) -> Round:
    from functools import partial

    from torch.optim import Adam

    from untwine.data import FactorDataset
    from untwine.methods import BetaVAE
    from untwine.training import fit

    class Clock:
        def on_step(self, state: Any, losses: Any) -> None:
            if state.position.step == WARM:
                self.start = time.perf_counter()
            self.stop = time.perf_counter()

    data = FactorDataset.from_arrays((images() * 255).byte().numpy())
    optimizer = partial(Adam, lr=LR, fused=True)
    method = BetaVAE.build(data, latent_dim=LATENT, beta=BETA, optimizer=optimizer)

    def run(steps: int) -> float:
        clock = Clock()
        fit(
            method,
            data,
            steps=steps + WARM,
            batch_size=batch,
            callbacks=[clock],
            progress=False,
        )
        return clock.stop - clock.start

    return run


def plain(batch: int) -> Round:
    import torch

    from untwine.nets import Locatello2019

    net = Locatello2019()
    encoder, decoder = net.encoder((1, 64, 64), 2 * LATENT), net.decoder(LATENT, (1, 64, 64))
    parameters = [*encoder.parameters(), *decoder.parameters()]
    return by_hand(encoder, decoder, torch.optim.Adam(parameters, lr=LR, fused=True), batch)


def naive(batch: int) -> Round:
    import torch
    from torch import nn

    first, last = layers()
    encoder, decoder = nn.Sequential(*first, nn.Linear(256, 2 * LATENT)), nn.Sequential(*last)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    return by_hand(encoder, decoder, torch.optim.Adam(parameters, lr=LR), batch)


def by_hand(encoder: Any, decoder: Any, optimizer: Any, batch: int) -> Round:
    """The training loop without a library."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    data = images()

    def run(steps: int) -> float:
        start = 0.0
        for step in range(steps + WARM):
            if step == WARM:
                start = time.perf_counter()
            x = data[torch.randint(len(data), (batch,))]
            mean, log_variance = encoder(x).chunk(2, 1)
            z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
            nll = binary_cross_entropy_with_logits(decoder(z), x, reduction="sum") / batch
            kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1).mean()
            loss = nll + BETA * kl
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if not loss.isfinite():
                raise ArithmeticError("the loss is not finite")
        return time.perf_counter() - start

    return run


def pythae(batch: int) -> Round:
    import torch
    from pythae.data.datasets import BaseDataset
    from pythae.models import BetaVAE, BetaVAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from torch import nn

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(*layers()[0])
            self.mean, self.scale = nn.Linear(256, LATENT), nn.Linear(256, LATENT)

        def forward(self, x: Any) -> Any:
            h = self.body(x)
            return ModelOutput(embedding=self.mean(h), log_covariance=self.scale(h))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(*layers()[1], nn.Sigmoid())

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.body(z))

    config = BetaVAEConfig(
        input_dim=(1, 64, 64), latent_dim=LATENT, reconstruction_loss="bce", beta=BETA
    )
    data, model = images(), BetaVAE(config, encoder=Encoder(), decoder=Decoder())
    settings = BaseTrainerConfig(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=batch,
        learning_rate=LR,
        no_cuda=True,
    )

    def trainer(steps: int) -> Any:
        part = data[torch.randperm(len(data))[: steps * batch]]
        made = BaseTrainer(
            model,
            train_dataset=BaseDataset(part, torch.zeros(len(part))),
            training_config=settings,
        )
        made.prepare_training()
        return made

    def run(steps: int) -> float:
        if steps * batch > len(data):
            raise ValueError(f"at most {len(data) // batch} steps: an epoch has {len(data)} images")
        trainer(WARM).train_step(1)
        measured = trainer(steps)
        start = time.perf_counter()
        measured.train_step(1)
        return time.perf_counter() - start

    return run


def without_torchvision() -> None:
    """Lets disent be imported where torchvision's extension does not fit the torch that is there.

    It is used for disent's data sets and transforms alone, none of which take part here.
    """
    import importlib.machinery
    from unittest.mock import MagicMock

    for name in ("", ".transforms", ".transforms.functional", ".datasets", ".utils", ".models"):
        module = MagicMock()
        module.__path__ = []
        module.__spec__ = importlib.machinery.ModuleSpec(f"torchvision{name}", None)
        sys.modules[f"torchvision{name}"] = module


def disent(batch: int) -> Round:
    import logging

    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        without_torchvision()
    try:
        import lightning.pytorch as lightning
    except ImportError:
        import pytorch_lightning as lightning
    from disent.frameworks.vae import BetaVae
    from disent.model import AutoEncoder, DisentDecoder, DisentEncoder
    from torch import nn
    from torch.utils.data import DataLoader

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)

    class Encoder(DisentEncoder):
        def __init__(self) -> None:
            super().__init__(x_shape=(1, 64, 64), z_size=LATENT, z_multiplier=2)
            self.model = nn.Sequential(*layers()[0], nn.Linear(256, 2 * LATENT))

        def encode(self, x: Any) -> Any:
            return self.model(x)

    class Decoder(DisentDecoder):
        def __init__(self) -> None:
            super().__init__(x_shape=(1, 64, 64), z_size=LATENT, z_multiplier=1)
            self.model = nn.Sequential(*layers()[1])

        def decode(self, z: Any) -> Any:
            return self.model(z)

    class Clock(lightning.Callback):
        start = stop = 0.0

        def on_train_batch_end(self, *arguments: Any, **named: Any) -> None:
            self.stop = time.perf_counter()
            if arguments[-1] == WARM - 1:
                self.start = self.stop

    config = BetaVae.cfg(
        optimizer="adam",
        optimizer_kwargs={"lr": LR},
        recon_loss="bce",
        loss_reduction="mean_sum",
        beta=BETA,
    )
    framework = BetaVae(model=AutoEncoder(encoder=Encoder(), decoder=Decoder()), cfg=config)
    data = [{"x_targ": (x,)} for x in images()]

    def run(steps: int) -> float:
        clock = Clock()
        trainer = lightning.Trainer(
            accelerator="cpu",
            max_steps=steps + WARM,
            callbacks=[clock],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(framework, DataLoader(data, batch_size=batch, shuffle=True))
        return clock.stop - clock.start

    return run


def contestant(name: str, batch: int, threads: int) -> None:
    """Runs a round for each number of steps that it is asked for."""
    import warnings

    def start() -> tuple[str, Round]:
        import torch

        warnings.simplefilter("ignore")
        torch.set_num_threads(threads)
        run = globals()[name](batch)
        return torch.__version__, run

    workers.serve(start)


def process(name: str, python: str, batch: int, threads: int) -> workers.Worker:
    """A contestant that waits for its turn."""
    sizes = ["--batch", str(batch), "--threads", str(threads)]
    command = [python, __file__, "--contestant", name, *sizes]
    return workers.Worker(name, command, quiet=name in OTHERS)


def compare(
    processes: dict[str, workers.Worker], rounds: int, steps: int, batch: int
) -> dict[str, Any]:
    """Images per second of each, in turns."""
    speeds: dict[str, list[float]] = {name: [] for name in processes}
    for worker in processes.values():
        worker.ask(WARM)
    for names in workers.turns(list(processes), rounds):
        for name in names:
            speeds[name].append(steps * batch / processes[name].ask(steps))
    ours = speeds["untwine"]
    return {
        name: {
            "images_per_second": round(statistics.median(theirs), 1),
            "untwine_is_faster_by": round(
                statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 3
            ),
            "rounds": [round(speed, 1) for speed in theirs],
            "torch": processes[name].ready,
        }
        for name, theirs in speeds.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--steps", type=int, default=30, help="of each contestant in a round")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--against", nargs="*", default=[], choices=OTHERS)
    parser.add_argument(
        "--python",
        nargs="*",
        default=[],
        help="the interpreter of the others, or one for each of them in the order of --against",
    )
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    parser.add_argument("--contestant", choices=OURS + OTHERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        contestant(options.contestant, options.batch, options.threads)
        return
    if len(options.python) not in (0, 1, len(options.against)):
        parser.error("give --python one interpreter, or one for each library of --against")
    pythons = options.python or [sys.executable]
    if len(pythons) == 1:
        pythons = pythons * len(options.against)
    names = [(name, sys.executable) for name in OURS]
    names += list(zip(options.against, pythons, strict=True))
    processes: dict[str, workers.Worker] = {}
    try:
        for name, python in names:
            processes[name] = process(name, python, options.batch, options.threads)
        table = compare(processes, options.rounds, options.steps, options.batch)
    except RuntimeError as error:
        raise SystemExit(f"{error}") from error
    finally:
        for worker in processes.values():
            worker.close()
    print(f"{options.threads} threads, batch {options.batch}, {options.rounds} rounds of turns")
    print(f"{'':12s}{'images/s':>10s}{'untwine is faster by':>24s}   torch")
    for name, row in table.items():
        ratio = "" if name == "untwine" else f"{row['untwine_is_faster_by']:.3f}"
        print(f"{name:12s}{row['images_per_second']:10.0f}{ratio:>24s}   {row['torch']}")
    if options.out:
        settings = {k: getattr(options, k) for k in ("threads", "batch", "rounds", "steps")}
        options.out.write_text(json.dumps({**settings, "results": table}, indent=2) + "\n")


if __name__ == "__main__":
    main()

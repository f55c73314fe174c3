"""Probe: a small net, trained on real observations, that reads factors off images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import check_size
from ..data import FactorDataset
from ..data.seeds import check_seed
from ..nets import MLP, Architecture, Conv
from .factors import FactorScale, scales_of

__all__ = ["Probe"]

_ROWS = 512


class Probe:
    r"""Reads every factor off observations; knows nothing of any method.

    A net with a head for each factor, trained on real observations: cross-entropy for names,
    squared error for places on a line and for cosine and sine of angles. How well it reads is
    measured on observations that it was not trained on.

    Args:
        net: From observations to all heads.
        scales: The factors, in the order of the heads.

    Attributes:
        scores: By factor, on held-out observations: the accuracy of names, :math:`R^2` of others.
    """

    def __init__(self, net: nn.Module, scales: Sequence[FactorScale]) -> None:
        self.net, self.scales = net, list(scales)
        self.scores: dict[str, float] = {}

    @classmethod
    def fit(
        cls,
        data: FactorDataset,
        *,
        steps: int = 1000,
        batch_size: int = 64,
        net: Architecture | None = None,
        held_out: int = 1000,
        seed: int = 0,
    ) -> Probe:
        """Trains one.

        Args:
            data: With factors; a quarter is held out at most.
            steps: Of training.
            batch_size: Of a step.
            net: Its architecture; by default a narrow one of convolutions, an MLP for vectors.
            held_out: How many observations it is judged on.
            seed: Of weights, batches and of what is held out.

        Raises:
            ValueError: for data without factors, or with fewer than eight observations.

        Example:
            >>> x = torch.rand(400, 3)
            >>> level = np.digitize(x[:, 0], [0.25, 0.5, 0.75])
            >>> probe = Probe.fit(FactorDataset.from_arrays(x, level), steps=300)
            >>> probe.read(torch.tensor([[0.1, 0.5, 0.5]])).round().astype(int).tolist()
            [[0]]
        """
        check_size("steps", steps)
        scales = scales_of(data)
        columns = [scale.column for scale in scales]
        table = data.factors[:, columns]
        complete = np.flatnonzero((table >= 0).all(axis=1))
        if len(complete) < 8:
            raise ValueError(
                f"{len(complete)} observations have all factors; expected at least 8 to read from"
            )
        rng = np.random.default_rng(check_seed(seed))
        # Of a large set few rows are ever drawn: they are chosen without ordering all of it.
        test = rng.choice(complete, min(held_out, len(complete) // 4), replace=False)
        train = complete[~np.isin(complete, test)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            heads = sum(scale.coordinates(np.zeros(1)).shape[1] for scale in scales)
            probe = cls((net or _default(data.shape)).encoder(data.shape, heads), scales)
        probe._train(data, train, table, steps, batch_size, rng)
        read = probe.read(data.observations(test))
        probe.scores = {
            scale.name: _score(scale, read[:, k], table[test, k]) for k, scale in enumerate(scales)
        }
        return probe

    @torch.no_grad()
    def read(self, x: Tensor) -> np.ndarray:
        """Values of every factor, ``(N, ...)`` to ``(N, K)``; places between levels among them."""
        self.net.eval()
        out = torch.cat([self.net(x[i : i + _ROWS].float()) for i in range(0, len(x), _ROWS)])
        values, start = [], 0
        for scale in self.scales:
            width = scale.coordinates(np.zeros(1)).shape[1]
            values.append(scale.values_of(out[:, start : start + width].double().numpy()))
            start += width
        return np.stack(values, axis=1)

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {score:.2f}" for name, score in self.scores.items())
        return f"Probe({scores} on held-out observations)"

    def _train(
        self,
        data: FactorDataset,
        rows: np.ndarray,
        table: np.ndarray,
        steps: int,
        batch_size: int,
        rng: np.random.Generator,
    ) -> None:
        optimizer = torch.optim.Adam(self.net.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 - t / (steps + 1))
        self.net.train()
        for _ in range(steps):
            chosen = rows[rng.integers(0, len(rows), min(batch_size, len(rows)))]
            out, start = self.net(data.observations(chosen)), 0
            loss = torch.zeros(())
            for k, scale in enumerate(self.scales):
                target = torch.from_numpy(scale.coordinates(table[chosen, k])).float()
                head = out[:, start : start + target.shape[1]]
                start += target.shape[1]
                if scale.kind == "nominal":
                    loss = loss + nn.functional.cross_entropy(head, target)
                else:
                    loss = loss + 10 * nn.functional.mse_loss(head, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def _default(shape: Sequence[int]) -> Architecture:
    if len(shape) == 3 and min(shape[1:]) >= 8:
        return Conv(8, (128,))
    if math.prod(shape) < 1:
        raise ValueError(f"observations of shape {tuple(shape)} are empty")
    return MLP()


def _score(scale: FactorScale, read: np.ndarray, truth: np.ndarray) -> float:
    """The accuracy of names; of others the share of the spread that is explained."""
    if scale.kind == "nominal":
        return float((read == truth).mean())
    y, guess = scale.coordinates(truth), scale.coordinates(read)
    return float(1 - ((y - guess) ** 2).sum() / max(((y - y.mean(0)) ** 2).sum(), 1e-12))

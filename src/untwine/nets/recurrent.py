"""Recurrent networks that predict the next code."""

from __future__ import annotations

from torch import Tensor, nn

from ..checks import check_size

__all__ = ["Recurrent", "State"]

State = tuple[Tensor, Tensor]
"""Hidden and cell state of every layer, each ``(layers, B, hidden)``."""


class Recurrent(nn.Module):
    """A linear embedding, LSTM layers, and a linear reading of every step.

    Args:
        inputs: Entries of a step's input.
        outputs: Entries of a step's output.
        hidden: Width of embedding and layers.
        layers: How many LSTM layers.

    Example:
        >>> import torch
        >>> net = Recurrent(4, 2, hidden=8)
        >>> y, state = net(torch.rand(5, 7, 4))
        >>> y.shape, state[0].shape
        (torch.Size([5, 7, 2]), torch.Size([2, 5, 8]))
    """

    def __init__(self, inputs: int, outputs: int, hidden: int = 256, layers: int = 2) -> None:
        super().__init__()
        for name, size in {"inputs": inputs, "outputs": outputs, "hidden": hidden}.items():
            check_size(name, size)
        self.embed = nn.Linear(inputs, hidden)
        self.lstm = nn.LSTM(hidden, hidden, layers, batch_first=True)
        self.read = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Outputs of every step, and the state after the last one.

        Args:
            x: The inputs of successive steps.
            state: After the step before the first one; zeros if there is none.

        Shape:
            x ``(B, T, inputs)``; returns ``(B, T, outputs)`` and the state.
        """
        h, state = self.lstm(self.embed(x), state)
        return self.read(h), state

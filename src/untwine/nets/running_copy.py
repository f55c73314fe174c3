"""A copy of a network whose weights follow it as an exponential moving average."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

__all__ = ["follow", "running_copy"]

Net = TypeVar("Net", bound=nn.Module)


def running_copy(net: Net) -> Net:
    """A copy of a network that no player owns: its weights are buffers.

    Example:
        >>> twin = running_copy(nn.Linear(2, 3))
        >>> list(twin.parameters()), sorted(twin.state_dict())
        ([], ['bias', 'weight'])
    """
    twin = copy.deepcopy(net)
    for module in twin.modules():
        for name, value in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, value.detach())
    return twin


@torch.no_grad()
def follow(twin: nn.Module, net: nn.Module, decay: Tensor | float) -> None:
    r"""One step of the average, in place; buffers of the network are copied.

    .. math::
        \bar\theta \leftarrow d \, \bar\theta + (1 - d) \, \theta

    Args:
        twin: What `running_copy` made, with :math:`\bar\theta`.
        net: The network, with :math:`\theta`.
        decay: :math:`d`, a number or a 0-dim tensor.
    """
    values = dict(twin.named_buffers())
    for name, value in net.named_parameters():
        values[name].copy_(value + decay * (values[name] - value))
    for name, buffer in net.named_buffers():
        values[name].copy_(buffer)

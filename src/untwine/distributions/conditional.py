"""Conditional distribution: a network and the head that its output parameterizes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.distributions import Distribution

from .likelihoods.base import Likelihood

__all__ = ["Conditional", "check_covariates", "check_observations"]


class Conditional(nn.Module):
    r"""A distribution given a tensor: :math:`c \mapsto p(\cdot \mid c)`.

    Encoders and decoders are instances: a network computes features, a head turns them into a
    distribution. Features are brought to float32 before the head, so that densities are computed
    in full precision when the network runs in bfloat16. A head that says ``takes_covariates`` is
    given the covariates, too.

    Args:
        net: ``(x[, c]) -> features``.
        head: ``features[, c] -> Distribution``: a `Posterior` or a `Likelihood`.
        covariates: How many covariates the network takes beside ``x``; ``None`` if that is not to
            be checked.
    """

    def __init__(self, net: nn.Module, head: nn.Module, covariates: int | None = None) -> None:
        super().__init__()
        self.net, self.head, self.covariates = net, head, covariates

    def forward(self, x: Tensor, c: Tensor | None = None) -> Distribution:
        """The distribution given ``x`` and, where the network takes them, covariates ``c``.

        Raises:
            ValueError: for covariates that are missing, not expected, or of another number.
        """
        check_covariates(self.covariates, c)
        return self.parameterized(self.net(x) if c is None else self.net(x, c), c)

    def parameterized(self, features: Tensor, c: Tensor | None = None) -> Distribution:
        """The distribution of the network's output, which has been computed."""
        features = features.float() if features.dtype.itemsize < 4 else features
        if getattr(self.head, "takes_covariates", False):
            return self.head(features, c)
        return self.head(features)


def check_covariates(expected: int | None, c: Tensor | None) -> None:
    """Refuses covariates that are missing, not expected, or of another number.

    Args:
        expected: How many there are; ``None`` if that is not to be checked.
        c: The covariates, ``(B, C)``.

    Raises:
        ValueError: naming both numbers, and what to do.
    """
    number = 0 if c is None else c.shape[-1]
    if expected is not None and number != expected:
        raise ValueError(_refusal(expected, number))


def check_observations(decoder: nn.Module, observations: Mapping[str, Tensor]) -> None:
    """Refuses observations that a decoder's likelihood gives no density, see `Likelihood.check`.

    A decoder that is no `Conditional` of a `Likelihood` is not asked.

    Args:
        decoder: Of a method.
        observations: By name, ``(B, ...)``.
    """
    if isinstance(decoder, Conditional) and isinstance(decoder.head, Likelihood):
        for name, x in observations.items():
            decoder.head.check(x, name)


def _refusal(expected: int, count: int) -> str:
    if not expected:
        return (
            f"{count} covariates were given, but the networks were made for data without any: "
            "leave c out"
        )
    number = "none was given" if not count else f"{count} were given"
    return (
        f"the networks take {expected} covariates beside each example, but {number}: pass c, "
        f"(B, {expected}), as in represent(x, c), decode(z, c=c) and sample(n, c=c); a data set "
        "has them as data.covariates"
    )

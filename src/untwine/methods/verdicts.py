"""Verdicts on critics from the log: accuracy, and the calibration of density ratios."""

from __future__ import annotations

from torch import Tensor

from ..functional import critic_accuracy, ratio_calibration
from ..functional.adversarial import Form
from .loss import Loss

__all__ = ["verdicts"]


def verdicts(real: Tensor, fake: Tensor, form: Form = "non_saturating") -> Loss:
    """Terms of weight 0 that say how a critic does.

    ``accuracy`` is `functional.critic_accuracy`, ``calibration`` is `functional.ratio_calibration`.
    The logits of a hinge loss are no density ratio, and the sign of those of a Wasserstein loss
    says nothing.

    Args:
        real: The critic's logits of real examples, ``(B, ...)``.
        fake: Those of fake ones.
        form: The loss that the critic minimizes, see `functional.critic_losses`.
    """
    terms: dict[str, tuple[float, Tensor]] = {}
    if form != "wasserstein":
        terms["accuracy"] = (0.0, critic_accuracy(real, fake))
    if form == "non_saturating":
        terms["calibration"] = (0.0, ratio_calibration(fake))
    return Loss(**terms)

"""A diagnosis: what a model's code does, and why, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from ..checks import check_size
from ..data import FactorDataset, Multimodal
from ..data.batches import Batch
from ..methods.abilities import Represents
from .activity import Activity, activity_of
from .elbo import ElboParts, elbo_parts_of
from .estimates import Estimate, Finding
from .models import NoDensity, beta_of, encode_for
from .orthogonality import Orthogonality, orthogonality_of

__all__ = ["Diagnosis", "diagnose"]

_NOTHING = 0.01  # nats: less is called nothing


@dataclass(frozen=True, repr=False)
class Diagnosis(Finding):
    r"""What was found; what could not be has a reason in ``missing``, by its name.

    Attributes:
        model: What the model is called.
        activity: Which dimensions are used.
        orthogonality: Columns of the Jacobian and the seam gap.
        elbo: The parts of the ELBO.
        beta: :math:`\beta`; ``None`` where the method has no single one: 1 was taken.
        missing: Why a part is missing.
    """

    model: str
    activity: Activity | None
    orthogonality: Orthogonality | None
    elbo: ElboParts | None
    beta: float | None
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """The most important findings in one sentence."""
        parts = []
        if self.activity is not None:
            parts.append(self.activity.summary)
        found = self.orthogonality
        if found is not None and len(found.dims) > 1:
            parts.append(f"columns cross by {found.angle:.0f} degrees")
            gap = found.gap
            if gap.value < _NOTHING:
                parts.append("diagonal posteriors cost nothing")
            else:
                would = "cost" if found.diagonal else "would cost"
                cost = f"diagonal posteriors {would} {gap.value:.2g} nats"
                remedy = _remedy(found)
                joint = ", " if remedy.startswith("which") else "; "
                parts.append(f"{cost}{joint}{remedy}")
        if not parts:
            return f"{self.model} cannot be diagnosed: {'; '.join(self.missing.values())}"
        return "; ".join(parts) + "."

    def __str__(self) -> str:
        lines = [self.verdict]
        for part in (self.activity, self.orthogonality, self.elbo):
            if part is not None:
                lines += ["", *str(part).split("\n")]
        lines += [f"\nNot said: {name} ({reason})." for name, reason in self.missing.items()]
        if self.beta is None:
            lines.append("\nThe method has no single beta: 1 was taken.")
        return "\n".join(lines)


def diagnose(
    model: Represents,
    data: FactorDataset | Multimodal | Batch | Tensor,
    *,
    n: int = 500,
    beta: float | None = None,
    samples: int = 4,
    seed: int = 0,
) -> Diagnosis:
    """Diagnoses a trained model: which dimensions it uses, whether they cross, what that costs.

    Args:
        model: Anything with ``represent``, ``decode`` and ``prior``.
        data: See `encode_for`.
        n: How many observations.
        beta: The weight of the KL divergence in training; by default what the method says.
        samples: Of each posterior, for the parts of the ELBO.
        seed: Of observations and samples.

    Raises:
        NoDensity: for a model of which nothing can be said, with the reason.

    Example:
        >>> import torch
        >>> from untwine.data import FactorDataset
        >>> from untwine.methods import VAE
        >>> data = FactorDataset.from_arrays(torch.rand(60, 7))
        >>> found = diagnose(VAE.build(data, latent_dim=3, seed=0), data)
        >>> found.verdict.split(";")[0]
        '0 of 3 dimensions are used.'
    """
    check_size("n", n, least=2)
    encoded = encode_for(model, data, n, seed)
    weight = beta_of(model) if beta is None else beta
    missing: dict[str, str] = {}
    active = orthogonal = None
    try:
        active = activity_of(encoded, beta=weight or 1.0)
    except NoDensity as error:
        missing["dimensions in use"] = str(error)
    try:
        orthogonal = orthogonality_of(
            encoded, beta=weight or 1.0, dims=None if active is None else active.active
        )
    except (NoDensity, TypeError) as error:
        missing["the seam gap"] = str(error)
    parts = elbo_parts_of(encoded, samples=samples, seed=seed)
    return Diagnosis(type(model).__name__, active, orthogonal, parts, weight, missing)


def _remedy(found: Orthogonality) -> str:
    """What a rotation of the code would do to the seam gap."""
    left, gap = Estimate.of(found.rotated).value, found.gap.value
    if found.turn is None:
        return "which no rotation changes"
    i, j = found.turn.dims
    if left < max(_NOTHING, 0.1 * gap):
        return f"rotating z{i} and z{j} by {found.turn.degrees:.0f} degrees would remove it"
    if left < 0.9 * gap:
        return (
            f"rotating the code (z{i} and z{j} by {found.turn.degrees:.0f} degrees) would leave "
            f"{left:.2g}"
        )
    return "which no single rotation would remove: directions change from place to place"

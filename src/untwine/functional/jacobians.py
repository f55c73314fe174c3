"""Jacobians of decoders, column by column, and what their Gram matrices say of their columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = [
    "column_cosines",
    "gram",
    "ima_contrast",
    "jacobian",
    "orthogonal_jacobian",
    "seam_gap",
    "signed_permutation_distance",
]

_LEAST = 1e-12
_NO_FORWARD = ("forward AD", "forward mode", "autograd.Function", "jvp")  # what torch says


def jacobian(f: Callable[[Tensor], Tensor], z: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    r"""The Jacobian of a function of codes, example by example, in forward mode.

    .. math::
        J_{mj}(z) = \frac{\partial f_m(z)}{\partial z_j}

    One forward-mode product per column serves all examples at once, so that any module will do
    whose examples do not see each other; gradients flow through the result.

    Args:
        f: ``(B, D)`` to ``(B, ...)``.
        z: Where, ``(B, D)``.
        dims: Which columns; by default all.

    Returns:
        ``(B, M, D)``, the outputs of each example in one row.

    Raises:
        TypeError: if the function has no derivative in forward mode.

    Example:
        >>> z = torch.tensor([[2.0, 3.0]])
        >>> jacobian(lambda z: torch.stack([z[:, 0] * z[:, 1], z[:, 1]], 1), z)[0].tolist()
        [[3.0, 2.0], [0.0, 1.0]]
    """
    columns = []
    for j in range(z.shape[1]) if dims is None else dims:
        direction = torch.zeros_like(z)
        direction[:, j] = 1.0
        try:
            columns.append(torch.func.jvp(f, (z,), (direction,))[1].flatten(1))
        except (NotImplementedError, RuntimeError) as error:
            if not any(word in str(error) for word in _NO_FORWARD):
                raise
            text = str(error).partition("\n")[0]
            raise TypeError(
                f"the decoder has a layer without a derivative in forward mode ({text}): give one "
                "that is made of torch's own functions"
            ) from error
    return torch.stack(columns, -1)


def gram(
    f: Callable[[Tensor], Tensor],
    z: Tensor,
    weight: Tensor | float = 1.0,
    dims: Sequence[int] | None = None,
) -> Tensor:
    r"""The Gram matrix of a function's Jacobian, :math:`J^\top F J` with a diagonal F.

    Args:
        f: ``(B, D)`` to ``(B, ...)``.
        z: Where, ``(B, D)``.
        weight: The diagonal of F, of the shape of the function's values, or one number.
        dims: Which columns; by default all.

    Returns:
        ``(B, D, D)``.

    Example:
        >>> gram(lambda z: z @ torch.tensor([[3.0, 4.0]]), torch.zeros(1, 1), 2.0).item()
        50.0
    """
    columns = jacobian(f, z, dims)
    scaled = columns * (weight.flatten(1).unsqueeze(-1) if isinstance(weight, Tensor) else weight)
    return columns.mT @ scaled


def column_cosines(grams: Tensor) -> Tensor:
    r"""Cosines of the angles between columns, :math:`G_{ij} / \sqrt{G_{ii} G_{jj}}`.

    Args:
        grams: Gram matrices of the columns, ``(..., D, D)``.

    Returns:
        ``(..., D, D)``; 0 beside a column that is zero.

    Example:
        >>> column_cosines(torch.tensor([[4.0, 2.0], [2.0, 4.0]])).tolist()
        [[1.0, 0.5], [0.5, 1.0]]
    """
    norms = grams.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
    scale = norms.unsqueeze(-1) * norms.unsqueeze(-2)
    return torch.where(scale > 0, grams / scale.clamp(min=torch.finfo(grams.dtype).tiny), 0.0)


def seam_gap(precision: Tensor) -> Tensor:
    r"""What a Gaussian with independent dimensions costs where the posterior has this precision.

    .. math::
        \tfrac12 \Big( \sum_j \log P_{jj} - \log \det P \Big)
        = \min_{D \text{ diagonal}} D_{KL}\big( \mathcal{N}(\mu, D) \,\|\,
        \mathcal{N}(\mu, P^{-1}) \big)

    0 if and only if P is diagonal (Hadamard). With :math:`P = I + J^\top J / (\beta \sigma^2)` it
    is the price of a diagonal posterior, exactly for a linear decoder.

    Args:
        precision: :math:`P`, ``(..., D, D)``, positive definite.

    Returns:
        ``(...)``, nats.

    References:
        Rolinek, Zietlow, Martius, "Variational Autoencoders Pursue PCA Directions (by Accident)",
        2019, https://arxiv.org/abs/1812.06775; Kumar, Poole, "On Implicit
        Regularization in beta-VAEs", 2020, https://arxiv.org/abs/2002.00041.

    Example:
        >>> round(seam_gap(torch.tensor([[2.0, 1.0], [1.0, 2.0]])).item(), 4)
        0.1438
    """
    diagonal = precision.diagonal(dim1=-2, dim2=-1)
    # Scaled to a unit diagonal first: large precisions would cost digits.
    scale = diagonal.rsqrt()
    unit = precision * scale.unsqueeze(-1) * scale.unsqueeze(-2)
    return -torch.linalg.cholesky_ex(unit)[0].diagonal(dim1=-2, dim2=-1).log().sum(-1)


def ima_contrast(grams: Tensor) -> Tensor:
    r"""The contrast of independent mechanism analysis, of the columns of a Jacobian.

    .. math::
        c_{IMA} = \sum_j \log \| J_{:j} \| - \tfrac12 \log \det J^\top J

    0 if and only if the columns are orthogonal; infinite where they are dependent. It is the limit
    of the `seam_gap` for :math:`\sigma \to 0`.

    Args:
        grams: :math:`J^\top J`, ``(..., D, D)``.

    Returns:
        ``(...)``, nats.

    References:
        Gresele, von Kügelgen, Stimper, Schölkopf, Besserve, "Independent mechanism analysis, a new
        concept?", 2021, https://arxiv.org/abs/2106.05200; Reizinger et al.,
        "Embrace the Gap: VAEs Perform Independent Mechanism Analysis", 2022,
        https://arxiv.org/abs/2206.02416

    Example:
        >>> round(ima_contrast(torch.tensor([[4.0, 3.0], [3.0, 9.0]])).item(), 4)
        0.1438
    """
    cosines = column_cosines(grams)
    return -0.5 * torch.linalg.slogdet(cosines)[1]


def signed_permutation_distance(rotation: Tensor) -> Tensor:
    r"""How far orthogonal matrices are from permutations with signs.

    .. math::
        \min_{\Pi} \| V - \Pi \|_F

    Args:
        rotation: :math:`V`, ``(..., D, D)``.

    Returns:
        ``(...)``, from 0 to :math:`\sqrt{2 D}`.

    References:
        Rolinek, Zietlow, Martius, "Variational Autoencoders Pursue PCA Directions (by Accident)",
        2019, https://arxiv.org/abs/1812.06775 (there the distance to orthogonality).

    Example:
        >>> signed_permutation_distance(torch.tensor([[0.0, -1.0], [1.0, 0.0]])).item()
        0.0
    """
    from scipy.optimize import linear_sum_assignment

    flat = (
        rotation.detach().double().cpu().flatten(0, -3)
        if rotation.ndim > 2
        else (rotation.detach().double().cpu().unsqueeze(0))
    )
    best = [float(v[linear_sum_assignment(v.numpy(), maximize=True)].sum()) for v in flat.abs()]
    square = flat.square().sum((-2, -1)) + flat.shape[-1] - 2 * flat.new_tensor(best)
    return square.clamp(min=0).sqrt().to(rotation).reshape(rotation.shape[:-2])


def orthogonal_jacobian(grams: Tensor) -> Tensor:
    r"""The mean squared cosine between two different columns, one value per example.

    .. math::
        \frac{1}{D (D - 1)} \sum_{i \ne j} \cos^2(J_{:i}, J_{:j})

    Shape: ``(B, D, D)`` to ``(B,)``.

    Example:
        >>> orthogonal_jacobian(torch.tensor([[[4.0, 2.0], [2.0, 4.0]]])).item()
        0.25
    """
    dim = grams.shape[-1]
    norms = grams.diagonal(dim1=-2, dim2=-1)
    square = grams**2 / (norms.unsqueeze(-1) * norms.unsqueeze(-2) + _LEAST)
    off = square.sum((-2, -1)) - square.diagonal(dim1=-2, dim2=-1).sum(-1)
    return off / max(dim * (dim - 1), 1)

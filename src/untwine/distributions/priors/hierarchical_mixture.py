"""Hierarchical Gaussian-mixture prior, with mixtures at every level of a tree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import (
    Categorical,
    Distribution,
    MixtureSameFamily,
)

from ...checks import check_scale, check_size
from ..gaussians import diagonal_normal
from ..levels import Levels
from .clustered import ClusteredPrior, kmeans, one_of
from .trees import TreeTables, agglomerated, balanced, leaves, parents

__all__ = ["HierarchicalMixture"]


class HierarchicalMixture(ClusteredPrior):
    r"""Gaussian mixtures at every level of a tree, whose upper means follow from the leaves'.

    .. math::
        \mu_n = \frac{1}{|C(n)|} \sum_{c \in C(n)} \mu_c
        \;\Big( = \frac{\mu_a + \mu_b}{2} \text{ in a binary tree} \Big), \qquad
        p_l(z) = \sum_{n \in l} \pi_n \, \mathcal{N}(z; \mu_n, \mathrm{diag}(\sigma_n^2)), \quad
        \pi_n = \sum_{k \text{ below } n} \pi_k

    Leaf means are learned; those above are computed from them at each use, so that the average
    holds at all times, and a gradient at an upper node moves all leaves below it. Level l holds
    the nodes of depth l, and leaves that end above it, so that every level covers all clusters.
    The levels' densities are put together in one of two ways, with weights of sum one:

    .. math::
        \text{geometric: } \log \tilde p(z) = \sum_l w_l \log p_l(z), \qquad
        \text{mixture: } p(z) = \sum_l w_l \, p_l(z)

    The weighted sum of log densities is a geometric mean of densities. Its integral is at most one
    (Hölder's inequality), and below one wherever levels differ, so that it is not normalized, but
    :math:`-\log \tilde p \ge -\log p` for the density p that normalizes it: with it the loss is
    still an upper bound of :math:`-\log p(x)`, looser by `log_normalizer`. Every level is felt
    everywhere: a code is drawn to its upper node even if its leaf explains it. The mixture is
    normalized; a code that its leaf explains hardly feels the upper nodes.

    Args:
        latent_dim: :math:`D`.
        tree: Nested sequences of leaf numbers, as ``[[0, 1], [2, [3, 4]]]``, with any number of
            children (`tree_from_merges` makes one of a list of merges); or the number of leaves,
            for a binary tree that is halved at every node.
        agglomerate: Whether the tree is found at the start of training, by joining the nearest
            leaf means first; by ``"average"`` linkage (that is what ``True`` means), ``"ward"``,
            which makes more even trees, or ``"complete"``. ``tree`` is then a number of leaves.
        upper: The sum of :math:`w_l` over the levels above the leaves, which share it equally.
            With 0, and with a tree of depth one, this is a plain mixture.
        level_weights: :math:`w_l` from the top to the leaves, instead of ``upper``.
        root: Whether the top level is the root, one Gaussian around the average of everything;
            else it is the root's children.
        combine: ``"geometric"`` or ``"mixture"``, see above.
        sigma: The scale of every component, kept fixed; or ``"trainable"``, one for each node and
            dimension, from 1 on.
        init: Leaf means at the start: ``"random"``; ``"data"``, codes of examples; ``"kmeans"``,
            centers of the codes' clusters, with their shares as weights and, where sigma is
            trainable, every node's spread of the codes below it.
        spread: Standard deviation of random leaf means.

    Raises:
        ValueError: for a tree that does not number its leaves from 0 on without gaps, weights
            that do not fit it, or settings out of range.

    Example:
        >>> prior = HierarchicalMixture(2, [[0, 1], [2, 3]])
        >>> prior.levels
        [[(0, 1), (2, 3)], [(0,), (1,), (2,), (3,)]]
        >>> upper = prior.node_means()[4]
        >>> torch.equal(upper, (prior.loc[0] + prior.loc[1]) / 2)
        True
    """

    averaging: Tensor
    """``(M, K)``: a node's mean as an average of leaf means."""
    members: Tensor
    """``(M, K)``: one where a leaf is below a node, or is it."""
    present: Tensor
    """``(L, M)``: one where a node is in a level."""
    level_weights: Tensor
    """``(L,)``; zero for the rows beyond the leaves, which a learned tree has in store."""
    parents: Tensor
    """``(M,)``: each node's parent, -1 at the top."""

    def __init__(
        self,
        latent_dim: int,
        tree: int | Sequence[Any] = 8,
        *,
        agglomerate: bool | Literal["average", "ward", "complete"] = False,
        upper: float = 0.5,
        level_weights: Sequence[float] | None = None,
        root: bool = False,
        combine: Literal["geometric", "mixture"] = "geometric",
        sigma: float | Literal["trainable"] = 1.0,
        init: Literal["random", "data", "kmeans"] = "random",
        spread: float = 1.0,
    ) -> None:
        super().__init__()
        check_size("latent_dim", latent_dim)
        check_scale("spread", spread, zero=True)
        one_of("combine", combine, ("geometric", "mixture"))
        one_of("init", init, ("random", "data", "kmeans"))
        if isinstance(sigma, str):
            one_of("sigma", sigma, ("trainable",))
        elif not 0 < sigma < math.inf:
            raise ValueError(f"sigma is {sigma}; expected a positive number or 'trainable'")
        if not 0 <= upper <= 1:
            raise ValueError(f"upper is {upper}; expected a share of the weights from 0 to 1")
        if agglomerate and (level_weights is not None or not isinstance(tree, int)):
            raise ValueError(
                "agglomerate=True finds the tree itself: give tree the number of leaves, and "
                "upper instead of level_weights, since the number of levels is not known before"
            )
        nesting = balanced(tree) if isinstance(tree, int) else tree
        names = leaves(nesting)
        k = len(names)
        if sorted(names) != list(range(k)) or k < 1:
            raise ValueError(f"the leaves of a tree are 0, 1, ... each once; got {sorted(names)}")
        if isinstance(agglomerate, str):
            one_of("agglomerate", agglomerate, ("average", "ward", "complete"))
        self.linkage = agglomerate if isinstance(agglomerate, str) else "average"
        self.agglomerate, self.combine, self.root = bool(agglomerate), combine, root
        self.sigma, self.init, self.upper = sigma, init, upper
        self.weights = None if level_weights is None else [float(w) for w in level_weights]
        self.logits = nn.Parameter(torch.zeros(k))
        self.loc = nn.Parameter(spread * torch.randn(k, latent_dim))
        self._plant(parents(nesting))
        learned = isinstance(sigma, str)
        nodes = len(self.parents)
        self.log_scale = nn.Parameter(torch.zeros(nodes, latent_dim)) if learned else None

    def forward(self) -> Levels:
        """The prior."""
        return Levels(
            self.node_log_weights(),
            self._gaussians(),
            self.present,
            self.level_weights,
            self.combine,
        )

    def node_means(self) -> Tensor:
        """Means of all nodes, ``(M, D)``: leaves first, then upper nodes, children before parents.

        An upper node's is computed as the average of its children's, here and nowhere else.
        """
        return self.averaging @ self.loc

    def node_log_weights(self) -> Tensor:
        """Log weights of all nodes, ``(M,)``: an upper node has those of the leaves below it."""
        return torch.logsumexp(self.logits.log_softmax(-1) + self.members.log(), -1)

    def node_scales(self) -> Tensor:
        """Scales of all nodes, ``(M, D)``."""
        if self.log_scale is not None:
            return self.log_scale.exp()
        return self.loc.new_full((len(self.averaging), self.loc.shape[1]), float(self.sigma))

    def each(self) -> Distribution:
        """The leaves, batch shape ``(K,)``."""
        return diagonal_normal(self.loc, self.node_scales()[: len(self.loc)])

    def log_joint(self, z: Tensor) -> Tensor:
        """Of the leaves, see `ClusteredPrior`: their level is a mixture on its own."""
        return self.each().log_prob(z.unsqueeze(-2)) + self.logits.log_softmax(-1)

    def components(self) -> tuple[Tensor, Tensor]:
        """Weights and means of the leaves."""
        return self.logits.softmax(-1), self.loc

    def responsibilities(self, z: Tensor, level: int = -1) -> Tensor:
        """Soft assignments to the nodes of a level, in the order of `levels`.

        Those of an upper node are the sum of those of the leaves below it, so that an example is
        never in a leaf but outside of the node above.

        Args:
            z: Codes, ``(B, D)``.
            level: Counted from the top; the leaves are the last, -1.

        Shape: ``(B, nodes of the level)``; rows sum to one.
        """
        members = self.loc.new_zeros(len(self.levels[level]), len(self.loc))
        for row, node in zip(members, self.levels[level], strict=True):
            row[list(node)] = 1.0
        return super().responsibilities(z) @ members.mT

    @property
    def levels(self) -> list[list[tuple[int, ...]]]:
        """From the top to the leaves: each level's nodes, a node as the leaves below it."""
        nodes: list[list[tuple[int, ...]]] = []
        for row in self._nodes:
            level = [tuple(np.flatnonzero(self._below[n]).tolist()) for n in row]
            nodes.append(sorted(level))
            if len(level) == len(self.loc):
                break
        return nodes

    def level(self, level: int = -1) -> MixtureSameFamily:
        """The mixture :math:`p_l` of one level alone, counted from the top."""
        rows = torch.as_tensor(self._nodes[: len(self.levels)][level], device=self.loc.device)
        return MixtureSameFamily(
            Categorical(logits=self.node_log_weights()[rows], validate_args=False),
            diagonal_normal(self.node_means()[rows], self.node_scales()[rows]),
            validate_args=False,
        )

    @property
    def starts(self) -> bool:
        """Whether leaf means or the tree wait for codes."""
        return self.init != "random" or self.agglomerate

    @torch.no_grad()
    def start(self, codes: Tensor) -> None:
        """Puts the leaves where the codes are, and joins them to a tree, as the settings say.

        Raises:
            ValueError: for fewer codes than leaves.
        """
        k = len(self.loc)
        if len(codes) < k:
            raise ValueError(f"{k} leaves cannot start from {len(codes)} codes")
        if self.init == "data":
            self.loc.copy_(codes[torch.randperm(len(codes))[:k].to(codes.device)])
        elif self.init == "kmeans":
            labels, centers = kmeans(codes, k)
            self.loc.copy_(centers)
            self.logits.copy_((torch.bincount(labels, minlength=k) / len(labels)).log())
        if self.agglomerate and k > 2:
            means = self.loc.cpu().double().numpy()
            self._plant(parents(agglomerated(means, self.linkage)))
        if self.init == "kmeans" and self.log_scale is not None:
            below = self.members.mT[labels]  # (N, M): whether a code is below a node
            apart = codes - self.node_means()[:, None]  # (M, N, D)
            variance = torch.einsum("nm,mnd->md", below, apart**2) / below.sum(0)[:, None]
            # A little of the codes' variance, so that a node of a single code has a scale.
            self.log_scale.copy_(0.5 * (variance + 1e-6 * codes.var(0)).log())

    def log_normalizer(self, samples: int = 10_000) -> float:
        r"""Estimate of :math:`\log \int \tilde p(z) \, dz`, at most 0; 0 exactly for a mixture."""
        with torch.no_grad():
            prior = self()
            if prior.combine == "mixture":
                return 0.0
            parent = Levels(
                prior.log_weights, prior.gaussians, prior.present, prior.level_weights, "mixture"
            )
            z = parent.sample((samples,))
            return float(torch.logsumexp(prior.log_prob(z) - parent.log_prob(z), 0)) - float(
                np.log(samples)
            )

    def _gaussians(self) -> Distribution:
        return diagonal_normal(self.node_means(), self.node_scales())

    @property
    def _below(self) -> np.ndarray:
        return self.members.cpu().numpy() > 0

    @property
    def _nodes(self) -> list[list[int]]:
        """Rows of `present` as lists of nodes."""
        return [np.flatnonzero(row).tolist() for row in self.present.cpu().numpy()]

    def _plant(self, above: Sequence[int]) -> None:
        """Makes the tensors of a tree, from every node's parent (children before parents)."""
        tree = TreeTables(above, root=self.root, store=self.agglomerate)
        weights = tree.weights(self.upper, self.weights)
        tensors = {
            "averaging": torch.tensor(tree.averaging, dtype=self.loc.dtype),
            "members": torch.tensor(tree.members, dtype=self.loc.dtype),
            "present": torch.tensor(tree.present, dtype=self.loc.dtype),
            "level_weights": torch.tensor(weights, dtype=self.loc.dtype),
            "parents": torch.tensor(tree.parents),
        }
        for name, value in tensors.items():
            if name in self._buffers:  # in place: a captured step and other processes hold them
                getattr(self, name).copy_(value)
            else:
                self.register_buffer(name, value)

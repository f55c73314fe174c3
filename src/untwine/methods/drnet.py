"""DrNet: what stays in a clip and what moves, told apart by a critic; then what moves, foretold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.optim import Adam

from ..checks import check_size
from ..data.batches import Batch, Clips
from ..distributions import Blocks, Conditional, Likelihood, Point
from ..distributions.conditional import check_observations
from ..distributions.likelihoods import Bernoulli, Gaussian
from ..functional import Schedule, at, cross_entropy_to, cross_entropy_to_uniform
from ..nets import Architecture, Recurrent, default_architecture, mlp_critic
from .loss import Loss
from .method import Context, MakeOptimizer, Moves, Observations, Player, Stage
from .swaps import Swaps, swap_grid

if TYPE_CHECKING:
    from ..data import FactorDataset, Sampler

__all__ = ["DrNet"]


class DrNet(Swaps):
    r"""Disentangled representation net: a content code and a pose code of every frame of a clip.

    Stage ``disentangle``: a frame is decoded from the content of one frame and the pose of another,
    contents of a clip are drawn together, and a scene critic C, which tells from two poses
    whether they are of the same clip, must be left undecided by the pose encoder:

    .. math::
        \min_{E_c, E_p, D} \; -\log p(x^{t'} \mid D(E_c(x^t), E_p(x^{t'})))
        + \alpha \, \| E_c(x^t) - E_c(x^{t'}) \|^2
        + \beta \left( -\tfrac12 \log C(E_p(x^t), E_p(x^{t'}))
        - \tfrac12 \log (1 - C(E_p(x^t), E_p(x^{t'}))) \right)

        \min_C \; -\log C(E_p(x_i^t), E_p(x_i^{t'})) - \log (1 - C(E_p(x_i^t), E_p(x_j^{t'})))

    for frames t and t' of clip i, drawn uniformly, and another clip j of the batch. Stage
    ``predict``: an LSTM learns to foretell poses; it sees the first n poses of a clip, and from
    then on what it foretold itself:

    .. math::
        \hat h^t = \mathrm{LSTM}(\tilde h^{t-1}, E_c(x^n)), \quad
        \min \sum_{t=2}^{T} \| \hat h^t - E_p(x^t) \|^2, \quad
        \tilde h^t = E_p(x^t) \text{ if } t \le n, \text{ else } \hat h^t

    Args:
        content_encoder: ``frame -> (B, content_dim)``.
        pose_encoder: ``frame -> (B, pose_dim)``.
        decoder: ``(B, content_dim + pose_dim) -> p(frame | content, pose)``.
        critic: ``(B, 2 pose_dim) -> (B, 2)`` logits: same clip, different clips.
        predictor: A `nets.Recurrent` from pose and content to the next pose.
        shape: Of one frame.
        content_dim: The number of content dimensions.
        pose_dim: The number of pose dimensions.
        time: Name of the factor that is time, or ``None`` where an observation is a clip.
        length: Frames of a clip, with ``time``.
        alpha: :math:`\alpha`, the weight of the similarity of contents; a number or a schedule.
        beta: :math:`\beta`, the weight of the adversarial loss; a number or a schedule.
        observed: The poses that the LSTM sees in training, n; half of the clip by default.
        optimizer: Of encoders and decoder; called with their parameters.
        critic_optimizer: Of the scene critic.
        predictor_optimizer: Of the LSTM.

    References:
        Denton, Birodkar, "Unsupervised Learning of Disentangled Representations from Video", 2017,
        https://arxiv.org/abs/1705.10915, equations 1 to 5 and section 3.1.

    Deviations:
        The reconstruction is a log-likelihood (the paper's squared error is
        `distributions.Gaussian`, twice); the decoder sees codes alone, without skip connections
        from the content encoder. Codes are batch-normalized, without the scale and shift that the
        released code learns and without its tanh, so that no code can shrink or saturate. The
        critic's different clips are neighbors in the batch; both frames of a pair bring gradients.
    """

    supervision = Clips
    of_rows, of_columns = "content", "pose"
    without_covariates = "what a clip has in common is its content"

    def __init__(
        self,
        content_encoder: nn.Module,
        pose_encoder: nn.Module,
        decoder: nn.Module,
        critic: nn.Module,
        predictor: nn.Module,
        shape: Sequence[int],
        *,
        content_dim: int,
        pose_dim: int,
        time: str | None = None,
        length: int | None = None,
        alpha: float | Schedule = 1.0,
        beta: float | Schedule = 30.0,
        observed: int | None = None,
        optimizer: MakeOptimizer = partial(Adam, lr=1e-3, betas=(0.5, 0.999), fused=True),
        critic_optimizer: MakeOptimizer = partial(Adam, lr=1e-3, betas=(0.5, 0.999), fused=True),
        predictor_optimizer: MakeOptimizer = partial(Adam, lr=1e-3, fused=True),
    ) -> None:
        super().__init__()
        if observed is not None:
            check_size("observed", observed)
        if length is not None:
            check_size("length", length, least=2)
        self.content_encoder, self.pose_encoder = content_encoder, pose_encoder
        self.decoder, self.critic, self.predictor = decoder, critic, predictor
        self.shape = tuple(shape)
        self.content_dim, self.pose_dim = content_dim, pose_dim
        self.time, self.length = time, length
        self.alpha, self.beta, self.observed = alpha, beta, observed
        self.optimizer, self.critic_optimizer = optimizer, critic_optimizer
        self.predictor_optimizer = predictor_optimizer

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        content_dim: int = 32,
        time: str | None = None,
        length: int | None = None,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        critic_width: int = 256,
        predictor_width: int = 256,
    ) -> dict[str, object]:
        """Networks that fit the frames of the data.

        Args:
            data: Clips, ``(T, C, H, W)`` or ``(T, F)`` each; or frames, one of whose factors is
                time.
            latent_dim: The number of pose dimensions.
            content_dim: The number of content dimensions.
            time: Name of the factor that is time, for data of frames; by default the last one.
            length: Frames of a clip, for data of frames; by default as many as ``time`` has values,
                but at most 10.
            net: The architecture of encoders and decoder.
            likelihood: The family of p(frame | content, pose), see `Model.of`.
            critic_width: Width of the scene critic's two hidden layers.
            predictor_width: Width of the LSTM's two layers.

        Raises:
            ValueError: for frames without a factor that could be time, and for ``time`` or
                ``length`` where the data has clips.
        """
        from ..data import Frames

        frames = data
        if len(data.shape) in (2, 4):
            frames = Frames(data)
            if time is not None or length is not None:
                raise ValueError(
                    f"each observation, of shape {data.shape}, is a clip already: leave time and "
                    "length out"
                )
            shape = data.shape[1:]
        else:
            if not data.space.names:
                raise ValueError(
                    f"observations of shape {data.shape} are frames, and no factor says when they "
                    "were taken: give clips (N, T, ...), or frames with a factor that is time "
                    "(data.Scenes makes them of a list of clips)"
                )
            time = data.space.names[-1] if time is None else time
            size = data.space.sizes[data.space.position(time)]
            shape, length = data.shape, min(size, 10) if length is None else length
        net = default_architecture(shape) if net is None else net
        if likelihood is None:
            likelihood = Bernoulli() if len(shape) == 3 else Gaussian()
        likelihood = likelihood.adapted(frames)
        codes = content_dim + latent_dim
        return {
            "content_encoder": _whitened(net.encoder(shape, content_dim), content_dim),
            "pose_encoder": _whitened(net.encoder(shape, latent_dim), latent_dim),
            "decoder": Conditional(net.decoder(codes, likelihood.features(shape)), likelihood),
            "critic": mlp_critic(2 * latent_dim, critic_width, depth=2),
            "predictor": Recurrent(codes, latent_dim, predictor_width),
            "shape": shape,
            "content_dim": content_dim,
            "pose_dim": latent_dim,
            "time": time,
            "length": length,
        }

    def check_batch(self, batch: Batch) -> None:
        """Refuses observations that p(x|z) gives no density."""
        check_observations(self.decoder, batch.observations())

    def sampler(self) -> Sampler:
        """Clips as they are, or cut out of frames along the factor that is time."""
        from ..data import ClipsSampler

        return ClipsSampler(self.time, self.length)

    def players(self) -> Mapping[str, Player]:
        """Encoders with decoder, scene critic, LSTM."""
        own = (self.content_encoder, self.pose_encoder, self.decoder)
        return {
            "codes": Player(own, self.optimizer),
            "critic": Player((self.critic,), self.critic_optimizer),
            "predictor": Player((self.predictor,), self.predictor_optimizer),
        }

    def stages(self) -> tuple[Stage, ...]:
        """First the codes, then how poses go on."""
        return (
            Stage("disentangle", self.moves, players=("codes", "critic")),
            Stage("predict", self.foretell, players=("predictor",)),
        )

    def represent(self, batch: Batch | Observations) -> Distribution:
        """Content and pose, points in blocks of these names.

        Shape:
            Frames ``(B, ...)`` to ``(B, content_dim + pose_dim)``; clips ``(B, T, ...)`` to
            ``(B, content_dim + T pose_dim)``: the mean of the frames' contents, and all poses.
        """
        x = Batch.of(batch).tensor
        if x.ndim == len(self.shape) + 1:
            content, pose = self.content_encoder(x), self.pose_encoder(x)
        else:
            content = self._frames(self.content_encoder, x).mean(1)
            pose = self._frames(self.pose_encoder, x).flatten(1)
        return Blocks({"content": Point(content), "pose": Point(pose)})

    def decode(
        self, z: Tensor, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """p(frame | content, pose) of codes as `represent` returns them, of frames or of clips."""
        dim = z.shape[-1] - self.content_dim
        if dim == self.pose_dim:
            return self.decoder(z)
        if dim < self.pose_dim or dim % self.pose_dim:
            raise ValueError(
                f"codes have {z.shape[-1]} dimensions; expected {self.content_dim} of content and "
                f"a multiple of {self.pose_dim} of pose"
            )
        poses = z[:, self.content_dim :].reshape(len(z), -1, self.pose_dim)
        return Point(self._render(z[:, : self.content_dim], poses))

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """Two turns: encoders and decoder, then the scene critic on the poses of before."""
        x = batch.tensor
        n, frames = len(x), x.shape[1]
        if n < 2 or frames < 2:
            raise ValueError(
                f"a batch of {n} clips of {frames} frames: the scene critic compares clips, and "
                "the others frames of a clip; give at least 2 of both"
            )
        row = torch.arange(n, device=x.device)
        t = torch.randint(frames, (2, n), device=x.device)
        one, two = x[row, t[0]], x[row, t[1]]
        both = torch.cat([one, two])
        content, pose = self.content_encoder(both), self.pose_encoder(both)
        p = self.decoder(torch.cat([content[:n], pose[n:]], -1))
        same = self.critic(torch.cat([pose[:n], pose[n:]], -1))
        yield {
            "codes": Loss(
                nll=-p.log_prob(two),
                similarity=(at(self.alpha, ctx.step), ((content[:n] - content[n:]) ** 2).sum(1)),
                scene=(at(self.beta, ctx.step), cross_entropy_to_uniform(same)),
            )
        }
        yield {"critic": Loss(**self.scene(pose[:n].detach(), pose[n:].detach()))}

    def scene(self, one: Tensor, two: Tensor) -> dict[str, Tensor]:
        """The critic's loss for poses of two frames of each clip, ``(B, pose_dim)`` each."""
        same = self.critic(torch.cat([one, two], -1))
        different = self.critic(torch.cat([one, two.roll(1, 0)], -1))
        return {"same": cross_entropy_to(same, 0), "different": cross_entropy_to(different, 1)}

    def foretell(self, batch: Batch, ctx: Context) -> Moves:
        """Second stage: the LSTM's squared error over all poses but the first."""
        frames = batch.tensor.shape[1]
        observed = max(1, frames // 2) if self.observed is None else self.observed
        if not observed < frames:
            raise ValueError(
                f"clips have {frames} frames and the LSTM sees {observed} of them: nothing is left "
                "to foretell"
            )
        self.content_encoder.eval()  # the codes are those that `represent` returns
        self.pose_encoder.eval()
        with torch.no_grad():
            poses = self._frames(self.pose_encoder, batch.tensor)
            content = self.content_encoder(batch.tensor[:, observed - 1])
        foretold = self._continue(content, poses[:, :observed], frames - observed)
        yield {"predictor": Loss(pose=((foretold - poses[:, 1:]) ** 2).sum((1, 2)))}

    @torch.no_grad()
    def predict(self, clip: Tensor, steps: int) -> Tensor:
        """The frames that follow, with the content of the last one seen.

        Args:
            clip: What was seen, of any length from 1.
            steps: How many frames to foretell.

        Shape:
            clip ``(B, n, ...)``; returns ``(B, steps, ...)``, means of p(frame | content, pose).

        Raises:
            ValueError: for anything but clips, and for no steps.
        """
        if clip.ndim != len(self.shape) + 2 or clip.shape[1] < 1:
            raise ValueError(
                f"clip has shape {tuple(clip.shape)}; expected (B, n, "
                f"{', '.join(map(str, self.shape))}) with at least one frame"
            )
        if steps < 1:
            raise ValueError(f"steps is {steps}; expected at least 1")
        content = self.content_encoder(clip[:, -1])
        poses = self._continue(content, self._frames(self.pose_encoder, clip), steps)
        return self._render(content, poses[:, -steps:])

    @torch.no_grad()
    def swap(self, content_of: Tensor, pose_of: Tensor) -> Tensor:
        """Every pose with every content: a grid whose rows are contents.

        Args:
            content_of: Frames whose contents are taken.
            pose_of: Frames whose poses are taken.

        Shape:
            content_of ``(M, ...)``; pose_of ``(N, ...)``; returns ``(M, N, ...)``.
        """
        return swap_grid(self, content_of, pose_of, "pose")

    def _continue(self, content: Tensor, poses: Tensor, steps: int) -> Tensor:
        """Foretold poses 2 to n + steps, ``(B, n + steps - 1, P)``, from the n poses seen."""

        def inputs(h: Tensor) -> Tensor:
            return torch.cat([h, content[:, None].expand(-1, h.shape[1], -1)], -1)

        seen, state = self.predictor(inputs(poses))
        poses_ahead = [seen]
        for _ in range(steps - 1):
            pose, state = self.predictor(inputs(poses_ahead[-1][:, -1:]), state)
            poses_ahead.append(pose)
        return torch.cat(poses_ahead, 1)

    def _frames(self, net: nn.Module, x: Tensor) -> Tensor:
        """A net of frames on every frame of clips, ``(B, T, ...)`` to ``(B, T, F)``."""
        h = net(x.flatten(0, 1))
        return h.reshape(*x.shape[:2], -1)

    def _render(self, content: Tensor, poses: Tensor) -> Tensor:
        """Contents ``(B, C)`` in poses ``(B, T, P)``, means ``(B, T, ...)``."""
        content = content[:, None].expand(-1, poses.shape[1], -1)
        x = self.decoder(torch.cat([content, poses], -1).flatten(0, 1)).mean
        return x.reshape(*poses.shape[:2], *x.shape[1:])


def _whitened(encoder: nn.Module, dim: int) -> nn.Module:
    """An encoder whose every code dimension has mean 0 and variance 1 over a batch.

    The usual floor of the variance would let the similarity of contents shrink codes below it. A
    bias before the normalization does nothing but drift, and running averages lag behind it.
    """
    last = next((m for m in reversed(list(encoder.modules())) if isinstance(m, nn.Linear)), None)
    if last is not None and last.out_features == dim:
        last.register_parameter("bias", None)
    return nn.Sequential(encoder, nn.BatchNorm1d(dim, eps=1e-10, affine=False))

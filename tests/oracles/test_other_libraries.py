"""Models of other libraries behind an adapter: diagnostics say what their own losses say."""

import math
import re
from pathlib import Path

import pytest
import torch

from untwine import diagnostics as d

PAGE = Path(__file__).parents[2] / "docs/diagnostics/index.md"


def test_a_vae_of_pythae_has_its_own_loss_for_an_elbo():
    reason = "pythae is not installed (pip install pythae): its adapter is not tried"
    pytest.importorskip("pythae", reason=reason)
    (block,) = re.findall(r"^```py\n(.*?pythae.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    torch.manual_seed(0)
    x = torch.rand(40, 1, 28, 28)
    names = {"x": x}
    exec(compile(block, str(PAGE), "exec"), names)
    theirs, parts = names["theirs"], d.elbo_parts(names["Theirs"](), x, samples=64)
    with torch.no_grad():
        q = theirs.encoder(x)
        mean, log_variance = q.embedding, q.log_covariance
        shown = [theirs.decoder(mean + (log_variance / 2).exp() * torch.randn_like(mean))
                 for _ in range(64)]  # fmt: skip
        losses = [
            theirs.loss_function(s.reconstruction, x, mean, log_variance, None) for s in shown
        ]
    reconstruction = torch.stack([loss[1] for loss in losses]).mean().item()
    assert parts.kl.value == pytest.approx(losses[0][2].item(), rel=1e-4)
    constant = 392 * math.log(2 * math.pi)  # which pythae leaves out, of 784 pixels
    assert -parts.reconstruction.value == pytest.approx(reconstruction + constant, rel=1e-4)
    assert "of 10 dimensions" in d.diagnose(names["Theirs"](), x, n=40).verdict

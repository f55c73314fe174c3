"""The page in a browser, where there is one: traversals move, and nothing is asked of a network."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

import untwine as ut
from untwine.data import FactorDataset
from untwine.methods import VAE

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)

SCRIPT = """
<script>
addEventListener("load", () => setTimeout(async () => {
  const tiles = [...document.querySelectorAll("#traversals .tile canvas")];
  const now = () => tiles.map((c) => Number(c.getAttribute("aria-valuenow")));
  const ink = (c) => c.getContext("2d").getImageData(0, 0, c.width, c.height).data.join();
  const point = (x) => {
    const box = tiles[0].getBoundingClientRect();
    const at = { clientX: box.left + x * box.width, clientY: box.top + 2, bubbles: true };
    tiles[0].dispatchEvent(new PointerEvent("pointermove", at));
  };
  const key = (name) => {
    tiles[1].dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
  };
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const seen = { start: now(), wide: tiles[0].width };
  document.querySelector(".whole").click(); seen.single = tiles[0].width;
  point(0.001); seen.left = now(); seen.leftInk = ink(tiles[0]);
  point(0.999); seen.right = now(); seen.rightInk = ink(tiles[0]);
  key("Home"); seen.home = now();
  key("ArrowRight"); seen.arrow = now();
  const slider = document.querySelector(".position");
  slider.value = 3; slider.dispatchEvent(new Event("input")); seen.slider = now();
  document.querySelector(".play").click(); await wait(400);
  seen.playing = now(); seen.pressed = document.querySelector(".play").getAttribute("aria-pressed");
  document.querySelector(".play").click();
  document.querySelector(".reset").click(); seen.reset = now();
  document.querySelectorAll('input[name="start"]')[1].click(); await wait(200); seen.other = now();
  const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
  seen.loaded = loaded.filter((name) => !name.startsWith("data:"));
  seen.overflow = document.documentElement.scrollWidth - innerWidth;
  const out = document.createElement("script");
  out.type = "application/json"; out.id = "seen"; out.textContent = JSON.stringify(seen);
  document.body.append(out);
}, 300));
</script>
</body>"""


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")
@pytest.mark.parametrize("width", [400, 1600])
def test_traversals_move(tmp_path: Path, width: int) -> None:
    torch.manual_seed(0)
    data = FactorDataset.from_arrays(torch.rand(60, 1, 16, 16).numpy(), np.arange(60)[:, None] % 5)
    run = ut.fit(
        VAE.build(data, latent_dim=3, seed=0), data, steps=2, out=tmp_path / "run", progress=False
    )
    html = ut.report(run, n=50, scores=False).read_text(encoding="utf-8")
    script = re.search(r'<script type="application/json">(.*?)</script>', html)
    assert script
    initial = json.loads(script[1])["initial"]
    (tmp_path / "page.html").write_text(html.replace("</body>", SCRIPT), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-quic"]
    done = subprocess.run(
        [str(BROWSER), *flags, f"--user-data-dir={tmp_path / 'profile'}",
         f"--window-size={width},1200", "--virtual-time-budget=5000", "--dump-dom",
         (tmp_path / "page.html").as_uri()],
        capture_output=True, text=True, timeout=240, env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    found = re.search(r'id="seen">(.*?)</script>', done.stdout, re.S)
    assert found, done.stderr[-2000:]
    seen = json.loads(found[1])
    assert seen["start"] == [frame + 1 for frame in initial[0]]
    assert seen["left"] == [1, *seen["start"][1:]]
    assert seen["right"] == [17, *seen["start"][1:]]
    assert seen["leftInk"] != seen["rightInk"]
    assert seen["home"][1] == 1
    assert seen["arrow"][1] == 2
    assert seen["slider"] == [4, 4, 4]
    assert seen["pressed"] == "true"
    assert seen["playing"][0] > 4
    assert seen["playing"] == [seen["playing"][0]] * 3
    assert seen["reset"] == seen["start"]
    assert seen["other"] == [frame + 1 for frame in initial[1]]
    assert seen["wide"] >= 5 * 16  # a strip of frames, more of them where there is room
    assert seen["single"] == 16
    assert seen["loaded"] == []
    assert seen["overflow"] <= 0

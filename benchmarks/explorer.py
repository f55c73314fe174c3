"""How fast the explorer is, in a real browser: first picture, frames, the map, sessions, memory.

    pip install -e '.[explore,test]'
    python benchmarks/explorer.py
    python benchmarks/explorer.py --parts memory --minutes 10

It needs Chromium, and playwright for Python. The method is a VAE with the 64x64 net of the
large-scale study and its first weights, on dSprites: weights do not change what a picture costs.

- `first`: from opening the page to its first picture, in new tabs; the model is loaded.
- `frames`: pictures a second while a slider is moved at every frame of the browser, decoded in the
  page, and what each takes of the processors, browser and server together; `answers`: the same,
  each decoded by the server.
- `map`: 100,000 codes of vectors, from the question for them to their being drawn, and the drawing
  alone.
- `sessions`: pictures a second of ten clients at once, each asking again when it has its answer.
- `hostile`: a thousand malformed, misled or oversize requests (those of tests/explore).
- `memory`: random clicks for some minutes: the page's heap, its nodes and the server's memory.

Rows go to explorer.jsonl in the folder `--results`; explorer.md there is written by hand from them.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import common
import numpy as np
from playwright.sync_api import Page, sync_playwright

import untwine as ut
from untwine.explore import Explorer, Workbench

PARTS = ("first", "frames", "answers", "map", "sessions", "hostile", "memory")
TOKEN = "a-token-for-benchmarks"
DRIVE = """async (seconds) => {
  const panel = untwine.panels[0];
  const knob = panel.run.knobs[0];
  const times = [];
  let last = 0;
  panel.drawn = () => { const now = performance.now(); times.push(now - last); last = now; };
  const begun = last = performance.now();
  while (performance.now() - begun < 1000 * seconds) {
    await new Promise(requestAnimationFrame);
    const t = (performance.now() - begun) / 900;
    panel.turn(knob.index, knob.low + (0.5 + 0.5 * Math.sin(t)) * (knob.high - knob.low));
  }
  return times.slice(1);
}"""
READY = "() => performance.getEntriesByName('ready')[0].startTime"
CLICK = """async (count) => {
  const random = () => {
    globalThis.seed = ((globalThis.seed ?? 1) * 16807) % 2147483647;
    return globalThis.seed / 2147483647;
  };
  const kinds = "main button, main input[type=range], main select, .tabs button";
  for (let i = 0; i < count; i++) {
    const all = [...document.querySelectorAll(kinds)].filter((e) => e.offsetParent && !e.disabled);
    const one = all[Math.floor(random() * all.length)];
    if (one.id === "csv") continue;
    if (one.matches("input")) {
      one.value = Number(one.min) + random() * (one.max - one.min);
      one.dispatchEvent(new Event("input", { bubbles: true }));
    } else if (one.matches("select")) {
      one.selectedIndex = Math.floor(random() * one.options.length);
      one.dispatchEvent(new Event("change", { bubbles: true }));
    } else one.click();
    document.querySelector("dialog[open]")?.close();
    await new Promise((done) => setTimeout(done, 20));
  }
}"""


def opened(browser: Any, explorer: Explorer) -> Page:
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(explorer.url)
    page.wait_for_selector("html[data-ready=true]", state="attached")
    return page


def first(browser: Any, explorer: Explorer) -> dict[str, Any]:
    seconds = []
    for _ in range(9):
        page = opened(browser, explorer)
        seconds.append(
            page.evaluate("() => performance.getEntriesByName('ready')[0].startTime / 1e3")
        )
        page.close()
    return {"median_s": statistics.median(seconds), "slowest_s": max(seconds), "tabs": len(seconds)}


def frames(browser: Any, explorer: Explorer, here: bool = True) -> dict[str, Any]:
    page = opened(browser, explorer)
    page.evaluate("() => untwine.local")
    if not here:
        page.evaluate("() => { untwine.panels[0].local = null; }")
    page.evaluate(DRIVE, 1)
    before = processor_seconds()
    gaps = np.array(page.evaluate(DRIVE, 8))
    processor = processor_seconds() - before
    page.close()
    return {
        "per_second": 1e3 * len(gaps) / gaps.sum(),
        "processor_ms_each": 1e3 * processor / len(gaps),
        "median_ms": float(np.median(gaps)),
        "slowest_of_20_ms": float(np.quantile(gaps, 0.95)),
        "pictures": len(gaps),
    }


def answers(browser: Any, explorer: Explorer) -> dict[str, Any]:
    return frames(browser, explorer, here=False)


def map_(browser: Any, count: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 8, (count, 5))
    x = factors @ rng.normal(size=(5, 8)) + rng.normal(size=(count, 8))
    data = ut.FactorDataset.from_arrays(x.astype(np.float32), factors)
    method = ut.methods.BetaVAE.build(data, latent_dim=10, seed=0)
    bench = Workbench(method, data, n=count)
    while bench.atlas.advance():
        pass
    with Explorer([bench], token=TOKEN) as explorer:
        return drawn(browser, explorer)


def drawn(browser: Any, explorer: Explorer) -> dict[str, Any]:
    page = opened(browser, explorer)
    page.evaluate("() => untwine.plane.ready")
    whole, drawing = [], []
    for axis in ("z0", "pc1", "z3", "z5", "pc2"):
        page.evaluate("(axis) => { document.getElementById('map-x').value = axis; }", axis)
        whole.append(
            page.evaluate(
                "async () => { const t = performance.now(); await untwine.plane.reload();"
                " return performance.now() - t; }"
            )
        )
        drawing.append(
            page.evaluate("() => { untwine.plane.paint(); return untwine.plane.milliseconds; }")
        )
    points = page.evaluate("() => untwine.plane.x.length")
    page.close()
    return {
        "points": points,
        "asked_and_drawn_ms": statistics.median(whole),
        "slowest_ms": max(whole),
        "drawn_ms": statistics.median(drawing),
    }


def sessions(_: Any, explorer: Explorer, seconds: float = 8.0) -> dict[str, Any]:
    port = port_of(explorer)
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(10, explorer.benches[0].code_dim)).round(4)

    def session(k: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        body = json.dumps({"codes": [codes[k].tolist()]})
        end, count = time.perf_counter() + seconds, 0
        while time.perf_counter() < end:
            connection.request("POST", f"/{TOKEN}/api/0/decode", body)
            connection.getresponse().read()
            count += 1
        return count

    with ThreadPoolExecutor(10) as pool:
        counts = list(pool.map(session, range(10)))
    return {"per_second_each": min(counts) / seconds, "per_second_in_all": sum(counts) / seconds}


def hostile(_: Any, explorer: Explorer) -> dict[str, Any]:
    sys.path.insert(0, str(common.ROOT))
    from tests.explore.test_server import TOKEN as TESTS, hostile as request

    port, begun, statuses = port_of(explorer), time.perf_counter(), []
    for seed in range(1000):
        text = request(np.random.default_rng(seed), port).replace(TESTS.encode(), TOKEN.encode())
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            with suppress(ConnectionError):
                while part := connection.recv(65536):
                    answer += part
        statuses.append(int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/1.1 ") else 400)
    alive = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    alive.request("GET", f"/{TOKEN}/api/alive")
    return {
        "requests": len(statuses),
        "refused": sum(400 <= status < 500 for status in statuses),
        "seconds": time.perf_counter() - begun,
        "answers_after": alive.getresponse().status,
    }


def memory(browser: Any, explorer: Explorer, minutes: float) -> dict[str, Any]:
    page = opened(browser, explorer)
    tools = page.context.new_cdp_session(page)
    tools.send("Performance.enable")
    rows = []

    def look(minute: float) -> None:
        page.wait_for_timeout(500)
        tools.send("HeapProfiler.collectGarbage")
        metrics = {m["name"]: m["value"] for m in tools.send("Performance.getMetrics")["metrics"]}
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        rows.append(
            {
                "minute": round(minute, 1),
                "heap_mb": metrics["JSHeapUsedSize"] / 2**20,
                "nodes": metrics["Nodes"],
                "listeners": metrics["JSEventListeners"],
                "server_mb": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
            }
        )

    page.evaluate(CLICK, 100)
    begun, clicks = time.perf_counter(), 0
    look(0)
    while (passed := time.perf_counter() - begun) < 60 * minutes:
        page.evaluate(CLICK, 100)
        clicks += 100
        if passed / 60 > len(rows) * minutes / 10:
            look(passed / 60)
    look(minutes)
    page.close()
    return {"clicks": clicks, "rows": rows}


def processor_seconds() -> float:
    """Of this process and all that it has started: the server, the browser and its parts."""
    parents, times = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                words = (folder / "stat").read_text().rpartition(")")[2].split()
                parents[int(folder.name)] = int(words[1])
                times[int(folder.name)] = int(words[11]) + int(words[12])
    total = 0
    for process in parents:
        one = process
        while one not in (0, 1, os.getpid()):
            one = parents.get(one, 0)
        total += times[process] if one == os.getpid() else 0
    return total / os.sysconf("SC_CLK_TCK")


def port_of(explorer: Explorer) -> int:
    return int(explorer.url.split(":")[2].split("/")[0])


def main() -> None:
    parser = common.parser(__doc__ or "", results=common.RESULTS)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--points", type=int, default=100_000)
    options = parser.parse_args()
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    chromium = next(path for name in names if (path := shutil.which(name)))
    data = ut.data.DSprites()
    method = ut.methods.BetaVAE.build(data, latent_dim=10, seed=0)
    bench = Workbench(method, data, n=2_000)
    with Explorer([bench], token=TOKEN) as explorer, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for part in options.parts:
            load = os.getloadavg()[0]
            if part == "map":
                figures = map_(browser, options.points)
            elif part == "memory":
                figures = memory(browser, explorer, options.minutes)
            else:
                figures = globals()[part](browser, explorer)
            row = {"part": part, **figures}
            row |= {"load": load, "date": datetime.now(UTC).date().isoformat()}
            with (options.results / "explorer.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)
        browser.close()


if __name__ == "__main__":
    main()

"""The explorer's page in a browser, where there is one: hands, keys, fingers, links, bad lines."""

import base64
import contextlib
import http.server
import json
import shutil
import threading
import time
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

import untwine as ut
from untwine.explore import Explorer, Workbench
from untwine.methods import MLVAE

from .test_workbench import encoded

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
playwright = pytest.importorskip("playwright.sync_api", reason="there is no playwright here")

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")

TOKEN = "a-token-for-these-tests"
PIXELS = """(canvas) => {
  const { width, height } = canvas;
  const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  return [height, width, [...data].filter((_, i) => i % 4 < 3)];
}"""
SET = "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }"
DROP = """([data, more]) => {
  const transfer = new DataTransfer();
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  transfer.items.add(new File([bytes, new Uint8Array(more)], "mine.png", { type: "image/png" }));
  const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
  document.querySelector(".slot.b").dispatchEvent(new DragEvent("drop", options));
}"""
BY_SERVER = """async () => {
  await untwine.local;
  for (const panel of untwine.panels) panel.local = null;
}"""
QUIET = "() => untwine.panels.every((p) => !p.asking && !p.waiting && !p.frame)"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def bench(vae, data):
    return Workbench(vae, data, name="mine", n=60)


@pytest.fixture(scope="module")
def parts(data):
    method = MLVAE.build(data, latent_dim=4, seed=0)
    return Workbench(method.eval(), data, name="parts", n=60)


@pytest.fixture(scope="module")
def explorer(bench, parts):
    with Explorer([bench, parts], token=TOKEN) as explorer:
        yield explorer


@pytest.fixture
def opened(browser, explorer):
    """Opens the page; at the end nothing may have failed or been asked for elsewhere."""
    contexts, problems = [], []

    def look(url=None, *, width=1400, height=1000, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda r: (
                None
                if r.url.startswith((explorer.url, "data:", "blob:")) or url
                else problems.append(f"asked for {r.url}")
            ),
        )
        page.goto(url or explorer.url)
        page.wait_for_selector("html[data-ready=true]", state="attached")
        return page

    yield look
    for context in contexts:
        context.close()
    assert not problems


def settled(page, panel=0):
    """The code of a panel and its picture, once no question is on its way."""
    for _ in range(600):
        if page.evaluate(QUIET):
            break
        time.sleep(0.02)
    code = page.evaluate(f"() => untwine.panels[{panel}].code")
    canvas = page.locator(".decoded").nth(panel)
    height, width, pixels = canvas.evaluate(PIXELS)
    return code, np.array(pixels, np.uint8).reshape(height, width, 3)


def check_picture(page, bench, panel=0):
    """The picture is the decoder's; one that the page decodes may be rounded otherwise."""
    code, picture = settled(page, panel)
    expected = bench.decode([code])[0].astype(int)
    assert np.abs(picture - expected).max() <= page.evaluate(
        f"() => +!!untwine.panels[{panel}].local"
    )
    return code


def test_the_picture_follows_sliders_keys_and_buttons(opened, bench):
    page = opened()
    assert page.title() == "VAE on Arrays · Untwine explorer"
    first = check_picture(page, bench)
    order = [knob.index for knob in bench.knobs]
    names = page.locator(".panel").first.locator(".knob .name b").all_inner_texts()
    assert [n for n in names if n] == [f"z{j}" for j in order]
    slider = page.locator(".panel").first.locator(f'input[aria-label^="z{order[0]}"]')
    slider.evaluate(SET, str(bench.knobs[0].high))
    moved = check_picture(page, bench)
    page.evaluate("() => untwine.local")
    assert page.evaluate("() => untwine.panels[0].local !== null")  # from now on it decodes itself
    assert moved[order[0]] == pytest.approx(bench.knobs[0].high, abs=2e-4)
    slider.focus()
    page.keyboard.press("Home")
    assert check_picture(page, bench)[order[0]] == pytest.approx(bench.knobs[0].low, abs=2e-4)
    page.keyboard.press("ArrowRight")
    step = (bench.knobs[0].high - bench.knobs[0].low) / 400
    assert check_picture(page, bench)[order[0]] == pytest.approx(
        bench.knobs[0].low + step, abs=3e-4
    )
    page.locator(".panel").first.get_by_role("button", name="Back to A").click()
    assert check_picture(page, bench) == first


def test_lock_mix_and_swap(opened, bench, parts):
    page = opened()
    one = page.locator(".panel").nth(0)
    locked = bench.knobs[1].index
    one.get_by_role("button", name=f"Lock z{locked}", exact=True).click()
    kept = settled(page)[0][locked]
    page.evaluate("() => untwine.panels[0].go(41)")
    code = check_picture(page, bench)
    assert code[locked] == kept
    start = bench.start(41).code
    others = [j for j in range(4) if j != locked]
    np.testing.assert_allclose(np.array(code)[others], start[others], atol=1e-4)
    page.evaluate("() => untwine.panels[0].go(7, 'b')")
    one.locator(".blend").evaluate(
        "(s) => { s.value = 0.25; s.dispatchEvent(new Event('input')); }"
    )
    mixed = np.array(check_picture(page, bench))
    expected = 0.75 * start + 0.25 * bench.start(7).code
    np.testing.assert_allclose(mixed[others], expected[others], atol=2e-4)
    assert mixed[locked] == kept
    # a named part of one observation in the place of another's
    two = page.locator(".panel").nth(1)
    page.evaluate(
        "async () => { const p = untwine.panels[1]; await p.go(3); await p.go(41, 'b'); }"
    )
    two.get_by_role("button", name="Take content from B").click()
    code = check_picture(page, parts, 1)
    part = next(p for p in parts.parts if p.name == "content")
    swapped = parts.start(3).code.copy()
    swapped[list(part.columns)] = parts.start(41).code[list(part.columns)]
    np.testing.assert_allclose(code, swapped, atol=1e-4)
    two.get_by_role("button", name="Swap A, B").click()
    np.testing.assert_allclose(settled(page, 1)[0], parts.start(41).code, atol=1e-4)


def test_an_own_picture_is_encoded_and_what_is_none_is_refused(opened, bench):
    page = opened()
    shown = encoded(Image.fromarray(bench.start(17).picture))
    chooser = page.locator(".panel").first.locator('input[type="file"]')
    chooser.set_input_files({"name": "mine.png", "mimeType": "image/png", "buffer": shown})
    page.get_by_text("your picture").first.wait_for()
    np.testing.assert_allclose(check_picture(page, bench), bench.start(17).code, atol=1e-4)
    chooser.set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"<svg/>"})
    page.get_by_text("cannot be read as an image").wait_for()
    page.get_by_role("button", name="Close").click()
    page.evaluate(DROP, ["", 17 * 2**20])
    page.get_by_text("a picture has at most 16 MB").wait_for()
    page.get_by_role("button", name="Close").click()
    page.evaluate(DROP, [base64.b64encode(shown).decode(), 0])
    page.locator(".slot.b .which", has_text="your picture").first.wait_for()
    brought = page.evaluate("() => untwine.panels[0].b.code")
    np.testing.assert_allclose(brought, bench.start(17).code, atol=1e-4)


def test_the_map_shows_chooses_and_separates(opened, bench):
    page = opened()
    page.evaluate("() => untwine.plane.ready")
    x, y = map(np.array, page.evaluate("() => [[...untwine.plane.x], [...untwine.plane.y]]"))
    np.testing.assert_allclose(x, bench.atlas.column("pc1"), rtol=1e-6)
    np.testing.assert_allclose(y, bench.atlas.column("pc2"), rtol=1e-6)
    view = page.evaluate("() => untwine.plane.view")
    plane = page.locator("#plane")
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()

    def place(point):
        u = (x[point] - view["x"]) / (2 * view["half"]) + 0.5
        v = 0.5 - (y[point] - view["y"]) / (2 * view["half"])
        return box["x"] + u * box["width"], box["y"] + v * box["height"]

    lone = int(np.argmax(x))
    page.mouse.click(*place(lone))
    row = int(bench.atlas.rows[lone])
    page.get_by_text(f"number {row}", exact=True).first.wait_for()
    np.testing.assert_allclose(settled(page)[0], bench.start(row).code, atol=1e-4)
    # the lasso takes what is at the right of the middle
    page.get_by_role("button", name="Lasso").click()
    middle = box["x"] + box["width"] / 2
    corners = [(middle, box["y"] + 1), (box["x"] + box["width"] - 1, box["y"] + 1),
               (box["x"] + box["width"] - 1, box["y"] + box["height"] - 1),
               (middle, box["y"] + box["height"] - 1)]  # fmt: skip
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=4)
    page.mouse.up()
    inside = {i for i in range(60) if x[i] > view["x"]}
    assert set(page.evaluate("() => [...untwine.plane.chosen]")) == inside
    page.get_by_role("button", name="Table").click()
    page.locator("dialog tbody tr").first.wait_for()
    assert page.locator("dialog tbody tr").count() == len(inside)
    page.get_by_role("button", name="Close").click()
    with page.expect_download() as file:
        page.get_by_role("button", name="CSV").click()
    assert len(file.value.path().read_text().splitlines()) == len(inside) + 1
    page.get_by_role("button", name="Group 1").click()
    # the other group by the value of a factor, as a keyboard can
    page.locator("#pick").select_option(label="row 2")
    chosen = [i for i in range(60) if bench.atlas.factors[i, 1] == 2]
    page.get_by_text(f"{len(chosen)} chosen").wait_for()
    assert sorted(page.evaluate("() => [...untwine.plane.chosen]")) == chosen
    page.get_by_role("button", name="Group 2").click()
    slide = page.locator(".panel").first.locator(".slide")
    slide.wait_for()
    before = np.array(settled(page)[0])
    slide.evaluate(SET, "1")
    after = np.array(check_picture(page, bench))
    step = bench.direction(sorted(inside), chosen).step
    np.testing.assert_allclose(after - before, step, atol=3e-4)
    # without a mouse: the cross, and what is nearest to it
    plane.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    place_of_cross = (view["x"] + 2 * 0.06 * view["half"], view["y"])
    nearest = int(np.argmin(np.hypot(x - place_of_cross[0], y - place_of_cross[1])))
    page.get_by_text(f"number {bench.atlas.rows[nearest]}", exact=True).first.wait_for()


def test_what_is_saved(opened, bench, tmp_path):
    page = opened()
    page.evaluate("() => untwine.panels[0].go(5)")
    page.locator(".panel").first.get_by_role("button", name="A to B").click()
    page.evaluate("() => untwine.panels[0].turn(2, 0.75)")
    code, picture = settled(page)
    with page.expect_download() as file:
        page.get_by_role("button", name="Picture").click()
    saved = np.asarray(Image.open(file.value.path()).convert("RGB"))
    np.testing.assert_array_equal(saved[::32, ::32], picture)
    with page.expect_download() as file:
        page.get_by_role("button", name="Film").click()
    with Image.open(file.value.path()) as film:
        assert film.n_frames > 20
    page.get_by_role("button", name="Python").click()
    text = page.locator("dialog code").inner_text()
    assert text == bench.lines(code)
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Link").click()
    link = page.locator("dialog code").inner_text()
    other = opened(link)
    assert settled(other)[0] == code
    np.testing.assert_array_equal(settled(other)[1], picture)
    assert other.evaluate("() => untwine.panels[0].a.row") == 5
    assert other.evaluate("() => untwine.panels[0].b.row") == 5
    # two pages of one server do not know of each other
    other.evaluate("() => untwine.panels[0].turn(2, -0.5)")
    assert settled(other)[0][2] == -0.5
    assert settled(page)[0] == code
    opened(link.split("#")[0] + "#" + "bm90IGEgc3RhdGU")  # a link that is none


def test_runs_side_by_side_start_from_one_observation(opened, bench, parts):
    page = opened()
    assert page.locator(".panel:visible").count() == 2
    page.locator(".panel").first.get_by_role("button", name="Random").click()
    for _ in range(200):
        rows = page.evaluate("() => untwine.panels.map((p) => p.a.row)")
        if rows[0] == rows[1]:
            break
        time.sleep(0.02)
    assert rows[0] == rows[1]
    check_picture(page, bench)
    check_picture(page, parts, 1)
    page.get_by_label("side by side").uncheck()
    assert page.locator(".panel:visible").count() == 1
    page.get_by_role("tab", name="mine").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="parts").get_attribute("aria-selected") == "true"
    assert page.locator(".panel:visible").get_attribute("aria-label") == "parts"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_all_of_it(opened, bench, scheme):
    page = opened(width=390, height=844, has_touch=True, is_mobile=True, color_scheme=scheme)
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    page.locator(".panel").first.get_by_role("button", name="Random").tap()
    slider = page.locator(".panel").first.locator(".parts .knob input").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.touchscreen.tap(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
    code = check_picture(page, bench)
    knob = bench.knobs[0]
    assert (code[knob.index] - knob.low) / (knob.high - knob.low) == pytest.approx(0.8, abs=0.1)
    picture = page.locator(".decoded").first.bounding_box()
    assert picture["y"] >= 0  # it stays in sight beside the slider
    paper, ink = page.evaluate(
        "() => { const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]; }"
    )
    light = [sum(json.loads(c.replace("rgb(", "[").replace(")", "]"))) for c in (paper, ink)]
    assert (light[0] > light[1]) == (scheme == "light")


def test_everything_has_a_name_for_those_who_do_not_see_it(opened):
    page = opened()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, canvas")]
          .filter((e) => e.offsetParent && !e.closest(".legend, .slot.empty"))
          .filter((e) => !e.getAttribute("aria-label") && !e.textContent.trim())
          .filter((e) => !e.labels?.[0]?.textContent.trim())
          .map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert not nameless
    order = page.evaluate(
        """() => [...document.querySelectorAll("[tabindex]")].map((e) => Number(e.tabIndex))"""
    )
    assert max(order) == 0
    assert page.locator("h1").count() == 1
    assert page.locator("html").get_attribute("lang") == "en"


def test_a_killed_server_is_said_and_the_page_goes_on(browser, vae, data):
    bench = Workbench(vae, data, n=60)
    first = Explorer([bench], token=TOKEN)
    port = int(first.url.split(":")[2].split("/")[0])
    page = browser.new_page()
    page.goto(first.url)
    page.wait_for_selector("html[data-ready=true]", state="attached")
    page.evaluate("() => untwine.panels[0].turn(0, 0.5)")
    check_picture(page, bench)
    first.close()
    page.evaluate("() => { window.old = true; untwine.panels[0].turn(0, -0.5); }")
    page.get_by_role("alert").filter(has_text="The server does not answer").wait_for()
    for _ in range(50):
        try:
            second = Explorer([bench], token=TOKEN, port=port)
            break
        except OSError:
            time.sleep(0.1)
    for _ in range(600):  # the page loads anew, since the runs may be others
        with contextlib.suppress(playwright.Error):
            if page.evaluate("() => !window.old && document.documentElement.dataset.ready"):
                break
        time.sleep(0.05)
    assert page.get_by_role("alert").is_hidden()
    assert check_picture(page, bench)[0] == -0.5
    second.close()
    page.evaluate("() => untwine.panels[0].turn(0, 0.1)")
    page.get_by_role("alert").wait_for()
    with Explorer([bench], token=TOKEN + "-new", port=port):
        page.get_by_role("alert").filter(has_text="started anew, with another address").wait_for()
    page.close()


def test_over_a_slow_line_only_the_newest_picture_is_asked_for(opened, bench):
    page = opened()
    settled(page)
    page.evaluate(BY_SERVER)
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    slow = {"offline": False, "latency": 400, "downloadThroughput": 2e4, "uploadThroughput": 2e4}
    line.send("Network.emulateNetworkConditions", slow)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(
        """async () => {
          for (let i = 0; i <= 40; i++) {
            untwine.panels[0].turn(1, i / 40);
            await new Promise((done) => setTimeout(done, 15));
          }
        }"""
    )
    code = check_picture(page, bench)
    assert code[1] == 1
    assert len([url for url in asked if url.endswith("decode")]) <= 10


def test_random_clicking_leaves_no_more_behind(opened):
    page = opened()
    tools = page.context.new_cdp_session(page)

    def live():
        page.evaluate("() => new Promise((done) => setTimeout(done, 300))")
        tools.send("HeapProfiler.collectGarbage")
        counters = tools.send("Memory.getDOMCounters")
        tools.send("Performance.enable")
        metrics = {m["name"]: m["value"] for m in tools.send("Performance.getMetrics")["metrics"]}
        return metrics["JSHeapUsedSize"], counters["nodes"], counters["jsEventListeners"]

    clicking = """async (count) => {
      let seed = 1;
      const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
      const kinds = "main button, main input[type=range], main select";
      const all = () => [...document.querySelectorAll(kinds)]
        .filter((e) => e.offsetParent && !e.disabled && !e.matches("#csv"));
      for (let i = 0; i < count; i++) {
        const controls = all();
        const one = controls[Math.floor(random() * controls.length)];
        if (one.matches("input")) {
          one.value = Number(one.min) + random() * (one.max - one.min);
          one.dispatchEvent(new Event("input", { bubbles: true }));
        } else if (one.matches("select")) {
          one.selectedIndex = Math.floor(random() * one.options.length);
          one.dispatchEvent(new Event("change", { bubbles: true }));
        } else one.click();
        document.querySelector("dialog[open]")?.close();
        await new Promise((done) => setTimeout(done, 4));
      }
      for (const panel of untwine.panels) panel.stop();
    }"""
    page.evaluate(clicking, 100)
    before = live()
    page.evaluate(clicking, 200)
    after = live()
    assert after[0] - before[0] < 2e6
    assert after[1] - before[1] < 400
    assert after[2] - before[2] < 40


@pytest.mark.parametrize("embed", [True, False])
def test_a_notebook_may_show_it_and_other_pages_may_not(browser, bench, embed, tmp_path):
    class Notebook(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with (
        Explorer([bench], embed=embed) as explorer,
        http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(Notebook, directory=str(tmp_path))
        ) as server,
    ):
        (tmp_path / "notebook.html").write_text(explorer._repr_html_())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://localhost:{server.server_port}/notebook.html")
        frame = page.frames[1]
        if embed:
            frame.wait_for_selector("html[data-ready=true]", state="attached")
        else:
            assert not frame.locator("#panels").count()
        # a page of another origin cannot ask, even with the address
        failed = page.evaluate(
            "(url) => fetch(url + 'api/runs').then(() => false, () => true)", explorer.url
        )
        assert failed
        page.close()
        server.shutdown()


def test_a_decoder_of_vectors_has_a_picture_too(browser):
    torch.manual_seed(0)
    world = ut.FactorDataset.from_arrays(torch.rand(50, 7).numpy())
    bench = Workbench(ut.methods.VAE.build(world, latent_dim=2, seed=0).eval(), world, n=50)
    with Explorer([bench], token=TOKEN) as explorer:
        page = browser.new_page()
        page.goto(explorer.url)
        page.wait_for_selector("html[data-ready=true]", state="attached")
        page.evaluate("() => untwine.panels[0].turn(0, 1.5)")
        check_picture(page, bench)
        assert page.locator(".file").first.is_hidden()
        page.close()

"""Every command and snippet of README and docs runs, with few steps."""

import ast
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

import untwine as ut
from untwine.explore.server import Explorer

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/methods").glob("*.md")),
    *sorted((ROOT / "docs/data").glob("*.md")),
    *sorted((ROOT / "docs/diagnostics").glob("*.md")),
    *sorted((ROOT / "docs/studies").glob("*.md")),
    *sorted((ROOT / "docs/tutorials").glob("*.md")),
]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)

OWN = re.compile(r"^data = ut\.data\.[^#\n]*", re.MULTILINE)
"""What `data` is in the snippets of a page that come without it."""


def given(text):
    """The names that a snippet reads and does not make."""
    names = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)]
    return {n.id for n in names} - {n.id for n in names if isinstance(n.ctx, ast.Store)}


def own_data(page):
    """The line of a page that says what `data` is and needs nothing else, if there is one."""
    lines = [match[0] for match in OWN.finditer(page.read_text())]
    return next((line for line in lines if given(line) == {"ut"}), "")


STUDY = """\
sweep:
  - fixed: {data: mine.npz, steps: 2, method.latent_dim: 3, method.net: Conv, method.net.width: 4}
  - chain: [{fixed: {method: VAE}}, {fixed: {method: BetaVAE, method.beta: 4}}]
  - seeds: 2
measure: {metrics: [mig, modularity], n: 60}
"""
"""What pages of studies call study.yaml, in small."""


def blocks(kind):
    found = []
    for page in PAGES:
        parts = BLOCK.findall(page.read_text())
        if page.parent.name == "tutorials":  # its snippets go on where the last one ended
            parts = [(kind, "".join(text for word, text in parts if word == kind))] * bool(parts)
        for i, (language, text) in enumerate(part for part in parts if part[1]):
            if language == kind:
                found.append(pytest.param(page, text, id=f"{page.relative_to(ROOT)}-{i}"))
    return found


@pytest.fixture
def few_steps(monkeypatch):
    """A `fit` that makes at most five steps, an `encode` of at most 600 observations."""
    from untwine import encoding, evaluation
    from untwine.training import fit

    def short(method, data, *, steps=5, epochs=None, **options):
        capped = (
            {k: min(v, 5) for k, v in steps.items()} if isinstance(steps, dict) else min(steps, 5)
        )
        return fit(method, data, steps=capped, progress=False, **options)

    monkeypatch.setattr(ut, "fit", short)
    monkeypatch.setattr(
        ut, "encode", lambda m, d, n=None: encoding.encode(m, d, min(n or 600, 600))
    )
    chosen = ["mig", "modularity", "active_units"]
    monkeypatch.setattr(
        ut,
        "evaluate",
        lambda c, f=None, metrics=chosen, **o: evaluation.evaluate(c, f, metrics, **o),
    )


@pytest.mark.parametrize(("page", "text"), blocks("python"))
def test_python_runs(page, text, tmp_path, monkeypatch, few_steps):
    monkeypatch.chdir(tmp_path)
    before = set(ut.metrics.METRICS)
    if page.name == "interventions.md":
        pytest.importorskip("dowhy", reason="there is none for Python 3.14")
    if page.name == "a_study.md":
        text = text.replace("steps=500", "steps=2").replace("seeds(4)", "seeds(1)")
    torch.manual_seed(0)
    names = {"__name__": "snippet"}
    if "data" in given(text):
        exec(own_data(page), {"ut": ut}, names)
    if page.name in ("README.md", "quickstart.md") or page.parent.name == "tutorials":
        original = ut.report  # the whole suite and 10,000 observations are for people
        monkeypatch.setattr(ut, "report", lambda run, **o: original(run, n=300, scores=False))
    try:
        exec(compile(text, str(page), "exec"), names)
    finally:  # a metric of one's own stays on its page
        for name in {*ut.metrics.METRICS} - before:
            del ut.metrics.METRICS[name]


def test_pages_say_what_their_data_is():
    lack = {
        page.stem
        for page in PAGES
        if page.parent.name != "tutorials" and not OWN.search(page.read_text())
        for kind, text in BLOCK.findall(page.read_text())
        if kind == "python" and ">>>" not in text and "data" in given(text)
    }
    assert not lack


@pytest.mark.parametrize(("page", "text"), blocks("sh"))
def test_commands_run(page, text, tmp_path, monkeypatch):
    from untwine.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Explorer, "wait", lambda explorer: None)
    np.savez(
        "mine.npz",
        images=np.random.default_rng(0).integers(0, 256, (120, 16, 16, 3), dtype=np.uint8),
        factors=np.stack([np.arange(120) % 3, np.arange(120) // 40], 1),
        factor_names=["shape", "size"],
    )
    Path("study.yaml").write_text(STUDY)
    ran = 0
    for line in text.strip().splitlines():
        words = shlex.split(line)
        if words[0] != "untwine":
            assert words[:2] in (["pip", "install"], ["make", "setup"], ["make", "demo"]), line
            continue
        ran += 1
        if words[1] == "train":
            if "--devices" in words:
                continue  # relaunches itself: run as a process in test_cli
            if "--epochs" in words:
                del words[words.index("--epochs") : words.index("--epochs") + 2]
            words += ["--steps", "2"]
        elif words[1] == "measure":
            words += ["--metrics", "mig", "modularity", "--n", "300"]
        elif words[1] == "report":
            words += ["--n", "300", "--no-scores"]
        elif words[1] == "explore":
            words = [w for w in words if w != "--open"] + ["--n", "300"]
        elif words[1:3] == ["study", "run"] and "--dry_run" not in words:
            words += ["--runner", "sequential", "--no-figures", "--no-progress"]
        elif words[1] == "compare":
            words += ["--metrics", "mig", "--n", "300"]
        elif words[1] == "diagnose":
            words += ["--n", "40"]
        elif words[1] == "demo":
            words += ["--steps", "3"]
        assert main(words[1:]) in (None, 0), line
    assert ran or "pip" in text or "make" in text


def test_every_method_has_a_page_that_the_index_names():
    index = (ROOT / "docs/methods/index.md").read_text()
    readme = (ROOT / "README.md").read_text()
    for name in ut.methods.__all__:
        page = (ROOT / f"docs/methods/{name}.md").read_text()
        assert f"untwine.methods.{name}" in page
        assert f"({name}.md)" in index
        assert f"`{name}`" in readme


def test_links_between_pages_lead_somewhere():
    code = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)", code.sub("", page.read_text())):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} -> {target}"


READERS = {"CellsOnDisk", "Folder", "FolderOnDisk", "H5", "H5AD", "Npz", "OnDisk"}
"""Classes that read whatever someone has: no sets of their own."""


def test_every_set_has_a_page_with_its_picture_factors_truth_and_licence():
    pages = {page: page.read_text() for page in sorted((ROOT / "docs/data").glob("*.md"))}
    index = (ROOT / "docs/data.md").read_text()
    for entry in ut.data.available():
        if entry.needs not in ("nothing", "a file", "a folder") or entry.name in READERS:
            continue
        found = [page for page, text in pages.items() if f"`untwine.data.{entry.name}`" in text]
        assert len(found) == 1, f"{entry.name}: {len(found)} pages"
        text = pages[found[0]]
        assert f"(data/{found[0].name})" in index, entry.name
        assert "\n![" in text or "\nNo picture here, since " in text, entry.name
        assert "| factor | values |" in text or "| variable | values |" in text, entry.name
        assert re.search("^## How its truth (is|was) checked$", text, re.MULTILINE), entry.name
        assert re.search("MIT|CC BY|Apache|research|no licence", text), entry.name
        for name, size in (entry.factors or {}).items():
            assert f"`{name}`" in text, f"{entry.name}: {name} {size}"
    assert all(
        (page.parent / picture).stat().st_size < 100_000
        for page, text in pages.items()
        for picture in re.findall(r"!\[.*?\]\((.*?)\)", text)
    )

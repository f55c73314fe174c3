"""The site: every page is listed, every link and anchor is there, all mathematics can be drawn."""

import ast
import re
import subprocess
import sys
import time
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

import untwine

ROOT = Path(__file__).parents[2]
DOCS = sorted(p for p in (ROOT / "docs").rglob("*.md"))
PAGES = [
    *DOCS,
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "benchmarks/results").glob("*.md")),
]
FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")


def prose(page):
    return re.sub(r"`[^`\n]*`", "", FENCED.sub("", page.read_text()))


def anchors(page):
    """Of a page's headings, as GitHub and MyST make them."""
    text = FENCED.sub("", page.read_text())
    words = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", word).lower() for word in words]
    return {re.sub(r"[^\w\- ]", "", word).replace(" ", "-") for word in plain}


def test_links_of_all_pages_lead_to_files_and_headings_that_there_are():
    seen, broken = 0, []
    for page in PAGES:
        for target in LINK.findall(prose(page)):
            if urlsplit(target).scheme:
                continue
            seen += 1
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if not file.exists() or (
                anchor and file.suffix == ".md" and anchor not in anchors(file)
            ):
                broken.append(f"{page.relative_to(ROOT)} -> {target}")
    assert not broken
    assert seen > 500


def test_links_to_a_heading_are_understood():
    assert "what-happens-when" in anchors(ROOT / "docs/training.md")


@pytest.fixture
def site(monkeypatch):
    """The modules of the site's build."""
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import site_math
    import site_pages

    return site_math, site_pages


def test_every_page_is_listed(site):
    nested = {
        page.resolve()
        for index, pattern in site[1].NESTED.items()
        for page in (ROOT / index).parent.glob(f"{pattern}.md")
    }
    index = (ROOT / "docs/index.md").read_text()
    lists = re.findall(r"^```\{toctree\}\n(.*?)^```", index, re.MULTILINE | re.DOTALL)
    entries = [line for text in lists for line in text.splitlines() if line and line[0] != ":"]
    listed = {(ROOT / "docs" / f"{entry}.md").resolve() for entry in entries}
    assert {str(p) for p in PAGES} - {str(p) for p in nested | listed} == {
        str(ROOT / "docs/index.md")
    }
    assert all(path.exists() or path.parent.name in ("api", "made") for path in listed)


def shown(site, cls):
    return site[1].signature(None, "class", cls.__name__, cls, None, "(*args, **kwargs)", None)


def test_the_reference_shows_what_constructors_take(site):
    from untwine.data import IID, Arrays
    from untwine.methods import Decodes, Method
    from untwine.nets import MLP

    takes = re.sub(r"~[\w.]*\.", "", shown(site, Arrays)[0])
    assert takes.startswith("(x: Any, factors: Any = None, names: Sequence[str]")
    assert "hidden" in shown(site, MLP)[0]
    assert shown(site, IID) == ("()", None) == shown(site, Method)
    assert shown(site, Decodes) == ("", None)
    assert shown(site, Path) is None


def test_names_in_docstrings_lead_to_where_they_are_described(site):
    rooms = ["untwine.nets.MLP", "untwine.training.Run", "untwine.training.Run.measure"]
    rooms += ["untwine.training.fit", "untwine.study.Study.fit", "untwine.methods.Represents"]
    rooms += ["untwine.data.A.batch", "untwine.data.B.batch"]
    for target, place in {
        "nets.MLP": "untwine.nets.MLP",
        "MLP": "untwine.nets.MLP",
        "untwine.fit": "untwine.training.fit",
        "Run.measure": "untwine.training.Run.measure",
        "untwine.methods.abilities.Represents": "untwine.methods.Represents",
        "untwine.training.run.Run.measure": "untwine.training.Run.measure",
        "batch": None,
        "torch.func.vmap": None,
    }.items():
        assert site[1].documented_name(dict.fromkeys(rooms), target) == place


FIGURES = sorted((ROOT / "docs/figures").glob("plot_*.py"))


@pytest.mark.parametrize("script", FIGURES, ids=lambda path: path.stem)
def test_scripts_of_the_gallery_draw_figures(script, monkeypatch):
    fit = untwine.fit
    monkeypatch.setattr(untwine, "fit", lambda *a, steps, **o: fit(*a, steps=min(steps, 5), **o))
    names = {"__name__": "figure"}
    exec(compile(script.read_text(), str(script), "exec"), names)
    made = [names[name] for name in ("figure", "figures") if name in names]
    assert made
    assert all(figure.axes for one in made for figure in (one if isinstance(one, list) else [one]))


def test_the_gallery_knows_all_its_scripts(site):
    pytest.importorskip("sphinx_gallery")
    import site_figures

    assert sorted(site_figures.ORDER) == [path.stem.removeprefix("plot_") for path in FIGURES]


def equations():
    """Of pages and docstrings, with where they are."""
    for page in DOCS:
        text = prose(page)
        for tex in re.findall(r"\$\$(.+?)\$\$", text, re.DOTALL):
            yield page.name, tex, True
        for tex in re.findall(r"\$([^$\n]+)\$", re.sub(r"\$\$.+?\$\$", "", text, flags=re.DOTALL)):
            yield page.name, tex, False
    for path in sorted(Path(untwine.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.Module):
                doc = ast.get_docstring(node) or ""
                for tex in re.findall(r":math:`([^`]*)`", doc):
                    yield path.name, tex, False
                for block in re.findall(r"\.\. math::\n((?:\n|(?: {4,}).*\n?)+)", doc):
                    for tex in re.split(r"\n\s*\n", block.strip()):
                        yield path.name, tex, True


def test_all_mathematics_can_be_drawn(site):
    seen = 0
    for where, tex, block in equations():
        seen += 1
        try:
            assert "<math" in site[0].mathml(tex, block)
        except Exception as error:
            pytest.fail(f"{where}: {tex!r}: {error}")
    assert seen > 1000


def test_the_moving_picture_of_the_readme_is_small():
    picture = ROOT / "docs/img/knobs.gif"
    assert "docs/img/knobs.gif" in (ROOT / "README.md").read_text()
    assert picture.stat().st_size < 1_000_000


def test_badges_say_what_the_package_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    badges = (ROOT / "docs/img/badges.svg").read_text()
    torch = next(d for d in project["dependencies"] if d.startswith("torch>="))
    for bound in (project["requires-python"], torch.removeprefix("torch")):
        assert f">{bound.removeprefix('>=')} on<" in badges
    assert f">{project['license']}<" in badges
    assert "http" not in badges.replace("http://www.w3.org/2000/svg", "")
    assert "docs/img/badges.svg" in (ROOT / "README.md").read_text()


class Fetched(HTMLParser):
    """What a page makes a browser fetch."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        name = {"script": "src", "img": "src", "link": "href", "iframe": "src"}.get(tag)
        if name in attributes and attributes.get("rel") not in ("next", "prev", "canonical"):
            self.addresses.append(attributes[name])


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_needs_no_network(tmp_path):
    pytest.importorskip("sphinx")
    began = time.process_time()
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-c",
        "docs",
        "-b",
        "html",
    ]
    done = subprocess.run([*command, ".", tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert time.process_time() - began < 180
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) > 150
    for page in pages:
        parser = Fetched()
        parser.feed(page.read_text())
        assert not [a for a in parser.addresses if urlsplit(a).scheme in ("http", "https")], page
        for address in parser.addresses:
            file = unquote(urlsplit(address).path)
            assert not file or (page.parent / file).exists(), f"{page.name}: {address}"
    assert "<math" in (tmp_path / "docs/methods/BetaVAE.html").read_text()
    search = (tmp_path / "searchindex.js").read_text()
    assert "disentangl" in search
    assert "url=docs/index.html" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize("name", ["release", "docs"])
def test_workflows_run_what_there_is(name):
    text = (ROOT / f".github/workflows/{name}.yml").read_text()
    jobs = yaml.safe_load(text)["jobs"]
    targets = re.findall(r"^(\S+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    made = re.findall(r"make (\S+)", text)
    assert made
    assert set(made) <= set(targets)
    assert all(set(job.get("needs", "").split()) <= set(jobs) for job in jobs.values())
    if name == "release":  # published without a token, by the one job that may
        assert "password" not in text
        assert [n for n, j in jobs.items() if "id-token" in j["permissions"]] == ["publish"]
        assert "twine check --strict" in (ROOT / "Makefile").read_text()

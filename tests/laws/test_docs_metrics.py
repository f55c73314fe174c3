"""The pages under docs/metrics: every example runs, every metric has its page."""

import doctest
import re
from pathlib import Path

import pytest

from untwine.metrics.registry import METRICS, table

DOCS = Path(__file__).parents[2] / "docs" / "metrics"
PAGES = sorted(DOCS.glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(optionflags=options)
    for i, block in enumerate(BLOCK.findall(page.read_text())):
        if ">>> " in block:
            test = doctest.DocTestParser().get_doctest(block, namespace, page.stem, str(page), i)
            output = []
            runner.run(test, out=output.append, clear_globs=False)
            namespace = test.globs
            assert not runner.summarize(verbose=False).failed, "".join(output)
        else:
            exec(compile(block, f"{page.name}, block {i}", "exec"), namespace)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_page_with_an_equation_and_an_example(name):
    text = (DOCS / f"{name}.md").read_text()
    assert f"`untwine.metrics.{name}`" in text
    assert "$$" in text
    assert BLOCK.search(text)
    assert "What it asks for" in text
    assert METRICS[name].link in text


def test_the_index_holds_the_table():
    assert table() in (DOCS / "index.md").read_text(), (
        "paste untwine.metrics.registry.table() there"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not link.startswith("http"):
            assert (page.parent / link).exists(), link

"""Figures inside pages: fewer bytes than matplotlib writes, and the same picture."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from untwine.plots import correlations, dimension_kl, violins
from untwine.plots.style import ACCENT
from untwine.report import sheets

RNG = np.random.default_rng(0)
compact = sheets._compact


def clipped():
    figure = Figure(figsize=(3, 2))
    axes = figure.add_subplot()
    axes.plot(RNG.normal(size=30), color=ACCENT)
    axes.imshow(RNG.random((4, 4)))
    axes.set_title(r"$\log p(x \mid z)$")
    return figure


FIGURES = {
    "violins": lambda: violins({"mig": {c: RNG.random(9) for c in "abcd"}}),
    "correlations": lambda: correlations(np.corrcoef(RNG.random((4, 9))), list("abcd")),
    "bars": lambda: dimension_kl(np.arange(5.0), [f"z{j}" for j in range(5)]),
    "curves": clipped,
}


def drawn(svg):
    """What is drawn, in order: tag, style, numbers, and that to which a reference leads."""
    root = ElementTree.fromstring(svg)
    rules = dict(re.findall(r"\.([\w-]+)\{([^}]*)\}", "".join(root.itertext())))
    named = {e.get("id"): e for e in root.iter() if e.get("id")}
    things = []
    for element in root.iter():
        if element.tag in ("svg", "g", "defs", "style"):
            continue
        target = element.get("href", "")
        style = element.get("style") or rules.get(element.get("class", ""), "")
        places = [element.get(k, "") for k in ("d", "x", "y", "points", "transform")]
        numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", " ".join(places))]
        words = re.sub(r"[-\d.\se]+", " ", " ".join(places))
        clip = re.findall(r"#([^)]*)", element.get("clip-path", "") + target)
        leads = named[clip[0]].get("d", "a clip") if clip else target
        things.append((element.tag, style, words, len(leads.split()), numbers))
    return things


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_is_drawn_in_fewer_bytes(name, monkeypatch):
    written = []
    monkeypatch.setattr(
        sheets, "_compact", lambda svg, name: written.append(svg) or compact(svg, name)
    )
    page = str(sheets.inline_svg(FIGURES[name](), "one", "A figure"))
    assert len(page) < 0.95 * len(written[0])
    before, after = drawn("<svg" + written[0]), drawn(page)
    assert len(before) == len(after) > 20
    for (*what, numbers), (*same, close) in zip(before, after, strict=True):
        assert what == same
        assert close == pytest.approx(numbers, abs=0.006)

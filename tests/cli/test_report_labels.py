"""The section of few labels in a report: what labels must give, and where it does not apply."""

import re
from typing import Any

import numpy as np
import pytest

import untwine as ut
from untwine.data import FactorDataset
from untwine.methods import VAE


class First(VAE):
    """Its code is the first dimensions of the observations."""

    def represent(self, batch: Any) -> Any:
        return ut.distributions.Point(ut.data.Batch.of(batch).x[:, :2])


def mixed(n: int = 1200) -> FactorDataset:
    """Dimension 0 tells the kind, 1 the place; the largest ones tell nothing."""
    rng = np.random.default_rng(0)
    kind, place, none = rng.integers(0, 3, n), rng.integers(0, 20, n), rng.integers(0, 4, n)
    told = np.stack([kind, place / 10], 1) + 0.02 * rng.normal(size=(n, 2))
    x = np.concatenate([told, 9 * rng.normal(size=(n, 4))], 1)
    factors = {"kind": kind, "place": place, "none": none}
    return FactorDataset.from_arrays(x.astype("f4"), factors, kinds={"kind": "nominal"})


def section(path: Any) -> str:
    return path.read_text(encoding="utf-8").split('<section id="labels"')[1].split("</section>")[0]


def cells(html: str, factor: str, row: str) -> tuple[str, list[float]]:
    """The measure and the means of a row of the table."""
    rows = [r for r in html.split("<tr>") if f'row">{factor}<' in r and f"<td>{row}<" in r]
    assert len(rows) == 1
    first, _, *values = re.findall(r"<td>([^<]*)", rows[0])
    return first, [float(value) for value in values]


def test_the_section_says_what_few_labels_give(tmp_path):
    data = mixed()
    method = First.build(data, latent_dim=2)
    options: dict[str, Any] = {"method": method, "data": data, "scores": False, "n": 1200}
    html = section(ut.report(None, out=tmp_path / "a.html", labels=[20, 200], **options))
    assert re.findall(r"(\d+) labels</th>", html) == ["20", "200"]
    assert "600 other observations" in html
    measure, (few, many) = cells(html, "kind", "code")
    assert measure == "accuracy"
    assert few > 0.9
    assert many > 0.98
    assert max(cells(html, "kind", "components")[1]) < 0.5  # of the large dimensions
    assert cells(html, "kind", "difference")[1][1] > 0.5
    measure, (few, many) = cells(html, "place", "code")
    assert measure == "R²"  # an order of 20 values is a number
    assert many > 0.98
    assert cells(html, "place", "mean")[1] == [0.0, 0.0]
    assert max(cells(html, "none", "code")[1]) < 0.4
    assert "<svg" in html
    assert "dotted" in html
    plain = ut.report(None, out=tmp_path / "b.html", **options).read_text(encoding="utf-8")
    assert 'id="labels"' not in plain
    assert "#labels" not in plain


def test_where_it_does_not_apply_a_sentence_stands(tmp_path):
    rng = np.random.default_rng(0)
    bare = FactorDataset.from_arrays(rng.normal(size=(200, 6)).astype("f4"))
    few = mixed(50)
    for name, data, said in (("none", bare, "has no factors"), ("few", few, "are too few")):
        method = First.build(data, latent_dim=2)
        page = ut.report(
            None, out=tmp_path / f"{name}.html", method=method, data=data, scores=False, labels=[10]
        )
        assert said in section(page)


def test_one_label_is_refused(tmp_path):
    data = mixed(200)
    method = First.build(data, latent_dim=2)
    with pytest.raises(ValueError, match="labels is 1"):
        ut.report(None, out=tmp_path / "a.html", method=method, data=data, scores=False, labels=[1])

"""Figures of clusters show the numbers that they were given, and cut nothing off."""

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, QuadMesh

from untwine import FactorDataset, fit, plots
from untwine.distributions import HierarchicalMixture
from untwine.methods import VAE, GaussianMixtureVAE
from untwine.training import PriorSnapshots, read_snapshots

RNG = np.random.default_rng(0)
CENTERS = RNG.normal(size=(9, 5)) * 4
CLUSTER = np.arange(450) % 9
CODES = CENTERS[CLUSTER] + RNG.normal(size=(450, 5))
SHARES = RNG.dirichlet(np.ones(9) * 0.2, 450)
TREE = HierarchicalMixture(5, [[0, 1, 2], [3, [4, 5]], [6, [7, 8]]], root=True)
PATHS = np.cumsum(RNG.normal(size=(20, 9, 5)), 0)

FIGURES = {
    "map": lambda: plots.cluster_map(CODES, CLUSTER, means=CENTERS),
    "map and labels": lambda: plots.cluster_map(
        CODES, SHARES, labels=CLUSTER % 3 - 1, names=["a rather long name", "b"]
    ),
    "map of one dimension": lambda: plots.cluster_map(CODES[:, :1], CLUSTER),
    "map in given coordinates": lambda: plots.cluster_map(
        CODES, CLUSTER, means=CENTERS, coordinates=CODES[:, 3:]
    ),
    "responsibilities": lambda: plots.responsibilities(SHARES),
    "responsibilities by label": lambda: plots.responsibilities(
        torch.from_numpy(SHARES), CLUSTER % 3, ["one", "two", "three"], rows=100
    ),
    "responsibilities of 50": lambda: plots.responsibilities(RNG.dirichlet(np.ones(50), 100)),
    "tree": lambda: plots.cluster_tree(TREE.parents, np.full(9, 1 / 9)),
    "tree of images": lambda: plots.cluster_tree(
        TREE.parents, np.full(9, 1 / 9), images=RNG.random((len(TREE.parents), 1, 28, 28))
    ),
    "tree of two": lambda: plots.cluster_tree([2, 2, -1], [0.3, 0.7], names=["left", "right"]),
    "paths": lambda: plots.prior_paths(PATHS, np.full((20, 9), 1 / 9), codes=CODES),
    "paths of one snapshot": lambda: plots.prior_paths(PATHS[:1], np.full((1, 9), 1 / 9)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_cut_nothing_off_and_leave_matplotlib_as_it_was(name):
    before = dict(matplotlib.rcParams)
    figure = FIGURES[name]()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert box.x0 >= -0.02
    assert box.y0 >= -0.02
    assert box.x1 <= width + 0.02
    assert box.y1 <= height + 0.02
    assert dict(matplotlib.rcParams) == before


def test_a_map_shows_every_code_at_its_principal_components():
    axes = FIGURES["map"]().axes[0]
    drawn = np.concatenate([c.get_offsets() for c in axes.collections])
    centered = CODES - CODES.mean(0)
    _, _, directions = np.linalg.svd(centered, full_matrices=False)
    expected = centered @ directions[:2].T
    assert len(drawn) == len(CODES)
    for j in range(2):
        both = [np.sort(drawn[:, j]), np.sort(expected[:, j]), np.sort(-expected[:, j])]
        assert np.allclose(both[0], both[1]) or np.allclose(both[0], both[2])
    assert sorted(text.get_text() for text in axes.texts) == [str(k) for k in range(9)]
    sizes = [len(c.get_offsets()) for c in axes.collections]
    assert sizes == [50] * 9


def test_rows_of_responsibilities_are_sorted_and_their_shares_are_the_means():
    figure = plots.responsibilities(SHARES, CLUSTER % 3)
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    np.testing.assert_allclose(heights, SHARES.mean(0))
    mesh = next(c for c in figure.axes[1].collections if isinstance(c, QuadMesh))
    rows = np.asarray(mesh.get_array()).reshape(450, 9)
    np.testing.assert_allclose(np.sort(rows.sum(0)), np.sort(SHARES.sum(0)))
    for label in range(3):
        best = rows[150 * label : 150 * (label + 1)].argmax(1)
        assert (np.diff(best) >= 0).all()
        part = SHARES[label == CLUSTER % 3].argmax(1)
        assert sorted(best) == sorted(part)


def test_a_tree_has_a_line_from_every_node_to_its_parent_as_wide_as_what_is_below():
    usage = np.array([0.5, 0.1, 0.2, 0.2])
    axes = plots.cluster_tree([4, 4, 5, 5, 6, 6, -1], usage).axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 3]
    assert len(lines) == 6
    width = {tuple(np.round(line.get_xdata()[:1], 2)): line.get_linewidth() for line in lines[:4]}
    assert width[(0.0,)] > width[(2.0,)] == width[(3.0,)] > width[(1.0,)]
    assert [t.get_text() for t in axes.texts] == ["0", "50%", "1", "10%", "2", "20%", "3", "20%"]


def test_paths_end_at_the_last_means_with_discs_as_large_as_their_weights():
    weights = RNG.dirichlet(np.ones(9), 20)
    figure = plots.prior_paths(PATHS, weights, np.arange(20) * 10)
    left, right = figure.axes
    ways = [c for c in left.collections if isinstance(c, LineCollection)]
    assert len(ways) == 9
    discs = [c for c in left.collections if not isinstance(c, LineCollection)]
    for way, disc in zip(ways, discs, strict=True):
        np.testing.assert_allclose(way.get_segments()[-1][-1], disc.get_offsets()[0])
    assert np.corrcoef([d.get_sizes()[0] for d in discs], weights[-1])[0, 1] > 0.999
    assert right.get_xlim() == (0, 190)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.cluster_map(CODES, CLUSTER[:5]), "there are 450 observations"),
        (lambda: plots.cluster_map(CODES[:, 0], CLUSTER), "finite table"),
        (lambda: plots.cluster_map(CODES, CLUSTER, coordinates=CODES), r"expected \(450, 2\)"),
        (lambda: plots.responsibilities(CODES), "sum to one"),
        (lambda: plots.cluster_tree([1, -1, 0], [1.0]), "after its children"),
        (lambda: plots.cluster_tree([2, 2, -1], [1.0]), "1 shares but the tree has 2"),
        (lambda: plots.prior_paths(PATHS, np.ones((3, 9))), "expected"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_snapshots_are_taken_written_and_the_same_after_a_resume(tmp_path):
    data = FactorDataset.from_arrays(torch.rand(60, 7))

    def train(steps, out):
        method = GaussianMixtureVAE.build(data, latent_dim=2, components=3, seed=0)
        snapshots = PriorSnapshots(2)
        fit(method, data, steps=steps, batch_size=8, out=out, progress=False, callbacks=[snapshots])
        return method, snapshots.taken

    method, taken = train(6, tmp_path / "one")
    assert taken.step.tolist() == [0, 2, 4, 6]
    weights, loc = method.prior.components()
    np.testing.assert_allclose(taken.loc[-1], loc.detach())
    np.testing.assert_allclose(taken.weights[-1], weights.detach())
    read = read_snapshots(tmp_path / "one")
    for name in ("step", "loc", "weights"):
        np.testing.assert_array_equal(getattr(read, name), getattr(taken, name))
    train(3, tmp_path / "two")
    train(6, tmp_path / "two")
    again = read_snapshots(tmp_path / "two")
    np.testing.assert_array_equal(again.loc, taken.loc)
    with pytest.raises(ValueError, match="no snapshots"):
        read_snapshots(tmp_path)
    with pytest.raises(TypeError, match="snapshots are of one with components"):
        fit(
            VAE.build(data, latent_dim=2),
            data,
            steps=2,
            progress=False,
            callbacks=[PriorSnapshots(1)],
        )

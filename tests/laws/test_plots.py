"""Figures show the numbers that they were given, whole and labelled, and change nothing else."""

import subprocess
import sys
from functools import cache
from typing import Any

import matplotlib
import numpy as np
import pandas
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.figure import Figure

from untwine import plots
from untwine.plots.charts import smoothed
from untwine.plots.factors import _plane, position_pairs, profile
from untwine.plots.pictures import mosaic, pictures, vector_bounds

RNG = np.random.default_rng(0)
LONG = [f"a rather long factor name {k}" for k in range(15)]


def _log(stages: bool = False) -> pandas.DataFrame:
    step = np.tile(np.arange(1, 51), 2) * 10 if stages else np.arange(1, 101) * 10
    table = pandas.DataFrame({"step": step, "seconds": step / 10.0, "images/s": 600.0})
    table["stage"] = ["one"] * 50 + ["two" if stages else "one"] * 50
    table["vae/nll"] = np.geomspace(2000, 10, 100)
    table["vae/kl"] = RNG.normal(size=100)
    table["critic/a long name of a term"] = np.where(np.arange(100) < 50, np.nan, 3.0)
    return table


def _factors(n: int = 400) -> np.ndarray:
    return np.stack([RNG.integers(0, size, n) for size in (3, 6, 8, 8)], 1)


FIGURES = {
    "traversal_grid": lambda: plots.traversal_grid(
        RNG.random((10, 11, 1, 16, 16)),
        [f"z{j} 1.23 nats" for j in range(10)],
        values=np.linspace(-2, 2, 11),
        reference=RNG.random((1, 16, 16)),
        title="Traversals",
    ),
    "traversal_grid of 64": lambda: plots.traversal_grid(RNG.random((64, 15, 3, 8, 8))),
    "traversal_grid of vectors": lambda: plots.traversal_grid(
        RNG.normal(size=(4, 5, 100)), reference=RNG.normal(size=(4, 100))
    ),
    "reconstructions": lambda: plots.reconstructions(*RNG.random((2, 13, 3, 28, 20))),
    "samples": lambda: plots.samples(RNG.random((13, 30))),
    "samples of one": lambda: plots.samples(RNG.random((1, 1, 64, 64))),
    "swap_grid": lambda: plots.swap_grid(
        RNG.random((5, 7, 3, 12, 12)),
        RNG.random((5, 3, 12, 12)),
        RNG.random((7, 3, 12, 12)),
        of_rows="unspecified part",
        of_columns="specified part",
    ),
    "swap_grid of vectors": lambda: plots.swap_grid(
        RNG.normal(size=(2, 2, 20)), RNG.normal(size=(2, 20)), RNG.normal(size=(2, 20))
    ),
    "control_effects": lambda: plots.control_effects(
        RNG.random((5, 5)) * 1.1 - 0.1, LONG[:5], where=["z3", "z0 z1", "", "part content", "z12"]
    ),
    "counterfactual_grid": lambda: plots.counterfactual_grid(
        *RNG.random((1, 9, 3, 16, 16)),
        RNG.random((2, 9, 3, 16, 16)),
        RNG.random((9, 3, 16, 16)),
        labels=["original", "one method", "another", "rendered"],
    ),
    "dimension_kl": lambda: plots.dimension_kl(RNG.random(10)),
    "dimension_kl of 64": lambda: plots.dimension_kl(RNG.random(64) * 100),
    "training_curves": lambda: plots.training_curves(_log()),
    "training_curves in stages": lambda: plots.training_curves(_log(stages=True)),
    "mutual_information": lambda: plots.mutual_information(RNG.random((10, 3)), LONG[:3]),
    "importance of 64": lambda: plots.importance(RNG.random((64, 15)), LONG),
    "latents_against_factors": lambda: plots.latents_against_factors(
        RNG.normal(size=(400, 5)), _factors(), ["shape", "scale", "posX", "posY"]
    ),
    "latents_against_factors of one": lambda: plots.latents_against_factors(
        RNG.normal(size=(400, 1)), RNG.integers(0, 9, 400), ["orientation"]
    ),
    "level_rates": lambda: plots.level_rates(
        RNG.random(12) * 30, [f"z_28x28_{i}" for i in range(12)]
    ),
    "direction_grid": lambda: plots.direction_grid(
        RNG.random((4, 7, 3, 16, 16)),
        [f"axis {k}, 12 % outside" for k in range(4)],
        values=np.linspace(-3, 3, 7),
        mask=np.arange(16) < np.full((16, 1), 6),
    ),
    "level_cuts": lambda: plots.level_cuts(
        RNG.random((6, 8, 3, 16, 16)),
        [f"z_28x28_{i}" for i in range(5)],
        RNG.random((8, 3, 16, 16)),
    ),
    "mutual_information of one": lambda: plots.mutual_information([[0.0]], ["orientation"]),
    "dimension_kl of one": lambda: plots.dimension_kl([0.0]),
    "cross_modal": lambda: plots.cross_modal(
        RNG.poisson(2.0, (300, 40)), RNG.random((300, 40)), [f"gene {j}" for j in range(40)]
    ),
    "cross_modal of one": lambda: plots.cross_modal(RNG.normal(size=(30, 1)), np.ones((30, 1))),
    "batch_mixing": lambda: plots.batch_mixing(
        RNG.normal(size=(300, 10)),
        RNG.integers(0, 3, 300),
        RNG.integers(-1, 6, 300),
        batch_names=["donor one", "donor two", "donor three"],
    ),
    "latents_against_factors of 64": lambda: plots.latents_against_factors(
        RNG.normal(size=(400, 64)), RNG.integers(0, 9, (400, 15)), LONG
    ),
}


@cache
def _drawn(name: str) -> tuple[Figure, Any, bool]:
    """A figure, what drew it, and whether matplotlib's settings are as they were."""
    before = dict(matplotlib.rcParams)
    figure = FIGURES[name]()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return figure, canvas.get_renderer(), dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", FIGURES)
def test_figures_cut_nothing_off_and_leave_matplotlib_as_it_was(name: str) -> None:
    figure, renderer, unchanged = _drawn(name)
    box = figure.get_tightbbox(renderer)
    width, height = figure.get_size_inches()
    assert box.x0 >= -0.02
    assert box.y0 >= -0.02
    assert box.x1 <= width + 0.02
    assert box.y1 <= height + 0.02
    assert unchanged


@pytest.mark.parametrize("name", FIGURES)
def test_labels_of_an_axis_do_not_overlap(name: str) -> None:
    figure, renderer, _ = _drawn(name)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            labels = [t for t in axis.get_ticklabels() if t.get_visible() and t.get_text()]
            if not labels or labels[0].get_rotation() % 90:
                continue  # boxes around slanted texts overlap where the texts do not
            boxes = [t.get_window_extent(renderer) for t in labels]
            along = sorted((b.x0, b.x1) if axis is axes.xaxis else (b.y0, b.y1) for b in boxes)
            ends = np.array(along)
            assert (ends[1:, 0] - ends[:-1, 1] > -1.5).all(), [t.get_text() for t in labels]


def test_no_state_of_pyplot_is_made_and_matplotlib_waits_until_it_is_needed() -> None:
    code = (
        "import sys, untwine; assert 'matplotlib' not in sys.modules; untwine.plots; "
        "untwine.plots.dimension_kl([1.0]); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_grid_holds_the_images_in_their_places() -> None:
    images = RNG.random((3, 4, 1, 6, 5))
    shown = plots.traversal_grid(images, reference=images[:, 0]).axes[0].images[0].get_array()
    gap, height, width = 2, 6, 5
    for j in range(3):
        for s in range(4):
            top = j * (height + gap)
            left = width + 3 * gap + s * (width + gap)
            cell = shown[top : top + height, left : left + width]
            np.testing.assert_array_equal(cell[..., 0], np.round(images[j, s, 0] * 255))
            assert (cell[..., 3] == 255).all()
    np.testing.assert_array_equal(shown[:height, :width, 1], np.round(images[0, 0, 0] * 255))
    assert (shown[height : height + gap, :, 3] == 0).all()


def test_swaps_stand_between_their_row_and_their_column() -> None:
    rows, columns = np.zeros((2, 1, 4, 4)), np.ones((3, 1, 4, 4))
    grid = np.arange(6).reshape(2, 3, 1, 1, 1) / 10 + np.zeros((1, 4, 4))
    figure = plots.swap_grid(grid, rows, columns, of_rows="style", of_columns="content")
    shown = figure.axes[0].images[0].get_array()[::6, ::6, 0]
    expected = [[255, 255, 255, 255], [0, 0, 26, 51], [0, 76, 102, 128]]
    np.testing.assert_array_equal(shown, expected)
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert labels == ["", "style of", ""]


def test_reconstructions_stand_below_their_observations() -> None:
    x = np.zeros((3, 1, 4, 4))
    figure = plots.reconstructions(x, x + 1, columns=2)
    shown = figure.axes[0].images[0].get_array()
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["data", "model"] * 2
    rows = [shown[6 * r, 0, 0] for r in range(4)]
    assert rows == [0, 255, 0, 255]


def test_colors_and_bytes_are_kept() -> None:
    image = RNG.integers(0, 256, (2, 3, 4, 5)).astype(np.uint8)
    np.testing.assert_array_equal(pictures(image, 1), image.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(pictures(image / 255, 1), image.transpose(0, 2, 3, 1))
    assert (pictures(np.full((1, 1, 2, 2), 7.0), 1) == 255).all()


def test_bars_are_as_high_as_their_values() -> None:
    values = np.array([[0.5, -0.25, 1.0, 0.0]])
    (picture,) = pictures(values, 1, (-1.0, 1.0))
    height, width, _ = picture.shape
    blue, orange = (27, 94, 158), (200, 85, 27)
    for k, value in enumerate(values[0]):
        column = picture[:, k * width // 4]
        up = (column == blue).all(-1).sum() / (height / 2)
        down = (column == orange).all(-1).sum() / (height / 2)
        assert up == pytest.approx(max(value, 0), abs=2 / height)
        assert down == pytest.approx(max(-value, 0), abs=2 / height)


def test_a_long_vector_shows_its_peaks() -> None:
    values = np.zeros((1, 5000))
    values[0, 2500] = -3
    picture = pictures(values, 1)[0]
    assert (picture == (200, 85, 27)).all(-1).any(axis=0).sum() <= 2  # one bar, two pixels wide
    assert vector_bounds(values) == (-3.0, 0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.samples(np.zeros((2, 5, 8, 8))), "1 or 3 channels"),
        (lambda: plots.samples(np.full((2, 1, 8, 8), np.nan)), "128 values .* not finite"),
        (lambda: plots.traversal_grid(np.zeros((2, 1, 8, 8))), r"\(2, 1, 8, 8\)"),
        (lambda: plots.traversal_grid(np.zeros((2, 3, 1, 8, 8)), ["z"]), "1 labels for 2"),
        (
            lambda: plots.traversal_grid(
                np.zeros((2, 3, 1, 8, 8)), reference=np.zeros((3, 1, 8, 8))
            ),
            "reference has shape",
        ),
        (lambda: plots.reconstructions(np.zeros((2, 9)), np.zeros((3, 9))), "one reconstruction"),
        (
            lambda: plots.swap_grid(np.zeros((2, 3, 9)), np.zeros((3, 9)), np.zeros((3, 9))),
            r"rows \(3, 9\) and columns \(3, 9\); expected \(M, N, ...\), \(M",
        ),
        (lambda: plots.dimension_kl(np.zeros((2, 2))), r"\(2, 2\)"),
        (lambda: plots.mutual_information(np.zeros((2, 3)), ["a", "b"]), "2 of factors"),
        (lambda: plots.mutual_information([[np.inf, 0]]), "1 entries are not finite"),
        (lambda: plots.training_curves(pandas.DataFrame({"step": [1]})), "player/term"),
        (lambda: plots.training_curves(pandas.DataFrame()), "0 rows"),
        (lambda: plots.cross_modal(np.zeros((4, 2)), np.zeros((4, 3))), r"\(4, 2\) and predicted"),
        (lambda: plots.cross_modal(np.eye(4), np.eye(4), features=["g"]), "no feature 'g'"),
        (lambda: plots.batch_mixing(np.eye(4), [0, 1]), "there are 4 observations"),
        (lambda: plots.latents_against_factors(np.zeros((4, 1)), np.zeros((3, 1))), "4 rows"),
        (
            lambda: plots.latents_against_factors(
                np.zeros((4, 1)), np.zeros((4, 1)), ["a"], maps=[("a", "b")]
            ),
            "no factor 'b'",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_heat_map_is_stronger_where_the_number_is_larger() -> None:
    matrix = np.array([[0.0, 0.5], [1.0, 2.0], [0.1, 0.2]])
    axes = plots.mutual_information(matrix, ["a", "b"]).axes[0]
    (mesh,) = (c for c in axes.collections if isinstance(c, QuadMesh))
    mesh.update_scalarmappable()
    strength = mesh.get_facecolor()[:, 3].reshape(matrix.shape)
    assert (np.argsort(strength.ravel()) == np.argsort(matrix.ravel())).all()
    assert strength.max() == 1
    assert [t.get_text() for t in axes.texts] == ["0.00", "0.50", "1.00", "2.00", "0.10", "0.20"]


def test_profile_is_the_mean_of_each_group() -> None:
    codes, factor = RNG.normal(size=(300, 3)), RNG.integers(-1, 5, 300)
    values, mean, spread = profile(codes, factor)
    table = pandas.DataFrame(codes).assign(v=factor)[factor >= 0].groupby("v")
    np.testing.assert_array_equal(values, range(5))
    np.testing.assert_allclose(mean, table.mean().to_numpy(), rtol=1e-12)
    np.testing.assert_allclose(spread, table.std(ddof=0).to_numpy(), rtol=1e-12)


def test_many_values_are_grouped() -> None:
    factor = np.linspace(0, 1, 1000)
    values, mean, _ = profile(factor[:, None] * 10, factor)
    assert len(values) == 32
    np.testing.assert_allclose(mean[:, 0], values * 10, atol=0.02)


def test_the_plane_of_two_factors_is_the_mean_of_each_pair() -> None:
    codes, factors = RNG.normal(size=(500, 2)), _factors(500)[:, 2:]
    plane = _plane(codes, factors[:, 0], factors[:, 1])
    for a in range(8):
        for b in range(8):
            here = (factors == (a, b)).all(1)
            expected = codes[here].mean(0) if here.any() else np.full(2, np.nan)
            np.testing.assert_allclose(plane[b, a], expected, rtol=1e-12)


def test_a_code_that_is_a_factor_is_a_rising_line_and_an_idle_one_is_flat() -> None:
    factors = _factors()
    codes = np.stack([factors[:, 2], 0.01 * RNG.normal(size=len(factors))], 1)
    axes = plots.latents_against_factors(codes, factors, list("abcd"), maps=[]).axes[0]
    lines = next(
        c for c in axes.collections if isinstance(c, LineCollection) and len(c.get_segments()) == 8
    ).get_segments()
    rising, idle = lines[4], lines[5]  # factor c, dimensions 0 and 1
    assert (np.diff(rising[:, 1]) < 0).all()  # rows count downwards
    assert np.ptp(rising[:, 1]) > 0.6
    assert np.ptp(idle[:, 1]) < 0.05


def test_pairs_of_coordinates_are_found_by_their_names() -> None:
    assert position_pairs(["Xpos", "pos_x", "pos_Y", "x"]) == [("pos_x", "pos_Y")]


def test_running_average_is_numpys_inside() -> None:
    values = RNG.normal(size=50)
    np.testing.assert_allclose(
        smoothed(values, 7)[3:-3], np.convolve(values, np.ones(7) / 7, "valid"), rtol=1e-9
    )


def test_stages_follow_each_other_and_wide_ranges_are_logarithmic() -> None:
    figure = plots.training_curves(_log(stages=True))
    by_name = {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_visible()}
    assert list(by_name) == ["vae/nll", "vae/kl", "critic/a long name of a term"]
    assert by_name["vae/nll"].get_yscale() == "log"
    assert by_name["vae/kl"].get_yscale() == "linear"
    line = by_name["vae/nll"].lines[-1]
    assert line.get_xdata()[[0, -1]].tolist() == [10, 1000]
    border = by_name["vae/nll"].lines[0].get_xdata()
    assert list(border) == [500, 500]
    late = by_name["critic/a long name of a term"].lines[-1].get_xdata()
    assert late[0] == 510


def test_correlations_of_features_are_numpys() -> None:
    x, y = RNG.normal(size=(2, 50, 3))
    x[:, 2] = 1.0
    found = plots.feature_correlations(x, y)
    for j in range(2):
        assert found[j] == pytest.approx(np.corrcoef(x[:, j], y[:, j])[0, 1])
    assert np.isnan(found[2])
    titles = [axes.get_title(loc="left") for axes in plots.cross_modal(x, y, features=[1]).axes]
    assert titles == ["all 3 features", f"1: r = {found[1]:.2f}"]


def test_every_observation_has_the_color_of_its_batch() -> None:
    codes, batch = RNG.normal(size=(60, 4)), np.arange(60) % 3
    axes = plots.batch_mixing(codes, batch, coordinates=codes[:, :2]).axes[0]
    cloud = axes.collections[0]
    shown = {tuple(np.round(place, 9)): tuple(color) for place, color in
             zip(cloud.get_offsets(), cloud.get_facecolor(), strict=True)}  # fmt: skip
    kinds = [{shown[tuple(np.round(codes[i, :2], 9))] for i in range(k, 60, 3)} for k in range(3)]
    assert [len(kind) for kind in kinds] == [1, 1, 1]
    assert len(set.union(*kinds)) == 3


def test_mosaic_of_one_picture_is_that_picture() -> None:
    cell = RNG.integers(0, 256, (1, 1, 4, 5, 3)).astype(np.uint8)
    np.testing.assert_array_equal(mosaic(cell)[..., :3], cell[0, 0])

"""Effects of do(z_j = v) on models whose effects are known; discovery on known graphs."""

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal

import untwine as ut
from untwine.data import Downsampled, LightTunnel, Subset
from untwine.distributions import Point
from untwine.use import (
    CausalGraph,
    agreement,
    discover,
    intervene,
    match,
    nearest_reader,
    reader_of,
    tunnel_reader,
)

NAMES = ("red", "green", "blue", "polarizer_1", "polarizer_2")


class Exact:
    """A code that is the observation, turned into another one by a function that is known."""

    def __init__(self, function):
        self.function = function

    def represent(self, x):
        return Point(x if torch.is_tensor(x) else x.x)

    def decode(self, z, *, c=None, y=None):
        return Independent(Normal(self.function(z), 1.0), 1)


def table(n=400, dims=3, kinds=None, values=None):
    x = torch.randn(n, dims, generator=torch.Generator().manual_seed(0))
    factors = np.random.default_rng(1).integers(0, 7, (n, dims)) if values is None else values
    return ut.FactorDataset.from_arrays(x, factors, ["a", "b", "c"][:dims], kinds=kinds)


def spread(values):
    one, two = np.triu_indices(len(values), 1)
    return np.abs(values[one] - values[two]).mean()


def test_effects_of_a_linear_model_are_its_matrix():
    matrix = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.0, -2.0], [0.0, 0.0, 0.0]])
    data = table(kinds=["real"] * 3)
    effects = intervene(Exact(lambda z: z @ matrix), data, lambda x: x.numpy(), n=400)
    for j in range(3):
        for k in range(3):
            expected = (
                abs(float(matrix[j, k]))
                * spread(effects.values[j])
                / spread(data.factors[:, k].astype(float))
            )
            assert effects.effect[j, k] == pytest.approx(expected, abs=1e-5)
    assert effects.low == pytest.approx(effects.effect, abs=1e-5)  # the same in every context
    assert effects.additive[0, 0] == pytest.approx(1)
    assert np.isnan(effects.additive[2]).all()
    assert effects.own_share[:2] == pytest.approx(1)
    assert np.isnan(effects.own_share[2])
    assert effects.reading == pytest.approx(
        [
            np.abs(data.observations(np.arange(400)).numpy()[:, k] - data.factors[:, k]).mean()
            / spread(data.factors[:, k].astype(float))
            for k in range(3)
        ]
    )
    assert effects.compactness[0] == pytest.approx(1)
    assert np.isnan(effects.compactness[2])
    assert "z1" in str(effects)


def test_an_effect_that_depends_on_the_rest_is_an_interaction():
    def product(z):
        return torch.stack([z[:, 0] * z[:, 1], z[:, 0], z[:, 0] + 2 * z[:, 0] * z[:, 2]], 1)

    effects = intervene(Exact(product), table(), lambda x: x.numpy(), n=400, settings=7)
    assert effects.additive[0, 0] < 0.1
    assert effects.additive[0, 1] == pytest.approx(1)
    assert 0.1 < effects.additive[0, 2] < 0.4  # 1 / (1 + 4)
    assert effects.low[0, 0] < effects.effect[0, 0] < effects.high[0, 0]


def test_classes_and_angles_have_their_own_distance():
    values = np.stack([np.arange(400) % 3, np.arange(400) % 2 * 4], 1)
    values[0, 1] = 7  # eight levels
    data = table(dims=2, values=values, kinds=["nominal", "angle"])

    def classes(x):
        turn = torch.where(x[:, 1] > 0, 7.5, 0.5)  # one level apart, across the seam
        return np.stack([(x[:, 0] > 0).numpy() * 2, turn.numpy()], 1)

    effects = intervene(Exact(lambda z: z), data, classes, n=400, settings=2)
    # two settings, always on different sides: the class changes every time
    share = (values[:, 0, None] != values[None, :, 0]).sum() / (400 * 399)
    assert effects.effect[0, 0] == pytest.approx(1 / share, rel=1e-3)
    one, two = np.triu_indices(400, 1)
    away = np.abs(values[one, 1] - values[two, 1])
    assert effects.effect[1, 1] == pytest.approx(1 / np.minimum(away, 8 - away).mean())
    assert effects.effect[0, 1] == 0


def test_a_factor_answers_where_its_effect_is_above_the_errors():
    """The second factor is decoded with the noise of the first: its roundtrip is as large."""
    values = np.random.default_rng(0).integers(0, 7, (400, 2))
    data = table(dims=2, values=values, kinds=["real", "real"])
    exact = torch.from_numpy(values).float()
    x = {tuple(row.tolist()): k for k, row in enumerate(data.observations(np.arange(400)))}

    def decoded(z):
        rows = [x.get(tuple(row.tolist())) for row in z]
        known = torch.stack([exact[k, 0] if k is not None else z[i, 0] for i, k in enumerate(rows)])
        return torch.stack([known, z[:, 0] + 20], 1)

    effects = intervene(Exact(decoded), data, lambda x: x.numpy(), n=400)
    assert effects.roundtrip[0] == 0
    assert effects.roundtrip[1] > 1
    assert effects.low[0, 1] > 0.1
    assert effects.answers.tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize("by", [1, 2, 4])
def test_the_tunnels_renderer_is_inverted(by):
    data = LightTunnel(n=300, seed=3)
    smaller = data if by == 1 else Downsampled(data, by)
    v = data.factors
    read = tunnel_reader(by)(smaller.observations(np.arange(300)))
    turned = np.abs(read[:, 3:] - v[:, 3:])
    assert np.minimum(turned, 180 - turned).max() <= by - 1
    light = np.cos(np.deg2rad(v[:, 3] - v[:, 4])) ** 2
    dull = (light > 0.2) & (v[:, :3].max(1) / 255 * light < 0.94)  # brighter ones are clipped
    if by < 4:
        assert np.abs(read[dull, :3] - v[dull, :3]).max() <= 1
    picked = reader_of(Subset(smaller, np.arange(100)))(smaller.observations(np.arange(300)))
    np.testing.assert_array_equal(picked, read)


def test_other_pictures_are_read_by_search():
    tiny = Downsampled(LightTunnel(n=50), 8)
    read = reader_of(tiny)(tiny.observations(np.arange(50)))
    np.testing.assert_array_equal(read, tiny.factors)
    with pytest.raises(ValueError, match="by is 8; expected 1, 2 or 4"):
        tunnel_reader(8)
    with pytest.raises(ValueError, match="by is 0"):
        tunnel_reader(0)


def test_a_renderer_is_inverted_by_search():
    data = ut.data.LightTunnel(n=500)
    read = nearest_reader(data, n=500)
    rows = np.arange(0, 500, 50)
    np.testing.assert_array_equal(read(data.observations(rows)), data.factors[rows])


def test_what_cannot_be_set_is_refused():
    data = table()
    with pytest.raises(ValueError, match="dims has 7; the code has dimensions 0 to 2"):
        intervene(Exact(lambda z: z), data, lambda x: x.numpy(), dims=[7])
    with pytest.raises(ValueError, match=r"reader returns an array .*expected"):
        intervene(Exact(lambda z: z), data, lambda x: x.numpy()[:, :1])
    with pytest.raises(TypeError, match="method is 3; expected an object"):
        intervene(3, data)
    with pytest.raises(ValueError, match="level is 2"):
        intervene(Exact(lambda z: z), data, level=2)


def chain(n, noise):
    """a -> b -> c <- d, linear."""
    a, d = noise(n), noise(n)
    b = 0.8 * a + noise(n)
    return np.stack([a, b, 0.7 * b + 0.9 * d + noise(n), d], 1)


TRUE = np.zeros((4, 4))
TRUE[0, 1], TRUE[1, 2], TRUE[3, 2] = 0.8, 0.7, 0.9


@pytest.mark.parametrize("way", ["pc", "ges"])
def test_the_equivalence_class_of_a_linear_gaussian_model(way):
    """The collider at c orients b -> c and d -> c; a -- b stays open."""
    pytest.importorskip("causallearn")
    rng = np.random.default_rng(0)
    graph = discover(chain(5000, lambda n: rng.normal(size=n)), "abcd", way)
    result = agreement(graph, TRUE)
    assert result.f1 == 1
    assert result.directions == pytest.approx(2 / 3)
    assert (result.reversed, result.distance) == (0, 1)
    assert str(graph) == "b -> c, d -> c, a -- b"


def test_uniform_noise_tells_all_directions():
    pytest.importorskip("causallearn")
    rng = np.random.default_rng(0)
    graph = discover(chain(3000, lambda n: rng.uniform(-1, 1, n)), "abcd", "lingam")
    result = agreement(graph, TRUE)
    assert (result.f1, result.directions, result.distance) == (1, 1, 0)


def test_agreement_by_hand():
    arrows = np.zeros((4, 4), bool)
    arrows[1, 0] = arrows[1, 2] = arrows[0, 3] = True  # one reversed, one right, one too many
    result = agreement(CausalGraph(tuple("abcd"), arrows, arrows & False), TRUE)
    assert (result.precision, result.recall) == (2 / 3, 2 / 3)
    assert result.f1 == pytest.approx(2 / 3)
    assert (result.directions, result.reversed, result.distance) == (
        pytest.approx(1 / 3),
        pytest.approx(1 / 3),
        3,
    )
    # of 6 places 3 are true: an edge at random hits half of the time
    assert result.chance == pytest.approx(0.5, abs=0.04)
    none = agreement(CausalGraph(tuple("abcd"), arrows & False, arrows & False), TRUE)
    assert (none.f1, none.recall, none.distance) == (0, 0, 3)
    assert np.isnan(none.precision)


def test_the_variables_of_the_light_tunnel_have_its_skeleton():
    pytest.importorskip("causallearn")
    data = ut.data.LightTunnel(n=3000)
    assert agreement(discover(data.factors, NAMES, "pc"), data.weights).f1 == 1
    result = agreement(discover(data.factors, NAMES, "lingam"), data.weights)
    assert result.f1 > 0.8


def test_dimensions_are_matched_once_each():
    v = np.random.default_rng(0).normal(size=(500, 3))
    z = np.stack([-v[:, 2], v[:, 0] ** 3, 0.0 * v[:, 0], v[:, 1] + 0.1 * v[:, 0]], 1)
    assert match(z, v).tolist() == [1, 3, 0]
    with pytest.raises(ValueError, match="codes has 2 dimensions; expected at least 3"):
        match(z[:, :2], v)


def test_errors_of_discovery():
    with pytest.raises(ValueError, match="way is 'fci'; expected one of 'pc'"):
        discover(np.eye(4), way="fci")
    with pytest.raises(ValueError, match="values of 'z1' are all the same"):
        discover(np.stack([np.arange(5.0), np.ones(5)], 1))
    with pytest.raises(ValueError, match="names has 1 entries; expected 4"):
        discover(np.eye(4), ["a"])

"""Kinds of factors in every metric: measurements are no classes, angles have no ends."""

import numpy as np
import pandas as pd
import pytest

import untwine as ut
from untwine import metrics as um
from untwine.data import FactorSpace
from untwine.encoding import Codes
from untwine.evaluation.read import read
from untwine.metrics.registry import METRICS

RNG = np.random.default_rng(0)
N = 3000
AGE = RNG.integers(18, 90, N)  # whole numbers, but measurements
SEX = RNG.integers(0, 2, N)
PEOPLE = np.stack([AGE, SEX], axis=1)
HALVES = PEOPLE + np.array([0.5, 0.0])
KINDS = ["real", "nominal"]
CODES = np.stack([AGE + RNG.normal(0, 1, N), SEX + RNG.normal(0, 0.1, N), RNG.normal(size=N)], 1)

TURN = RNG.uniform(0, 2 * np.pi, N)
CIRCLE = np.stack([np.cos(TURN), np.sin(TURN), RNG.normal(size=N)], axis=1)


def test_ages_are_no_classes_for_dci():
    classes = um.dci(CODES, PEOPLE, predictor="fast")
    numbers = um.dci(CODES, PEOPLE, predictor="fast", kinds=KINDS)
    assert classes.parts["informativeness_per_factor"][0] < 0.5
    assert numbers.parts["informativeness_per_factor"] == pytest.approx([1, 1], abs=0.02)
    assert numbers.protocol["kinds"] == KINDS
    assert "kinds" not in classes.protocol
    halves = um.dci(CODES, HALVES, predictor="fast")  # fractions are real as they are
    assert float(numbers) == pytest.approx(float(halves), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("mig", {}),
        ("mig_sup", {}),
        ("modularity", {}),
        ("dcimig", {}),
        ("jemmig", {}),
        ("infomec", {"points": 500}),
        ("sap", {}),
        ("readout", {"blocks": {"a": [0], "b": [1, 2]}}),
    ],
)
def test_ages_are_measured_as_if_they_had_fractions(name, settings):
    """A number that is added to all ages, and makes them fractions, changes no score."""

    def value(factors, **kinds):
        score = getattr(um, name)(CODES, factors, **settings, **kinds)
        return score.parts.get("infoe", score.value)

    assert value(PEOPLE, kinds=KINDS) == pytest.approx(value(HALVES), abs=1e-9)
    assert value(PEOPLE, kinds=KINDS) != pytest.approx(value(PEOPLE), abs=1e-3)


def test_kinds_win_where_something_is_stated_and_the_switch_decides_the_rest():
    everything = um.mig(CODES, PEOPLE, continuous_factors=True)
    assert everything.protocol["binned_factors"] == [0, 1]
    assert um.mig(CODES, PEOPLE, kinds=KINDS).protocol["binned_factors"] == [0]
    both = um.mig(CODES, PEOPLE, kinds=[None, "nominal"], continuous_factors=True)
    assert both.protocol["binned_factors"] == [0]
    levels = um.mig(CODES, HALVES, kinds=["ordinal", "nominal"])
    assert "binned_factors" not in levels.protocol


@pytest.mark.parametrize("name", ["explicitness", "downstream_accuracy", "unfairness", "ari"])
def test_classifiers_refuse_measurements(name):
    with pytest.raises(ValueError, match="factor 0 is continuous"):
        getattr(um, name)(CODES, PEOPLE, kinds=KINDS)


def test_whole_measurements_can_be_held_at_a_value():
    assert 0 < float(um.irs(CODES, PEOPLE, kinds=KINDS, exact=True)) <= 1
    with pytest.raises(ValueError, match="factor 0 is continuous"):
        um.irs(CODES, HALVES, exact=True)


def test_an_angle_is_its_cosine_and_sine():
    angle = TURN[:, None]
    assert float(um.r2(CIRCLE, angle)) < 0.8  # as a number it jumps from 2 pi to 0
    assert float(um.r2(CIRCLE, angle, kinds=["angle"])) == pytest.approx(1, abs=1e-9)
    # corr(cos, (cos, sin)) is 1 in the limit, whatever the angle counts from
    for zero in (0.0, 1.0, 4.0):
        turned = (TURN + zero)[:, None] % (2 * np.pi)
        score = um.mcc(CIRCLE, turned, kinds=["angle"])
        assert float(score) == pytest.approx(1, abs=1e-3)
        r2 = um.r2(CIRCLE[:, :1], turned, kinds=["angle"])
        assert float(r2) == pytest.approx(0.5, abs=0.03)  # one coordinate of two
    assert float(um.sap(CIRCLE, angle, kinds=["angle"])) < 0.1  # cosine and sine tell as much
    readout = um.readout(CIRCLE, angle, blocks={"turn": [0, 1], "rest": [2]}, kinds=["angle"])
    assert readout.parts["matrix"][:, 0] == pytest.approx([1, 0], abs=0.01)
    dci = um.dci(CIRCLE, angle, predictor="fast", kinds=["angle"])
    assert dci.parts["informativeness"] == pytest.approx(1, abs=0.02)
    importance = dci.parts["importance"][:, 0]
    assert importance == pytest.approx([0.5, 0.5, 0], abs=0.05)


def test_multiple_correlation_with_an_angle_against_a_regression():
    z = np.stack([np.cos(TURN) + RNG.normal(size=N), np.sin(2 * TURN)], axis=1)
    x = np.stack([np.ones(N), np.cos(TURN), np.sin(TURN)], axis=1)
    fit = x @ np.linalg.lstsq(x, z, rcond=None)[0]
    expected = np.sqrt(fit.var(0) / z.var(0))
    assert um.mcc(z, TURN[:, None], kinds=["angle"]).parts["matrix"][:, 0] == pytest.approx(
        expected
    )


def test_classes_have_no_order():
    """Naming the classes otherwise changes nothing; the value is the correlation ratio."""
    kind = RNG.integers(0, 3, N)
    z = np.array([0.0, 5.0, 1.0])[kind][:, None] + RNG.normal(size=(N, 1))
    means = np.array([z[kind == k].mean() for k in range(3)])
    ratio = np.sqrt(means[kind].var() / z.var())
    for order in ([0, 1, 2], [0, 2, 1], [2, 0, 1]):
        names = np.array(order)[kind][:, None]
        assert float(um.mcc(z, names, kinds=["nominal"])) == pytest.approx(ratio)
        assert float(um.r2(np.eye(3)[kind], names, kinds=["nominal"])) == pytest.approx(1)
    assert float(um.mcc(z, kind[:, None])) < 0.5


def test_a_whole_angle_is_refused():
    with pytest.raises(ValueError, match="factor 0 is an angle, but has whole numbers only"):
        um.r2(CODES, PEOPLE, kinds=["angle", None])


@pytest.mark.parametrize("kinds", [["real"], "real", ["size", None]])
def test_kinds_that_do_not_fit_are_refused(kinds):
    with pytest.raises(ValueError, match="kinds"):
        um.mig(CODES, PEOPLE, kinds=kinds)


def test_a_metric_of_one_number_refuses_an_angle():
    with pytest.raises(ValueError, match="dci_es: factor 0 is an angle"):
        um.dci_es(CIRCLE, TURN[:, None], kinds=["angle"])


def test_every_metric_of_factors_takes_kinds():
    metrics = [m for m in METRICS.values() if "factors" in m.needs]
    assert len(metrics) > 25
    assert all(m.takes("kinds") for m in metrics)


def test_evaluate_asks_the_space():
    space = FactorSpace(("age", "sex"), (90, 2), ("real", "nominal"))
    codes = Codes(CODES, None, PEOPLE, space)
    names = ["mig", "dci", "r2", "mcc"]
    scores = ut.evaluate(codes, metrics=names, confidence=None)
    stated = ut.evaluate(CODES, PEOPLE, names, confidence=None, kinds=KINDS)
    by_name = ut.evaluate(
        Codes(CODES, None, PEOPLE, FactorSpace(("age", "sex"), (90, 2))),
        metrics=names,
        confidence=None,
        kinds={"age": "real", "sex": "nominal"},
    )
    for name in names:
        assert scores[name].value == stated[name].value == by_name[name].value
        assert scores[name].protocol["kinds"] == KINDS
    assert scores["dci"].parts["informativeness"] > 0.95
    with pytest.raises(ValueError, match="kinds= is of the factors, not of a metric"):
        ut.evaluate(codes, metrics={"mig": {"kinds": KINDS}})


def test_evaluate_turns_the_angles_of_a_space_into_radians():
    steps = RNG.integers(0, 40, N)
    turn = 2 * np.pi * steps / 40
    codes = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    space = FactorSpace(("still", "turn"), (3, 40), (None, "angle"))
    factors = np.stack([np.zeros(N, int), np.where(np.arange(N) < 9, -1, steps)], axis=1)
    scores = ut.evaluate(Codes(codes, None, factors, space), metrics="r2", confidence=None)
    assert scores["r2"].value == pytest.approx(1)
    assert scores.names == ("turn",)
    assert scores["r2"].protocol["unknown_rows_left_out"] == [9]


def test_files_and_tables_say_kinds(tmp_path):
    np.savez(tmp_path / "a.npz", codes=CODES, factors=PEOPLE, kinds=["real", ""])
    table = read(tmp_path / "a.npz")
    assert table.kinds == ("real", None)
    scores = ut.evaluate(table, metrics="dci", confidence=None)
    assert scores["dci"].protocol["kinds"] == ["real", None]
    frame = pd.DataFrame(CODES, columns=["z0", "z1", "z2"])
    frame["factor_age"], frame["factor_sex"] = AGE, np.array(["f", "m"])[SEX]
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert read(tmp_path / "a.csv").kinds == (None, "nominal")
    direct = ut.evaluate(CODES, frame[["factor_age", "factor_sex"]], "mcc", confidence=None)
    assert direct["mcc"].protocol["kinds"] == [None, "nominal"]


def test_levels_have_an_order_for_those_metrics_that_say_so():
    factors = np.stack([RNG.integers(0, 3, 400), RNG.integers(0, 4, 400)], axis=1)
    codes = np.stack([(factors[:, 0] == 1) * 1.0, factors[:, 1] * 1.0], 1)
    codes += RNG.normal(0, 0.1, codes.shape)
    names = [m.name for m in METRICS.values() if "factors" in m.needs and m.rows != "table"]
    names = [n for n in names if n not in ("dci_es", "reduced_downstream")]  # slow ones of classes
    kinds = {"nominal": ["nominal"] * 2, "ordinal": ["ordinal"] * 2}
    scores = {
        kind: ut.evaluate(codes, factors, names, kinds=stated, label=0, batch=1)
        for kind, stated in kinds.items()
    }
    assert len(scores["ordinal"]) > 20
    for name, score in scores["ordinal"].scores.items():
        other = scores["nominal"][name]
        assert "kinds" not in score.protocol
        assert ("kinds" in other.protocol) == METRICS[name].orders
        assert METRICS[name].orders or score == other
    assert scores["ordinal"]["mcc"] < scores["nominal"]["mcc"] - 0.1
    halves = ut.evaluate(codes, factors / 2, "mig", kinds=kinds["ordinal"])
    assert halves["mig"].protocol["kinds"] == kinds["ordinal"]


def test_built_in_sets_say_kinds_that_leave_published_protocols_as_they_are():
    data = ut.data.DSprites()
    assert data.space.kinds == ("nominal", *["ordinal"] * 4)
    rows = np.random.default_rng(0).choice(len(data), 2000, replace=False)
    factors = data.factors[rows]
    codes = factors + RNG.normal(0, 1, factors.shape)
    space = FactorSpace(data.space.names, data.space.sizes)
    stated, silent = (
        ut.evaluate(Codes(codes, None, factors, s), metrics=["mig", "sap", "modularity", "irs"])
        for s in (data.space, space)
    )
    for name, score in silent.scores.items():
        assert stated[name] == score
    turn = ut.evaluate(
        Codes(codes, None, factors, data.space), metrics="mcc", kinds={"orientation": "angle"}
    )
    assert turn["mcc"].protocol["kinds"][2] == "angle"


def test_bins_without_a_point_cost_no_information():
    """The aggregate posterior of a class that nobody is in, as between levels of a measurement."""
    levels = RNG.integers(0, 4, 500)
    mean, stddev = (levels + RNG.normal(0, 0.1, 500))[:, None], np.full((500, 1), 0.1)
    binned = um.mig(mean, levels, protocol="chen2018", stddev=stddev, kinds=["real"])  # 20 bins
    classes = um.mig(mean, levels, protocol="chen2018", stddev=stddev)
    assert binned == pytest.approx(classes, abs=1e-12)
    assert binned > 0.9

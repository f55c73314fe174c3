"""What is true of every metric: one law, run over `untwine.metrics.__all__`."""

import importlib
import inspect
import json
import math
import pickle
import pkgutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

import untwine.metrics as metrics
from untwine.metrics import METRICS, Score, registry
from untwine.metrics.registry import GROUPS, entry, table

SIZES = (3, 4, 5)
QUICK = {
    "beta_vae_score": {"train": 300, "test": 150},
    "factor_vae_score": {"votes": 300, "test_votes": 150},
    "z_max_var": {"votes": 300, "test_votes": 150, "batch": 20},
    "dci": {"predictor": "logistic"},
    "downstream_accuracy": {"predictor": "logistic"},
    "sample_efficiency": {"predictor": "logistic", "few": 30, "labels": (30,)},
    "unfairness": {"predictor": "logistic"},
    "aggregate_total_correlation": {"samples": 200},
    "model_centrality": {"votes": 100},
    "dci_es": {"depths": (1, 2, 4, 8), "trees": 5},
    "reduced_downstream": {"predictor": "logistic"},
    "strong_downstream": {"predictor": "logistic", "experiments": 3},
}
BLOCKS = [[0, 1], [2, 3]]


REGRESSION = {"dci": {"predictor": "lasso"}}


def world(noise, n=600, seed=0, dims=4):
    """Three factors on a grid, each on its own dimension, and one dimension of noise."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.unravel_index(np.arange(60), SIZES), axis=1)
    factors = np.tile(grid, (n // 60, 1))
    scaled = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    codes = np.concatenate([scaled, rng.normal(size=(n, dims - 3))], axis=1)
    codes = (1 - noise) * codes + noise * rng.normal(size=codes.shape)
    return codes, factors


def call(name, codes, factors, **settings):
    """The metric with what it asks for."""
    metric = METRICS[name]
    settings = QUICK.get(name, {}) | settings
    if "a set of runs" in metric.needs:
        rng = np.random.default_rng(1)
        codes = np.asarray(codes, dtype=np.float64)
        size = settings.pop("size", 0.01)
        noise = [size * rng.normal(size=codes.shape) for _ in range(3)]
        return metric.function([codes + e for e in noise], **settings)
    if "stddev" in metric.needs:
        settings = {"stddev": np.full(np.shape(codes), 0.1)} | settings
    if "blocks" in metric.needs:
        settings = {"blocks": BLOCKS} | settings
    if metric.takes("batch") and "batch" in metric.needs:
        settings = {"batch": np.arange(len(codes)) % 2} | settings
    return metric.call(codes, factors, seed=0, settings=settings)


def those(condition):
    """Runs a law over the metrics for which it says something."""
    return pytest.mark.parametrize("name", [n for n, m in METRICS.items() if condition(m)])


supervised = those(lambda m: "factors" in m.needs)


def mig(codes):
    """Another function of that name."""
    return Score(0.0)


named_mig = mig


@pytest.fixture(params=metrics.__all__)
def name(request):
    return request.param


@pytest.fixture
def metric(name):
    return METRICS[name]


# the package


def test_the_package_holds_the_functions(name, metric):
    function = getattr(metrics, name)
    assert inspect.isfunction(function)
    assert function is metric.function
    assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize(
    "first",
    [
        "import untwine.metrics._mig",
        "import untwine.metrics._mig as m",
        "from untwine.metrics._dci import dci",
        "import untwine.evaluation.suite; import untwine.metrics._udr",
        "import importlib; importlib.import_module('untwine.metrics._infomec')",
    ],
)
def test_importing_a_module_does_not_hide_its_function(first):
    code = (
        f"{first}\nimport inspect, untwine as ut, untwine.metrics\n"
        "assert all(inspect.isfunction(getattr(ut.metrics, n)) for n in ut.metrics.__all__)\n"
        "assert callable(ut.evaluate) and ut.evaluate is ut.metrics.evaluate"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_metric_is_the_only_thing_of_its_name(name, metric):
    """No module can be taken for the function: it stands in a private one of its name."""
    assert metric.function.__module__ == f"untwine.metrics._{name}"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"untwine.metrics.{name}")


def test_every_private_module_holds_a_metric():
    modules = {m.name for m in pkgutil.iter_modules(metrics.__path__) if not m.ispkg}
    assert {m for m in modules if m.startswith("_")} == {f"_{name}" for name in METRICS}


def test_a_metric_of_ones_own_is_evaluated_like_the_others():
    assert "spread" not in registry.METRICS

    @metrics.metric(
        low=0.0, high=math.inf, higher_is_better=None, captures=("information",),
        paper="me", link="https://example.org", source="none",
    )  # fmt: skip
    def spread(codes, *, power=2):
        """The codes' mean power."""
        return Score(np.mean(np.abs(codes) ** power), protocol={"power": power}, name="spread")

    scores = metrics.evaluate(np.full((20, 2), 3.0), metrics={"spread": {"power": 1}})
    assert scores["spread"].value == 3.0
    assert "spread" in registry.GROUPS["unsupervised"]
    with pytest.raises(ValueError, match=r"a metric .mig. in untwine\.metrics\._mig"):
        metrics.metric(
            low=0.0, high=1.0, higher_is_better=None, captures=("information",),
            paper="me", link="https://example.org", source="none",
        )(named_mig)  # fmt: skip
    del registry.METRICS["spread"]
    assert "spread" not in registry.GROUPS["all"]


def test_importing_the_metrics_is_light():
    code = "import sys, untwine.metrics; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"lightning", "sklearn", "scipy", "matplotlib", "pandas", "lightgbm", "rich"}
    assert not heavy & set(out.stdout.split())
    assert "torchmetrics" not in out.stdout.split()


# the signature and the docstring


def test_signature_is_codes_factors_and_named_settings(metric):
    parameters = list(inspect.signature(metric.function).parameters.values())
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    if "a set of runs" in metric.needs:
        assert positional[0] == "runs"
    elif "blocks" in metric.needs:
        assert positional == ["codes", *(["factors"] * ("factors" in metric.needs)), "blocks"]
    elif "stddev" in metric.needs:
        assert positional[0] in ("codes", "mean")
        assert positional[1:] == ["stddev"]
    else:
        assert positional == ["codes", "factors"]
    required = [p.name for p in parameters if p.default is p.empty]
    assert ("factors" in required) == ("factors" in metric.needs)


def test_docstring_has_its_sections(metric):
    text = inspect.getdoc(metric.function)
    for section in ("Args:", "Shape:", "Raises:", "References:", "Example:", ".. math::"):
        assert section in text, section
    assert "Range:" in text or "From 0" in text
    for setting in metric.settings:
        assert f"\n    {setting}: " in text, f"{setting} is not documented"


# the metadata


def test_value_is_within_the_stated_range(name, metric):
    for noise in (0.0, 0.5, 1.0):
        value = float(call(name, *world(noise)))
        assert metric.low - 1e-9 <= value <= metric.high + 1e-9
    constant = np.zeros((600, 4))
    if "a set of runs" not in metric.needs:  # runs that have all collapsed are refused
        value = float(call(name, constant, world(0.0)[1]))
        assert metric.low <= value <= metric.high


# Of a code of noise, no prediction depends on a sensitive factor, few labels are as good as many,
# InfoM is the share of the largest of several estimates near zero, and more capacity is no help.
BLIND = {"unfairness", "sample_efficiency", "infomec", "dci_es"}


@those(lambda m: m.higher_is_better is not None and m.name not in BLIND)
def test_better_is_better(name, metric):
    codes, factors = world(0.0)
    worse, _ = world(1.0)
    if metric.captures == ("independence",):  # the worse code has two dimensions that agree
        worse = codes.copy()
        worse[:, 2] = worse[:, 1] + 0.01 * worse[:, 2]
    if "a set of runs" in metric.needs:  # whose noise is small or large
        score = {size: float(call(name, codes, factors, size=size)) for size in (0.01, 3.0)}
        good, bad = score[0.01], score[3.0]
    else:
        good, bad = float(call(name, codes, factors)), float(call(name, worse, factors))
    assert (good > bad) if metric.higher_is_better else (good < bad)


def test_infoe_is_better_for_the_better_code():
    parts = [call("infomec", *world(noise)).parts["infoe"] for noise in (0.0, 0.5, 1.0)]
    assert parts[0] > parts[1] > parts[2]


def test_entry_is_complete(metric):
    assert metric.low < metric.high
    assert metric.captures
    assert metric.link.startswith("https://")
    assert metric.link in inspect.getdoc(metric.function)
    assert metric.summary[0].isupper()
    assert len(metric.summary) < 100
    assert set(metric.suite) <= set(metric.settings)
    assert metric.source == metric.settings.get("protocol", metric.source)


def test_the_table_has_a_row_for_each():
    lines = table().splitlines()
    assert len(lines) == len(METRICS) + 2
    assert len({line.count("|") for line in lines}) == 1
    assert set(GROUPS["classic"]) <= set(METRICS)


@pytest.mark.parametrize(
    ("given", "expected"), [("MIG", "mig"), ("factorvae", "factor_vae_score"), ("dcl", "dci")]
)
def test_unknown_metrics_have_close_matches(given, expected):
    with pytest.raises(
        ValueError, match=f"there is no metric '{given}': did you mean .*'{expected}'"
    ):
        entry(given)


# the score


def test_score_says_how_it_was_made(name):
    score = call(name, *world(0.3))
    assert isinstance(score, Score)
    assert score.name == name
    assert score.protocol
    if METRICS[name].takes("seed"):
        assert score.protocol["seed"] == 0
    again = Score.from_dict(json.loads(json.dumps(score.to_dict())))
    assert again.value == pytest.approx(score.value, nan_ok=True)
    assert set(again.parts) == set(score.parts)
    for part, value in score.parts.items():
        if isinstance(value, np.ndarray) and value.size:
            np.testing.assert_allclose(again.parts[part], value)


def test_per_factor_and_per_code_parts_have_that_length(name):
    score = call(name, *world(0.3))
    for part, value in score.parts.items():
        if part.endswith("per_factor"):
            assert np.shape(value) == (3,)
        if part.endswith("per_code"):
            assert np.shape(value) == (4,)


def test_same_seed_same_score_and_inputs_untouched(name):
    codes, factors = world(0.3)
    before = codes.copy(), factors.copy()
    one, two = call(name, codes, factors), call(name, codes, factors)
    assert one.value == two.value
    np.testing.assert_array_equal(codes, before[0])
    np.testing.assert_array_equal(factors, before[1])


# what people have


def test_tensors_frames_and_lists_score_as_arrays(name):
    codes, factors = world(0.3, n=300)
    expected = float(call(name, codes, factors))
    if "a set of runs" not in METRICS[name].needs:
        frame = pd.DataFrame(factors, columns=["a", "b", "c"])
        tensors = torch.tensor(codes, requires_grad=True), torch.tensor(factors)
        assert float(call(name, *tensors)) == pytest.approx(expected, abs=1e-12)
        assert float(call(name, pd.DataFrame(codes), frame)) == pytest.approx(expected, abs=1e-12)
        lists = codes.tolist(), factors.tolist()
        assert float(call(name, *lists)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", [np.int64, np.float32, np.float16])
def test_discrete_and_low_precision_codes(name, kind):
    codes, factors = world(0.0, n=300)
    codes = np.round(3 * codes).astype(kind)
    assert np.isfinite(float(call(name, codes, factors)))


@supervised
def test_partly_missing_factors(name):
    codes, factors = world(0.2)
    missing = np.random.default_rng(0).random(factors.shape) < 0.2
    integers = np.where(missing, -1, factors)
    floats = np.where(missing, np.nan, factors)
    one, two = call(name, codes, integers), call(name, codes, floats)
    assert one.value == two.value
    whole = float(call(name, codes, factors))
    assert abs(one.value - whole) < 0.15


@supervised
def test_continuous_factors_are_taken_or_refused_with_a_way_out(name, metric):
    codes, factors = world(0.2)
    mixed = factors.astype(np.float64)
    mixed[:, 2] += np.random.default_rng(0).uniform(-0.5, 0.5, len(mixed))
    try:
        score = call(name, codes, mixed, **REGRESSION.get(name, {}))
    except ValueError as error:
        assert "factor 2 is continuous" in str(error)  # noqa: PT017
        if metric.takes("bins"):
            assert "bins=" in str(error)  # noqa: PT017
            assert np.isfinite(float(call(name, codes, mixed, bins=5)))
        else:
            assert "bin it first" in str(error)  # noqa: PT017
    else:
        assert metric.low <= float(score) <= metric.high


@those(lambda m: m.takes("blocks") and "blocks" not in m.needs)
def test_blocks_are_columns_of_one_code(name, metric):
    codes, factors = world(0.2)
    one = {"components": 1} if name == "jemmig" else {}
    listed = call(name, codes, factors, blocks=[[0], [1], [2, 3]], **one)
    named = call(name, codes, factors, blocks={"a": [0], "b": [1], "c": [2, 3]}, **one)
    assert listed.value == named.value
    alone = call(name, codes, factors, blocks=[[j] for j in range(4)])
    assert alone.value == pytest.approx(call(name, codes, factors).value, abs=1e-12)
    assert metric.low <= listed.value <= metric.high
    with pytest.raises(ValueError, match="block"):
        call(name, codes, factors, blocks=[[0], [9]])


# bad input


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda z, v: (z[:-1], v), "codes has 599 rows but factors has 600"),
        (lambda z, v: (np.where(np.arange(600)[:, None] == 7, np.nan, z), v), r"\[7, 0\] is nan"),
        (lambda z, v: (z, np.where([True, False, False], 2, v)), "factor 0"),
        (lambda z, v: (z.astype(str), v), "holds <U"),
        (lambda z, v: (z[:1], v[:1]), "single value|few|1 point|value"),
        (lambda z, v: (z[:, :, None], v), r"shape \(600, 4, 1\)"),
    ],
)
@supervised
def test_bad_input_is_named(name, spoil, message):
    with pytest.raises(ValueError, match=message):
        call(name, *spoil(*world(0.2)))


@those(lambda m: "factors" not in m.needs)
def test_codes_that_are_no_numbers_are_named(name):
    codes, factors = world(0.2)
    codes[3, 1] = np.inf
    with pytest.raises(ValueError, match=r"\[3, 1\] is inf"):
        call(name, codes, factors)

"""Expressions of sweeps, and the names of the runs that they describe."""

import itertools

import pytest

from untwine.settings.errors import UsageError
from untwine.study import chain, fixed, planned, product, seeds, sweep, zip_
from untwine.study.sweeps import from_plain

BASE = fixed(method="BetaVAE", data="DSprites", steps=3)


def test_expressions_count_and_list_their_points():
    betas, sizes = sweep("method.beta", [1, 4]), sweep("batch_size", [8, 16, 32])
    points = list(product(BASE, betas, sizes, seeds(5)))
    assert len(points) == len(product(BASE, betas, sizes, seeds(5))) == 30
    expected = itertools.product([1, 4], [8, 16, 32], range(5))
    assert [(p["method.beta"], p["batch_size"], p["seed"]) for p in points] == list(expected)
    assert len(chain(betas, sizes)) == 5
    together = list(zip_(sweep("method.a", [1, 2]), sweep("method.b", [3, 4])))
    assert together == [{"method.a": 1, "method.b": 3}, {"method.a": 2, "method.b": 4}]


def test_an_expression_is_plain_data_and_back():
    one = BASE * chain(sweep("method.beta", [1, 4]), fixed({"method.beta": 9})) * seeds([3, 5])
    again = from_plain(one.plain())
    assert list(again) == list(one)
    assert again.plain() == one.plain()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"swep": {"steps": [1]}}, "did you mean sweep"),
        ({"sweep": {"steps": 3}}, "is no list of values"),
        ({"sweep": {"steps": []}}, "is empty"),
        ({"product": {"steps": 3}}, "expected a list of sweeps"),
        ({"fixed": 3}, "expected settings by name"),
        ({"seeds": 0}, "expected at least 1"),
        ({"seeds": "five"}, "expected a number of seeds"),
        ({"zip": [{"seeds": 2}, {"sweep": {"steps": [1]}}]}, "of one length"),
        ({"chain": []}, "none was given"),
        ({"fixed": {"steps": 1}, "seeds": 2}, "expected one of"),
        (3, "expected one of"),
    ],
)
def test_what_is_no_expression_is_refused_in_a_line(written, message):
    with pytest.raises(UsageError, match=message) as caught:
        from_plain(written)
    assert "\n" not in str(caught.value)


def test_two_parts_that_give_one_setting_are_refused():
    with pytest.raises(UsageError, match="two parts of a product give steps"):
        list(product(BASE, sweep("steps", [3, 4])))


def test_a_name_is_of_what_decides_the_weights():
    def name(**changes):
        point = {"method": "BetaVAE", "data": "DSprites", "steps": 3, **changes}
        (run,) = planned([{k.replace("__", "."): v for k, v in point.items()}])
        return run.name

    same = name(method__beta=4)
    assert same == name(method__beta=4.0, log_every=7, tags__note="other", seed=0)
    assert same == name(method={"class_path": "untwine.methods.BetaVAE", "init_args": {"beta": 4}})
    others = [
        name(method__beta=4, **change)
        for change in ({"seed": 1}, {"steps": 4}, {"batch_size": 32}, {"data": "ColorDSprites"})
    ]
    assert len({same, *others}) == 5
    assert len(same) == 12


def test_adding_points_keeps_the_names_of_the_others():
    few = planned(BASE * sweep("method.beta", [1, 4]) * seeds(2))
    many = planned(BASE * sweep("method.beta", [1, 2, 4]) * seeds(3))
    assert len(few) == 4
    assert len(many) == 9
    assert {r.name for r in few} <= {r.name for r in many}
    twice = planned(chain(BASE * seeds(2), BASE * seeds(3)))
    assert len(twice) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metod": "VAE"}, "did you mean method"),
        ({"method.bta": 3}, "did you mean beta"),
        ({"method.beta": "much"}, "expected float"),
        ({"method": "BtaVAE"}, "did you mean BetaVAE"),
        ({"data": "DSprits"}, "did you mean DSprites"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": None}, "steps is needed"),
        ({"seed": -1}, "seed is -1"),
        ({"precision": "16"}, "expected 32-true or bf16-mixed"),
        ({"init_from": "runs/a"}, "there is no setting 'init_from'"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_a_line(change, message):
    with pytest.raises(UsageError, match=message) as caught:
        planned([{"method": "BetaVAE", "data": "DSprites", "steps": 3, **change}])
    assert "\n" not in str(caught.value)
    assert "run 0" in str(caught.value)


@pytest.mark.parametrize("key", ["method", "data", "sampler", "method.net", "method.optimizer"])
@pytest.mark.parametrize("path", ["evil.Thing", "unittest.__main__.main", "torch.hub.load"])
def test_points_from_elsewhere_import_nothing(key, path):
    point = {"method": "VAE", "data": "DSprites", "steps": 3, key: path}
    for written in (point, {**point, key: {"class_path": path, "init_args": {}}}):
        with pytest.raises(UsageError, match=r"not a class that a spec may name.*--trust"):
            planned([written])


def test_objects_of_settings_and_their_arguments():
    (run,) = planned(
        BASE
        * fixed(
            {"method.beta": "Linear", "method.beta.start": 0, "method.beta.end": 4}
            | {"method.beta.steps": 10, "method.optimizer.lr": 1e-3}
        )
    )
    arguments = run.spec["method"]["init_args"]
    assert arguments["beta"]["class_path"] == "untwine.functional.Linear"
    assert arguments["beta"]["init_args"] == {"start": 0.0, "end": 4.0, "steps": 10}
    assert arguments["optimizer"]["init_args"]["lr"] == 1e-3
    assert run.method == "BetaVAE"

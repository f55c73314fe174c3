"""Kinds of factors: stated of spaces and data sets, kept by parts of them, read from files."""

import numpy as np
import pytest

from untwine.data import Cells, FactorDataset, FactorSpace, Multimodal
from untwine.spec import describe, instantiate

FACTORS = np.array([[0, 18, 3], [1, 89, 0], [0, 40, 1]])
NAMES = ["sex", "age", "orientation"]
KINDS = ("nominal", "real", "angle")


def make(**options):
    return FactorDataset.from_arrays(np.eye(3), FACTORS, NAMES, **options)


def test_kinds_are_given_in_order_or_by_name():
    assert make().space.kinds == (None, None, None)
    assert make(kinds=KINDS).space.kinds == KINDS
    assert make(kinds={"age": "real"}).space.kinds == (None, "real", None)


def test_a_space_without_kinds_is_what_it_was():
    space = FactorSpace(("a",), (3,))
    assert space == FactorSpace(("a",), (3,), (None,))
    assert repr(space) == "FactorSpace(names=('a',), sizes=(3,))"
    stated = FactorSpace(("a",), (3,), ("angle",))
    assert stated != space
    assert "kinds=('angle',)" in repr(stated)
    assert instantiate(describe(stated)) == stated


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (("real",), "expected one kind for each of"),
        ("real", "expected one kind for each of"),
        ({"height": "real"}, "kinds names factor 'height'; the factors are"),
        ({"age": "metric"}, "the kind of factor 'age' is 'metric'; expected 'nominal', 'ordinal'"),
    ],
)
def test_kinds_that_do_not_fit_are_refused(kinds, message):
    with pytest.raises(ValueError, match=message):
        make(kinds=kinds)


def test_parts_of_a_data_set_keep_the_kinds():
    data = make(kinds=KINDS)
    assert data.subset([0, 2]).space.kinds == KINDS
    assert [part.space.kinds for part in data.split(0.7)] == [KINDS, KINDS]
    assert Multimodal({"a": make(), "b": data}).space.kinds == KINDS


@pytest.mark.parametrize("key", ["factor_kinds", "kinds"])
def test_files_of_arrays_hold_kinds(tmp_path, key):
    arrays = {"x": np.eye(3), "factors": FACTORS, "factor_names": NAMES}
    np.savez(tmp_path / "set.npz", **arrays, **{key: ["nominal", "", "angle"]})
    data = FactorDataset.from_npz(tmp_path / "set.npz")
    assert data.space.kinds == ("nominal", None, "angle")
    assert instantiate(describe(data)).space.kinds == data.space.kinds
    other = FactorDataset.from_npz(tmp_path / "set.npz", kinds={"age": "real"})
    assert other.space.kinds == (None, "real", None)


def test_hdf5_holds_kinds(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "set.h5", "w") as file:
        file["x"], file["factors"] = np.eye(3), FACTORS
        file["factor_names"], file["factor_kinds"] = NAMES, list(KINDS)
    assert FactorDataset.from_h5(tmp_path / "set.h5").space.kinds == KINDS


def test_text_is_nominal_and_numbers_say_nothing():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"sex": ["f", "m", "f"], "dose": [0.5, None, 2.0], "age": [18, 89, 40]})
    table["stage"] = pd.Categorical(["b", "a", "b"], ["b", "a"], ordered=True)
    data = FactorDataset.from_arrays(np.eye(3), table, kinds={"age": "real"})
    assert data.space.kinds == ("nominal", None, "real", "ordinal")
    assert FactorDataset.from_arrays(np.eye(3), np.array([0.5, None, 2], object)).space.kinds == (
        None,
    )


def test_categories_of_cells_are_nominal_or_in_their_order():
    anndata, pd = pytest.importorskip("anndata"), pytest.importorskip("pandas")
    adata = anndata.AnnData(np.eye(3, dtype=np.float32))
    adata.obs["type"] = pd.Categorical(["b", "a", "b"])
    adata.obs["stage"] = pd.Categorical(["late", "early", "late"], ["early", "late"], ordered=True)
    adata.obs["age"] = [18, 89, 40]
    data = Cells(adata)
    assert dict(zip(data.space.names, data.space.kinds, strict=True)) == {
        "type": "nominal",
        "stage": "ordinal",
    }
    columns = {"factors": ["age", "type"], "kinds": {"age": "real"}}
    assert Cells(adata, **columns).space.kinds == ("real", "nominal")

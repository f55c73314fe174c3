"""`untwine measure` reads codes and factors from what people have."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import untwine
from untwine.evaluation.read import Table, read


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    factors = rng.integers(3, size=(30, 2))
    codes = factors + 0.1 * rng.normal(size=(30, 2))
    return codes, factors


def frame(codes, factors):
    return pd.DataFrame(
        {
            "z0": codes[:, 0],
            "factor_shape": np.array(["ellipse", "heart", "square"])[factors[:, 0]],
            "z1": codes[:, 1],
            "factor_scale": factors[:, 1],
            "comment": "x",
        }
    )


def test_npz_by_convention(tmp_path, arrays):
    codes, factors = arrays
    np.savez(
        tmp_path / "a.npz",
        codes=codes,
        factors=factors,
        stddev=np.ones_like(codes),
        names=["shape", "scale"],
    )
    table = read(tmp_path / "a.npz")
    np.testing.assert_array_equal(table.mean, codes)
    np.testing.assert_array_equal(table.factors, factors)
    np.testing.assert_array_equal(table.stddev, np.ones_like(codes))
    assert table.names == ("shape", "scale")
    assert len(table) == 30


def test_npz_with_a_test_part_and_named_arrays(tmp_path, arrays):
    codes, factors = arrays
    np.savez(
        tmp_path / "a.npz",
        codes_train=codes[:20],
        factors_train=factors[:20],
        codes_test=codes[20:],
        factors_test=factors[20:],
    )
    table = read(tmp_path / "a.npz")
    np.testing.assert_array_equal(table.codes_test, codes[20:])
    np.testing.assert_array_equal(table.factors_test, factors[20:])
    table = read(tmp_path / "a.npz", codes="codes_test", factors="factors_test")
    np.testing.assert_array_equal(table.mean, codes[20:])


def test_text_is_the_same_number_in_both_parts(tmp_path):
    np.savez(
        tmp_path / "a.npz",
        codes=np.zeros((3, 1)),
        factors=np.array(["red", "blue", "red"]),
        codes_test=np.zeros((2, 1)),
        factors_test=np.array(["red", "green"]),
    )
    table = read(tmp_path / "a.npz")
    assert table.factors[:, 0].tolist() == [2, 0, 2]
    assert table.factors_test[:, 0].tolist() == [2, 1]
    assert table.values == {"factor_0": ("blue", "green", "red")}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_tables_by_convention(tmp_path, arrays, suffix):
    codes, factors = arrays
    path = tmp_path / f"a{suffix}"
    if suffix == ".parquet":
        frame(*arrays).to_parquet(path)
    else:
        frame(*arrays).to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    table = read(path)
    np.testing.assert_allclose(table.mean, codes, rtol=1e-12)
    np.testing.assert_array_equal(table.factors, factors)  # text is coded in sorted order
    assert table.names == ("shape", "scale")
    assert table.values == {"shape": ("ellipse", "heart", "square")}


def test_columns_by_name_and_pattern(tmp_path, arrays):
    codes, factors = arrays
    columns = {"a_1": codes[:, 0], "a_2": codes[:, 1], "kind": factors[:, 0]}
    pd.DataFrame(columns).to_csv(tmp_path / "a.csv", index=False)
    table = read(tmp_path / "a.csv", codes="a_*", factors=["kind"])
    np.testing.assert_allclose(table.mean, codes)
    assert table.names == ("kind",)
    table = read(tmp_path / "a.csv", codes="a_2, a_1", factors="kind")
    np.testing.assert_allclose(table.mean, codes[:, ::-1])


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("z0,z0,factor_a", "2 columns are called 'z0'"),
        ("z0,factor_a,factor_a", "2 columns are called 'factor_a'"),
        ("z0,factor_a,factors_a", "2 factors are called 'a'"),
    ],
)
def test_names_that_come_twice_in_a_table_are_refused(tmp_path, suffix, header, said):
    text = f"{header}\n1,2,3\n4,5,6\n"
    path = tmp_path / f"a{suffix}"
    path.write_text(text if suffix == ".csv" else text.replace(",", "\t"))
    with pytest.raises(ValueError, match=rf"a{suffix}: {said}: give each"):
        read(path)


def test_names_that_come_twice_in_arrays_are_refused(tmp_path, arrays):
    codes, factors = arrays
    np.savez(tmp_path / "a.npz", codes=codes, factors=factors, names=["shape", "shape"])
    with pytest.raises(ValueError, match=r"a.npz: 2 factors are called 'shape'"):
        read(tmp_path / "a.npz")


def test_an_empty_cell_is_an_unknown_factor(tmp_path):
    (tmp_path / "a.csv").write_text("z0,factor_a,factor_b\n0,1,red\n1,,blue\n2,3,\n")
    table = read(tmp_path / "a.csv")
    assert table.factors.tolist() == [[1, 1], [-1, 0], [3, -1]]


def test_continuous_and_text_factors_together(tmp_path):
    (tmp_path / "a.csv").write_text("z0,factor_a,factor_b\n0,0.5,red\n1,-1.5,blue\n2,2.0,\n")
    table = read(tmp_path / "a.csv")
    expected = [[0.5, 1], [-1.5, 0], [2.0, np.nan]]
    np.testing.assert_array_equal(table.factors, expected)


def test_h5ad(tmp_path, arrays):
    anndata = pytest.importorskip("anndata")
    codes, factors = arrays
    index = [f"cell{i}" for i in range(30)]
    with (  # otherwise anndata cannot write the text that pandas 3 makes
        pd.option_context("mode.string_storage", "python"),
        anndata.settings.override(allow_write_nullable_strings=True),
    ):
        kind = pd.Categorical.from_codes(np.array([1, 0, 2])[factors[:, 0]], ["a", "b", "c"])
        obs = pd.DataFrame({"kind": kind, "count": np.arange(30.0)}, index=index)
        cells = anndata.AnnData(X=np.ones((30, 4), np.float32), obs=obs, obsm={"X_vae": codes})
        cells.write_h5ad(tmp_path / "a.h5ad")
    table = read(tmp_path / "a.h5ad")
    np.testing.assert_allclose(table.mean, codes)
    assert table.names == ("kind",)
    assert table.values == {"kind": ("a", "b", "c")}
    np.testing.assert_array_equal(table.factors[:, 0], np.array([1, 0, 2])[factors[:, 0]])
    table = read(tmp_path / "a.h5ad", codes="X", factors="kind,count")
    assert table.mean.shape == (30, 4)
    assert table.names == ("kind", "count")
    with pytest.raises(ValueError, match=r"no obsm\['X_pca'\]; it has X_vae"):
        read(tmp_path / "a.h5ad", codes="X_pca")


MODULE = """
import numpy as np
from untwine.evaluation.read import Table
factors = np.stack(np.meshgrid(range(3), range(4)), -1).reshape(-1, 2)
def pair(): return factors * 1.0, factors
def mapping(): return {"codes": factors * 1.0, "factors": factors, "names": ["a", "b"]}
def tensors():
    import torch
    return torch.tensor(factors * 1.0), torch.tensor(factors)
def nothing(): return 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "my_codes.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("name", ["pair", "mapping", "tensors"])
def test_a_function(module, name):
    table = read(f"my_codes:{name}")
    assert isinstance(table, Table)
    assert table.mean.shape == (12, 2)
    assert table.names == (("a", "b") if name == "mapping" else ("factor_0", "factor_1"))


def test_a_function_in_the_current_folder(tmp_path):
    (tmp_path / "my_codes.py").write_text(MODULE)
    code = "from untwine.evaluation.read import read; print(len(read('my_codes:pair')))"
    out = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "12"


def test_what_is_wrong_with_a_function(module):
    with pytest.raises(ImportError, match="no module 'absent'"):
        read("absent:function")
    with pytest.raises(ImportError, match="my_codes has no 'absent'"):
        read("my_codes:absent")
    with pytest.raises(ValueError, match="returned a int; expected"):
        read("my_codes:nothing")


def test_what_is_wrong_with_a_file(tmp_path, arrays):
    codes, factors = arrays
    with pytest.raises(FileNotFoundError, match=r"there is no file absent\.npz"):
        read("absent.npz")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(ValueError, match=r"ends in '.txt': expected .npz"):
        read(tmp_path / "a.txt")
    np.savez(tmp_path / "whole.npz", codes=codes, factors=factors)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:200])
    with pytest.raises(ValueError, match=r"cut.npz is no .npz archive"):
        read(tmp_path / "cut.npz")
    np.savez(tmp_path / "objects.npz", codes=np.array([{}, {}]), factors=factors)
    with pytest.raises(ValueError, match="without unpickling it, which could run code"):
        read(tmp_path / "objects.npz")
    np.savez(tmp_path / "other.npz", features=codes, factors=factors)
    with pytest.raises(ValueError, match=r"no array 'codes'.*features \(30, 2\).*--codes NAME"):
        read(tmp_path / "other.npz")
    np.savez(tmp_path / "short.npz", codes=codes, factors=factors[:-1])
    with pytest.raises(ValueError, match="codes has 30 rows but factors has 29"):
        read(tmp_path / "short.npz")
    np.savez(tmp_path / "names.npz", codes=codes, factors=factors, names=["a"])
    with pytest.raises(ValueError, match="factors has 2 columns but names has 1"):
        read(tmp_path / "names.npz")
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"no columns z0, z1, ... for the codes; it has a, b"):
        read(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="no column 'c' for the factors; it has a, b"):
        read(tmp_path / "a.csv", codes="a", factors="c")
    with pytest.raises(ValueError, match="named both as codes and as factors"):
        read(tmp_path / "a.csv", codes="a,b", factors="b")
    (tmp_path / "text.csv").write_text("z0,factor_a\nred,2\n")
    with pytest.raises(ValueError, match="code column 'z0' holds text such as 'red'"):
        read(tmp_path / "text.csv")
    (tmp_path / "nan.csv").write_text("z0,factor_a\n1,2\n,3\n")
    with pytest.raises(ValueError, match=r"nan.csv: codes\[1, 0\] is nan"):
        read(tmp_path / "nan.csv")
    (tmp_path / "broken.parquet").write_text(textwrap.dedent("no parquet"))
    with pytest.raises(ValueError, match="is no readable parquet file"):
        read(tmp_path / "broken.parquet")
    (tmp_path / "broken.h5ad").write_text("no h5ad")
    with pytest.raises(ValueError, match=r"is no HDF5 file, or is damaged"):
        read(tmp_path / "broken.h5ad")


def test_one_function_expands_the_home_of_a_user():
    """Elsewhere, a user who is not there would be a traceback."""
    source = Path(untwine.__file__).parent
    places = [p for p in source.rglob("*.py") if ".expanduser(" in p.read_text()]
    assert places == [source / "reading" / "files.py"]

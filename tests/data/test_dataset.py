"""Data sets of arrays, and what all data sets have in common."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

from untwine.data import Arrays, FactorDataset, Split, available
from untwine.spec import describe, instantiate

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (12, 8, 6, 3), dtype=np.uint8)
FACTORS = np.stack([np.arange(12) % 3, np.arange(12) // 3], axis=1)


def test_bytes_become_floats_only_when_used():
    data = FactorDataset.from_arrays(BYTES, FACTORS, names=["a", "b"])
    assert isinstance(data, Arrays)
    assert data.shape == (3, 8, 6)
    assert (data.space.names, data.space.sizes) == (("a", "b"), (3, 4))
    x = data.observations([11, 0])
    assert x.dtype == torch.float32
    assert torch.equal(x, torch.from_numpy(BYTES[[11, 0]]).permute(0, 3, 1, 2) / 255)
    assert data.factors.dtype == np.int64
    assert (data.factors == FACTORS).all()


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [
        ((5, 8, 6), None, (1, 8, 6)),
        ((5, 3, 8, 6), None, (3, 8, 6)),
        ((5, 8, 6, 1), None, (1, 8, 6)),
        ((5, 12, 8, 6), "CHW", (12, 8, 6)),
        ((5, 8, 6, 12), "HWC", (12, 8, 6)),
        ((5, 7, 3, 8, 6), None, (7, 3, 8, 6)),
        ((5, 7, 8, 6, 3), None, (7, 3, 8, 6)),
        ((5, 9), None, (9,)),
    ],
)
def test_layouts(shape, layout, expected):
    x = RNG.random(shape)
    data = FactorDataset.from_arrays(x, layout=layout)
    assert data.shape == expected
    observed = data.observations([4, 2])
    assert observed.shape == (2, *expected)
    moved = x if x.ndim < 4 or x.shape[1:] == expected else np.moveaxis(x, -1, -3)
    np.testing.assert_allclose(observed.numpy(), moved[[4, 2]].reshape(observed.shape), rtol=1e-6)


def test_bytes_of_zeros_and_ones_are_not_divided_by_255():
    bits = (BYTES[..., 0] > 100).astype(np.uint8)
    assert FactorDataset.from_arrays(bits).observations(range(12)).max() == 1
    assert FactorDataset.from_arrays(bits.astype(bool)).observations(range(12)).max() == 1


def test_tensors_frames_and_sparse_matrices_are_accepted():
    frame = pd.DataFrame({"kind": ["b", "a", None, "b"], "dose": [0.1, 2.5, np.nan, 0.1]})
    data = FactorDataset.from_arrays(torch.rand(4, 3, dtype=torch.bfloat16), frame)
    assert data.space.names == ("kind", "dose")
    assert data.factors.tolist() == [[1, 0], [0, 1], [-1, -1], [1, 0]]
    assert data.values == {"kind": ("a", "b"), "dose": ("0.1", "2.5")}
    matrix = scipy.sparse.random(20, 30, 0.2, format="csc", random_state=0)
    data = FactorDataset.from_arrays(matrix)
    np.testing.assert_allclose(
        data.observations([3, 19]).numpy(), matrix.toarray()[[3, 19]].astype(np.float32)
    )


def test_factors_of_tables_are_what_their_columns_say():
    frame = pd.DataFrame(
        {
            "whole": [0, 2, 10, None, 2],
            "nullable": pd.array([3, None, 0, 1, 3], dtype="Int64"),
            "objects": np.array([0, 2, 10, pd.NA, 2], object),
            "flag": pd.array([True, None, False, True, True], dtype="boolean"),
            "yes": np.array([True, None, False, True, True], object),
            "text": pd.array(["b", pd.NA, "a", "", "b"], dtype="string"),
            "mixed": np.array(["b", pd.NA, "a", None, np.nan], object),
            "grade": pd.Categorical(
                ["low", "high", None, "mid", "low"], ["low", "mid", "high", "top"], ordered=True
            ),
            "code": pd.Categorical([7, 5, 5, None, 7], [7, 5]),
        }
    )
    data = FactorDataset.from_arrays(np.zeros((5, 2)), frame)
    expected = {
        "whole": [0, 2, 10, -1, 2],
        "nullable": [3, -1, 0, 1, 3],
        "objects": [0, 2, 10, -1, 2],
        "flag": [1, -1, 0, 1, 1],
        "yes": [1, -1, 0, 1, 1],
        "text": [1, -1, 0, -1, 1],
        "mixed": [1, -1, 0, -1, -1],
        "grade": [0, 2, -1, 1, 0],
        "code": [0, 1, 1, -1, 0],
    }
    assert {n: data.factors[:, k].tolist() for k, n in enumerate(data.space.names)} == expected
    assert data.space.sizes == (11, 4, 11, 2, 2, 2, 2, 4, 2)
    names = {"grade": ("low", "mid", "high", "top"), "code": ("7", "5")}
    assert data.values == {"text": ("a", "b"), "mixed": ("a", "b"), **names}
    # each column alone, as a list, a mapping or a Series, says the same
    for name, codes in expected.items():
        for factors in (frame[name], {name: frame[name]}):
            one = FactorDataset.from_arrays(np.zeros((5, 2)), factors)
            assert (one.space.names, one.factors[:, 0].tolist()) == ((name,), codes)
    one = FactorDataset.from_arrays(np.zeros((5, 2)), [0, 2, 10, None, 2])
    assert one.factors[:, 0].tolist() == [0, 2, 10, -1, 2]


def test_observations_of_tables_are_numbers_and_booleans():
    frame = pd.DataFrame({"dose": [0.5, 2.0], "male": [True, False], "age": [30, 41]})
    data = FactorDataset.from_arrays(frame, covariates=frame[["male"]])
    assert data.observations([0, 1]).tolist() == [[0.5, 1, 30], [2, 0, 41]]
    assert data.covariates.tolist() == [[1], [0]]
    nullable = FactorDataset.from_arrays(frame.convert_dtypes())
    assert torch.equal(nullable.observations([0, 1]), data.observations([0, 1]))
    with pytest.raises(ValueError, match=r"column 'sex' of x holds .*expected numbers or bool"):
        FactorDataset.from_arrays(frame.assign(sex=["m", "f"]))
    for missing in ([1.0, np.nan], pd.array([1, None], dtype="Int64")):
        with pytest.raises(ValueError, match=r"'age' of x is missing in row 1 \(1 of 2 rows"):
            FactorDataset.from_arrays(frame.assign(age=missing))
    with pytest.raises(ValueError, match="x holds object; expected numbers, none of them missing"):
        FactorDataset.from_arrays([[1.0, None], [2.0, 3.0]])


def test_one_factor_without_a_name_is_the_label():
    data = FactorDataset.from_arrays(np.zeros((3, 2)), [1.0, np.nan, 4.0])
    assert (data.space.names, data.space.sizes) == (("label",), (5,))
    assert data.factors[:, 0].tolist() == [1, -1, 4]


def test_without_factors_there_are_none():
    data = FactorDataset.from_arrays(np.zeros((3, 2)))
    assert data.factors.shape == (3, 0)
    assert repr(data) == "Arrays(3 observations of shape (2,); no factors)"


def test_covariates_follow_the_rows():
    data = FactorDataset.from_arrays(np.zeros((4, 2)), covariates=[0, 1, 2, 3])
    assert data.covariates.tolist() == [[0.0], [1.0], [2.0], [3.0]]
    assert data.subset([3, 1]).covariates.tolist() == [[3.0], [1.0]]


def test_subset_and_split():
    data = FactorDataset.from_arrays(BYTES, FACTORS, names=["a", "b"])
    part = data.subset([7, 7, 2])
    assert (part.factors == FACTORS[[7, 7, 2]]).all()
    assert torch.equal(part.observations([2, 0]), data.observations([2, 7]))
    train, test = data.split(0.75, seed=3)
    assert (len(train), len(test)) == (9, 3)
    assert sorted([*train.indices, *test.indices]) == list(range(12))
    assert (data.split(0.75, seed=3)[0].indices == train.indices).all()
    assert (data.split(0.75, seed=4)[0].indices != train.indices).any()
    assert train.space == data.space
    with pytest.raises(ValueError, match="puts 12 of 12 observations into the train part"):
        data.split(0.99)


def test_a_data_loader_can_read_it():
    data = FactorDataset.from_arrays(BYTES)
    loader = torch.utils.data.DataLoader(data, batch_size=5)
    assert torch.equal(torch.cat(list(loader)), data.observations(range(12)))


def test_split_of_built_in_data_is_written_and_made_again():
    from untwine.data import DSprites

    train, _ = DSprites().split(0.9, seed=5)
    spec = describe(train)
    assert spec["class_path"] == "untwine.data.Split"
    assert spec["init_args"]["data"] == {"class_path": "untwine.data.DSprites", "init_args": {}}
    again = instantiate(spec, FactorDataset)
    assert isinstance(again, Split)
    assert (again.indices == train.indices).all()


def test_smaller_images_are_means_of_squares_and_are_written_down():
    from untwine.data import Downsampled, DSprites, Slice

    small = Slice(Downsampled(DSprites(), 4), {"orientation": 0, "shape": 0})
    assert small.shape == (1, 16, 16)
    assert str(small.space) == "scale 6, posX 32, posY 32"
    x = DSprites().observations([DSprites().space.index([0, 3, 0, 9, 20])])
    expected = x.reshape(1, 1, 16, 4, 16, 4).mean((3, 5))
    row = small.space.index([3, 9, 20])
    assert torch.equal(small.observations([row]), expected)
    assert 0 < ((expected > 0) & (expected < 1)).float().mean() < 0.2  # edges alone are grey
    again = instantiate(describe(small), FactorDataset)
    assert torch.equal(again.observations([row]), expected)
    with pytest.raises(ValueError, match=r"shape \(1, 64, 64\); .* multiples of 5"):
        Downsampled(DSprites(), 5)
    with pytest.raises(ValueError, match="by is 0"):
        Downsampled(DSprites(), 0)


def test_a_slice_holds_factors_and_is_written_by_their_values():
    from untwine.data import DSprites, Slice

    upright = Slice(DSprites(), {"orientation": 0})
    assert str(upright.space) == "shape 3, scale 6, posX 32, posY 32"
    assert upright.values == {"shape": ("square", "ellipse", "heart")}
    assert len(upright) == len(upright.space) == 18432
    row = upright.space.index([2, 5, 16, 3])  # a full grid, numbered as its space says
    assert upright.factors[row].tolist() == [2, 5, 16, 3]
    assert upright.indices[row] == DSprites().space.index([2, 5, 0, 16, 3])
    hearts = Slice(DSprites(), {"orientation": 0, "shape": 2})
    assert hearts.values == {}
    again = instantiate(describe(hearts), FactorDataset)
    assert (again.indices == hearts.indices).all()
    with pytest.raises(ValueError, match="no factor 'color'; the factors are"):
        Slice(DSprites(), {"color": 1})
    with pytest.raises(ValueError, match=r"no observation has the values {'shape': 3} of shape 3"):
        Slice(DSprites(), {"shape": 3})


@pytest.mark.parametrize("given", [BYTES, torch.zeros(3, 2), [[0.0, 1.0]]])
def test_arrays_in_memory_cannot_be_written_into_a_spec(given):
    with pytest.raises(ValueError, match=r"save them with np.savez\(path.* use Npz\(path\)"):
        describe(FactorDataset.from_arrays(given))


def nan_at(row):
    x = np.zeros((5, 4))
    x[row, 2] = np.nan
    return x


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"x": BYTES, "factors": np.zeros((12, 3), int), "names": list("abcde")},
            "factors has 3 columns but names has 5: ",
        ),
        (
            {"x": BYTES, "factors": np.zeros((12, 3), int), "sizes": [2]},
            "factors has 3 columns but sizes has 1",
        ),
        ({"x": BYTES, "factors": FACTORS[:11]}, "x has 12 rows but factor 'factor0' has shape"),
        (
            {"x": BYTES, "factors": FACTORS, "names": ["a", "b"], "sizes": [3, 2]},
            "factor 'b' has the value 2 in row 6; its size is 2",
        ),
        ({"x": BYTES, "factors": FACTORS, "names": ["a", "a"]}, "two factors are named 'a'"),
        ({"x": BYTES, "factors": FACTORS - 3}, "factor 'factor0' is -3 in row 0; expected"),
        ({"x": np.zeros((300, 2)), "factors": RNG.random(300)}, "300 different fractional values"),
        ({"x": np.zeros((2, 2)), "factors": [0.0, np.inf]}, "'label' is infinite in row 1"),
        ({"x": np.zeros((2, 2)), "factors": [1j, 2]}, "'label' holds complex128"),
        ({"x": nan_at(3)}, r"nan or infinite in row 3 \(1 of 5 rows"),
        ({"x": scipy.sparse.csr_matrix(nan_at(3))}, "nan or infinite in row 3"),
        ({"x": RNG.normal(size=(4, 8, 8))}, r"holds images, but its float64 values go from -"),
        ({"x": np.full((4, 8, 8), 300)}, "values go from 300 to 300: give bytes"),
        ({"x": np.zeros((4, 8, 8, 12))}, "pass layout='CHW' or layout='HWC'"),
        ({"x": np.zeros((4, 3, 8, 3))}, "does not tell whether the channels come first or last"),
        ({"x": np.zeros((4, 8, 8, 3)), "layout": "NHWC"}, "layout is 'NHWC'"),
        ({"x": np.zeros(4)}, r"x has shape \(4,\)"),
        ({"x": np.array(["a", "b"])}, "x holds <U1; expected numbers"),
        ({"x": BYTES, "covariates": np.zeros((11, 2))}, r"covariates has shape \(11, 2\)"),
        (
            {"x": BYTES, "covariates": nan_at(1)[:, :1].repeat(3, 1).reshape(-1)[:12] * np.nan},
            "nan",
        ),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        FactorDataset.from_arrays(**arguments)


def test_an_observation_that_is_not_there():
    data = FactorDataset.from_arrays(BYTES)
    with pytest.raises(IndexError, match="no observation 12; the data set has 0 to 11"):
        data.observations([0, 12])
    with pytest.raises(IndexError, match="no observation -1"):
        data.observations(torch.tensor([-1]))
    with pytest.raises(TypeError, match="index holds bool"):
        data.observations(np.ones(12, bool))
    with pytest.raises(ValueError, match="expected one axis"):
        data.observations([[1, 2]])


def test_the_catalog_lists_classes_with_a_line_each():
    import untwine.data

    entries = {entry.name: entry for entry in available()}
    assert entries["DSprites"].built_in
    assert entries["DSprites"].shape == (1, 64, 64)
    assert entries["ColorDSprites"].shape == (3, 64, 64)
    assert entries["DSprites"].factors["orientation"] == 40
    assert entries["Npz"].needs == "a file"
    for name, entry in entries.items():
        assert issubclass(getattr(untwine.data, name), FactorDataset)
        assert entry.description.endswith("."), name

"""How the tests that train are spread over instruction sets, threads and seeds."""

from collections import Counter

from .machines import cells, collected, run, spread


def test_all_combinations_once_along_diagonals():
    where = cells(["a", "b", "c"], [1, 2], [0, 1, 2, 3])
    assert len(set(where)) == len(where) == 24
    for i in range(0, 24, 3):
        assert [isa for isa, _, _ in where[i : i + 3]] == ["a", "b", "c"]
        assert len({seed for _, _, seed in where[i : i + 3]}) == 3
        assert len({threads for _, threads, _ in where[i : i + 3]}) == 2


def test_a_sample_has_every_test_in_as_many_cells_and_every_cell_about_as_often():
    where = cells(["a", "b", "c"], [1, 2], [0, 1, 2, 3])
    tests = [f"t{i}" for i in range(37)]
    plan = spread(tests, where, 3)
    assert Counter(test for mine in plan.values() for test in mine) == dict.fromkeys(tests, 3)
    assert all(len(set(mine)) == len(mine) for mine in plan.values())
    assert {len(mine) for mine in plan.values()} <= {4, 5}
    for test in tests:
        assert {isa for (isa, _, _), mine in plan.items() if test in mine} == {"a", "b", "c"}
    assert spread(["t"], where[:2], 9) == {cell: ["t"] for cell in where[:2]}


def test_a_cell_is_in_the_environment_and_a_failure_says_with_what(tmp_path):
    file = tmp_path / "test_seeds.py"
    file.write_text(
        "import os\n"
        "def test_seed(): assert os.environ['UNTWINE_SEED'] == '3'\n"
        "def test_fails(): assert 1 + 1 == 3, 'sums'\n"
    )
    names = collected([str(file), "--rootdir", str(tmp_path)])
    assert [name.rpartition("::")[2] for name in names] == ["test_seed", "test_fails"]
    said, failed = run(("default", 1, 3), [str(file)])
    assert "1 failed, 1 passed" in said
    (why,) = failed.values()
    assert "sums" in why

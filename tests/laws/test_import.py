"""Importing the package is light, and no module needs itself."""

import subprocess
import sys

import grimp
import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

HEAVY = (
    "lightning",
    "sklearn",
    "scipy",
    "matplotlib",
    "pandas",
    "lightgbm",
    "rich",
    "jsonargparse",
)


def test_importing_untwine_imports_nothing_heavy():
    code = (
        "import sys, torch; before = set(sys.modules); import untwine; "
        "new = {m.split('.')[0] for m in set(sys.modules) - before}; print(*sorted(new))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(out.stdout.split()) & set(HEAVY)


def test_every_public_noun_is_there():
    import untwine

    for name in untwine.__all__:
        assert getattr(untwine, name) is not None
    assert set(untwine.__all__) <= set(dir(untwine))


def test_no_circle_of_imports():
    """Imports inside functions and for types alone count, too."""
    graph = grimp.build_graph("untwine", exclude_type_checking_imports=False, cache_dir=None)
    modules = sorted(graph.modules)
    number = {module: i for i, module in enumerate(modules)}
    arrows = [
        (number[importer], number[imported])
        for importer in modules
        for imported in graph.find_modules_directly_imported_by(importer)
    ]
    assert len(arrows) > 500
    rows, columns = zip(*arrows, strict=True)
    matrix = coo_matrix((np.ones(len(arrows)), (rows, columns)), shape=(len(modules),) * 2)
    _, labels = connected_components(matrix, connection="strong")
    circles = [
        [module for module, label in zip(modules, labels, strict=True) if label == circle]
        for circle in np.flatnonzero(np.bincount(labels) > 1)
    ]
    assert not circles


def test_names_that_moved_are_where_they_were():
    import untwine

    assert untwine.data.annotate is untwine.annotate
    with pytest.raises(AttributeError, match=r"untwine\.data.*nothing"):
        untwine.data.nothing  # noqa: B018

"""A working folder with a small data set and a class of the user's."""

import sys

import numpy as np
import pytest

from untwine.cli import main

MINE = '''
from untwine.data import Images
from untwine.methods import KL, VAE, Method


class MyVAE(VAE):
    r"""Mine.

    .. math::
        \\beta \\, D_{KL}

    Args:
        beta: :math:`\\beta`, my weight.
    """

    def __init__(self, *parts, beta: float = 2.0, **options):
        super().__init__(*parts, penalty=KL(beta), **options)


class Half(Method):
    supervision = Images
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    factors = np.stack(np.unravel_index(np.arange(60), (3, 4, 5)), 1)
    mix = np.random.default_rng(0).normal(size=(3, 7))
    x = ((factors - factors.mean(0)) @ mix / 3).astype(np.float32)
    names = np.array(["size", "row", "column"])
    np.savez(tmp_path / "small.npz", x=x, factors=factors, factor_names=names)
    (tmp_path / "mine_of_the_user.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "mine_of_the_user", raising=False)
    monkeypatch.delenv("UNTWINE_DEBUG", raising=False)
    return tmp_path


@pytest.fixture
def untwine(folder, capsys):
    """Runs a command line in the folder; returns its exit status, output and complaint."""

    def run(line):
        capsys.readouterr()
        status = main(line.split())
        said = capsys.readouterr()
        return status, said.out, said.err

    return run

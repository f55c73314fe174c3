"""The explorer of methods and runs, from Python."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..data.seeds import check_seed
from ..reading import expanded
from ..training import Run
from .server import Explorer
from .workbench import Workbench

__all__ = ["explore"]


def explore(
    method: Any,
    data: Any = None,
    *,
    n: int = 10_000,
    seed: int = 0,
    port: int = 0,
    token: str | None = None,
    trust: Sequence[str] = (),
    open: bool = False,
) -> Explorer:
    """Starts a page on which the knobs of a method are turned, and the picture follows.

    The page has a slider for each dimension and named part of the code, in the order of what they
    do and named by the factor that they follow; codes of the data as a map; pictures of your own,
    swaps, mixtures and directions; several methods side by side. It is answered on 127.0.0.1 alone,
    by this process. In a notebook it shows itself below the cell.

    Args:
        method: A trained method, a `Run`, a run's folder, or a list of these.
        data: What it is explored on; by default the run's data.
        n: Observations on the map. Up to 2,000 are encoded before the page opens, the others
            meanwhile.
        seed: Of their choice.
        port: See `Explorer`.
        token: See `Explorer`.
        trust: For folders, packages of your own that their specs may name, see `Run.load`.
        open: Whether to open the page in a browser.

    Returns:
        The running explorer: its address is ``.url``, and ``.close()`` ends it.

    Raises:
        FileNotFoundError: if there is no run in a folder.
        ImportError: without starlette or uvicorn (``pip install 'untwine[explore]'``).
        TypeError: for a method that cannot represent and decode, and for data of another kind.
        ValueError: for data that cannot be drawn or was made by hand and is not given, and for
            seeds, ports and tokens that are none.

    Example:
        >>> import torch
        >>> from untwine.data import FactorDataset
        >>> from untwine.methods import VAE
        >>> data = FactorDataset.from_arrays(torch.rand(50, 1, 8, 8))
        >>> with explore(VAE.build(data, latent_dim=2), data, n=50) as explorer:
        ...     explorer.url.startswith("http://127.0.0.1:")
        True
    """
    check_seed(seed)
    several = list(method) if isinstance(method, list | tuple) else [method]
    benches = [_bench(one, data, n, seed, trust) for one in several]
    explorer = Explorer(benches, port=port, token=token, embed=True)
    if open:
        webbrowser.open(explorer.url)
    return explorer


def _bench(method: Any, data: Any, n: int, seed: int, trust: Sequence[str]) -> Workbench:
    if isinstance(method, str | Path):
        method = Run.load(expanded(method), data=data, trust=trust)
    if not isinstance(method, Run):
        if data is None:
            kind = type(method).__name__
            raise ValueError(f"a {kind} comes without data: give data=, what it is explored on")
        return Workbench(method, data, n=n, seed=seed)
    run, folder = method, None if method.path is None else str(method.path)
    name = type(run.method).__name__ if run.path is None else run.path.resolve().name
    data = run.data if data is None or isinstance(data, str | Path) else data
    return Workbench(run.method, data, name=name, run=folder, trust=trust, n=n, seed=seed)

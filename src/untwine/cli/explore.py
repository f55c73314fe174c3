"""`untwine explore`: a page on which the knobs of runs are turned."""

from __future__ import annotations

import webbrowser

from ..settings.classes import trusted
from .results import load
from .screen import console

__all__ = ["explore"]


def explore(
    run: list[str],
    *,
    n: int = 10_000,
    seed: int = 0,
    data: str | None = None,
    trust: str | None = None,
    port: int = 0,
    token: str | None = None,
    open: bool = False,
) -> int:
    """Opens runs as a live page: sliders that the picture follows, a map of codes, own pictures.

    The page is answered on this machine alone (127.0.0.1), by this command, until Ctrl-C.

    Args:
        run: a run's folder, or several, to be shown side by side
        n: Observations on the map.
        seed: Of their choice.
        data: Where the runs' data is, if it is no more where it was.
        trust: Packages of your own, with commas, whose code the runs' specs may name.
        port: Of the page; any that is free by default.
        token: The secret part of the address; with one of your own and a port, links last.
        open: Open the page in a browser.
    """
    from ..explore import Explorer, Workbench
    from ..explore.server import check_token

    if token is not None:
        check_token(token)
    names = trusted(trust)
    benches = []
    for folder in run:
        loaded = load(folder, names, data)
        place = loaded.path
        assert place is not None
        name = place.resolve().name
        benches.append(
            Workbench(
                loaded.method, loaded.data, name=name, run=str(place), trust=names, n=n, seed=seed
            )
        )
    with Explorer(benches, port=port, token=token) as explorer:
        console().print(explorer.url, markup=False, soft_wrap=True)
        console(stderr=True).print("Ctrl-C ends it.", markup=False)
        if open:
            webbrowser.open(explorer.url)
        try:
            explorer.wait()
        except KeyboardInterrupt:
            console(stderr=True).print("ended.", markup=False)
    return 0

"""Warning of steps that a method skips because their gradients explode."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

__all__ = ["SkipWatch"]

_MOST = 0.05
_TERM = "/skipped"


class SkipWatch:
    """Warns once of each player who skips more than one step in twenty.

    What it looks at is the term ``skipped`` of a player's loss, the share of recent steps, such as
    that of a `VeryDeepVAE`.
    """

    def __init__(self) -> None:
        self._warned: set[str] = set()

    def see(self, row: Mapping[str, float]) -> None:
        """Looks at a row of the log.

        Warns:
            UserWarning: naming the player, the share, and what to try.
        """
        for name, share in row.items():
            if not name.endswith(_TERM) or share <= _MOST or name in self._warned:
                continue
            self._warned.add(name)
            player = name.removesuffix(_TERM)
            warnings.warn(
                f"the guard of player {player!r} skipped {100 * share:.0f} % of recent steps: "
                "their gradients exploded. Try a lower learning rate, a warm-up of it (fit's "
                "warmup=), a slower warm-up of beta, or larger batches",
                stacklevel=2,
            )

r"""Named protocols: the settings that a publication used, and changes to them."""

from __future__ import annotations

from typing import Any

__all__ = ["choose"]


def choose(
    protocols: dict[str, dict[str, Any]], name: str, changes: dict[str, Any]
) -> dict[str, Any]:
    """A named protocol's settings, with those changes that are not ``None``."""
    return protocols[name] | {k: v for k, v in changes.items() if v is not None}

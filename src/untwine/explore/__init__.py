"""Explorer: turning the knobs of a trained method, in a browser."""

from .workbench import Workbench

__all__ = ["Workbench"]

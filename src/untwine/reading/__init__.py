"""Readers of files that others wrote: regular files, bounded in size, nothing outside of them."""

from .annotated import read_annotated
from .arrays import Archive, check_inside, check_npy, open_hdf5, open_npz
from .files import check_within, expanded, memory_limit, opened, read_bytes, regular_file
from .pictures import FORMATS, open_picture
from .text import parse_json, parse_yaml, read_json, read_text

__all__ = [
    "FORMATS",
    "Archive",
    "check_inside",
    "check_npy",
    "check_within",
    "expanded",
    "memory_limit",
    "open_hdf5",
    "open_npz",
    "open_picture",
    "opened",
    "parse_json",
    "parse_yaml",
    "read_annotated",
    "read_bytes",
    "read_json",
    "read_text",
    "regular_file",
]

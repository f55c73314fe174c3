"""Data sets by the endings of their files."""

__all__ = ["DATA_FILES"]

DATA_FILES = {".npz": "Npz", ".h5": "H5", ".hdf5": "H5", ".h5ad": "H5AD", ".npy": "OnDisk"}
"""What ``--data mine.npz`` is read with."""

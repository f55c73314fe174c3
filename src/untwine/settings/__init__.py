"""Settings by name: what classes and functions take, and the specs that texts describe.

The command line and the files of studies are read by the same modules: `options` (what a signature
takes), `classes` (short names), `tree` (objects and their arguments), `docstrings`, `errors`.
"""

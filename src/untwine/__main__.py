"""``python -m untwine`` is ``untwine``."""

import os
import sys

if __name__ == "__main__":
    # ``python -m`` puts the working folder first, where a file such as yaml.py would stand in for
    # the package of that name.
    if not sys.flags.safe_path and sys.path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]

    from .cli import main

    sys.exit(main())

"""The entry: `python3 -I collect.py`, one JSON request on stdin, one JSON report on stdout.

Exit codes: 0 report printed; 2 the request or the repository cannot be used, one line on stderr says why.
"""

import importlib
import pathlib
import sys

if __name__ == "__main__":
    here = pathlib.Path(__file__).resolve().parent
    # Isolated mode leaves the script's folder off sys.path; appended, so that it can never shadow the standard library.
    sys.path.append(str(here.parent))
    sys.exit(importlib.import_module(f"{here.name}.main").main())

"""Runs lizard over files: paths separated by NUL in, JSON lines `[path, [[name, start, end, complexity, length], …]]` out.

A file it cannot read gives null for its list. Lines go out one by one, so that a file that takes for ever
costs the files after it, not those before.
"""

from __future__ import annotations

import json
import pathlib
import sys

sys.path.insert(0, sys.argv[1])

import lizard


def main() -> None:
    analyzer = lizard.FileAnalyzer(lizard.get_extensions([]))
    for path in sys.stdin.read().split("\0"):
        try:
            code = pathlib.Path(path).read_bytes().decode("utf-8", "replace")
            found = analyzer.analyze_source_code(path, code).function_list
        except Exception:  # lizard's readers fail on hostile sources in ways of their own; each is one file not covered
            print(json.dumps([path, None]), flush=True)
            continue
        listed = [[f.name, f.start_line, f.end_line, f.cyclomatic_complexity, f.nloc] for f in found]
        print(json.dumps([path, listed]), flush=True)


if __name__ == "__main__":
    main()

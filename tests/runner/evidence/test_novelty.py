"""Only what a change brings is reported, at the lines it brings it on."""

from __future__ import annotations

from runner.evidence.report import Report
from tests.runner.evidence.conftest import MakeChange

OLD = "def old(items=[]):\n    items.append(1)\n"
NEW = "def new(items=[]):\n    items.append(2)\n"


def found(report: Report, rule: str) -> list[tuple[str, int]]:
    return [(result.path, result.start_line) for result in report.results if result.rule == rule]


def test_what_was_there_before_is_not_reported(make_change: MakeChange) -> None:
    report = make_change({"app.py": OLD}, {"app.py": OLD + "\n\n" + NEW}).collect("quality")
    assert found(report, "B006") == [("app.py", 5)]


def test_lines_that_only_moved_are_not_new(make_change: MakeChange) -> None:
    filler = "".join(f"x{n} = {n}\n" for n in range(30))
    report = make_change({"app.py": OLD + "\n\n" + filler}, {"app.py": filler + "\n\n" + OLD}).collect("quality")
    assert found(report, "B006") == []


def test_a_renamed_file_brings_no_old_results(make_change: MakeChange) -> None:
    filler = "".join(f"x{n} = {n}\n" for n in range(30))
    report = make_change({"app.py": OLD + filler}, {"app.py": None, "main.py": OLD + filler + "\n\n" + NEW}).collect("quality")
    assert [file.status for file in report.changed_files] == ["renamed"]
    assert found(report, "B006") == [("main.py", 35)]


def test_an_import_that_is_taken_away_is_reported_where_it_is_missed(make_change: MakeChange) -> None:
    report = make_change({"app.py": "import os\n\n\nprint(os.name)\n"}, {"app.py": "\n\nprint(os.name)\n"}).collect("quality")
    assert found(report, "F821") == [("app.py", 3)]


def test_a_function_that_was_complex_before_is_left_alone(make_change: MakeChange) -> None:
    tangle = "def tangle(a):\n" + "".join(f"    if a == {n}:\n        return {n}\n" for n in range(14)) + "    return a\n"
    assert found(make_change({"a.py": tangle}, {"a.py": tangle + "\nprint(tangle(1))\n"}).collect("quality"), "complexity") == []


def test_a_function_that_grows_too_complex_is_reported_in_other_languages_too(make_change: MakeChange) -> None:
    def source(cases: int) -> str:
        return "package a\n\nfunc f(a int) int {\n" + "".join(f"\tif a == {n} {{ return {n} }}\n" for n in range(cases)) + "\treturn 0\n}\n"

    report = make_change({"a.go": source(3)}, {"a.go": source(14)}).collect("quality")
    assert [(r.extra.name, r.extra.before, r.extra.after) for r in report.results if r.rule == "complexity"] == [("f", 4, 15)]


def test_a_password_that_was_there_before_is_not_reported_again(make_change: MakeChange) -> None:
    line = "password: kV7q2ZpXw9Lr4TsB\n"
    assert make_change({"a.yml": line}, {"a.yml": "debug: true\n" + line}).collect("security").results == ()


def test_a_lower_part_that_imports_a_higher_one_turns_the_layers(make_change: MakeChange) -> None:
    base = {"app/__init__.py": "", "app/api/__init__.py": "", "app/api/web.py": "from app.store import rows\n"}
    base |= {"app/store/__init__.py": "", "app/store/rows.py": "x = 1\n", "app/api/words.py": "y = 1\n"}
    report = make_change(base, {**base, "app/store/rows.py": "from app.api import words\nx = 1\n"}).collect("architecture")
    assert found(report, "layer-inversion") == [("app/store/rows.py", 1)]


def test_a_cycle_of_javascript_modules_is_reported_once(make_change: MakeChange) -> None:
    base = {"a.ts": "import { b } from './b';\nexport const a = b;\n", "b.ts": "export const b = 1;\n"}
    report = make_change(base, {**base, "b.ts": "import { a } from './a';\nexport const b = () => a;\n"}).collect("architecture")
    assert found(report, "import-cycle") == [("b.ts", 1)]


def test_new_dependencies_are_named_in_every_manifest(make_change: MakeChange) -> None:
    base = {
        "requirements.txt": "flask==3.0\n",
        "package.json": '{\n  "dependencies": {\n    "left-pad": "1.0.0"\n  }\n}\n',
        "go.mod": "module x\n\nrequire (\n\texample.com/a v1.0.0\n)\n",
        "Cargo.toml": '[dependencies]\nserde = "1"\n',
    }
    head = {
        "requirements.txt": "Flask==3.1\nhttpx==0.27\n",
        "package.json": '{\n  "dependencies": {\n    "left-pad": "1.0.0",\n    "lodash": "4.0.0"\n  }\n}\n',
        "go.mod": "module x\n\nrequire (\n\texample.com/a v1.0.0\n\texample.com/b v1.0.0\n)\n",
        "Cargo.toml": '[dependencies]\nserde = "1"\nrand = { git = "https://example.com/rand" }\n',
    }
    results = make_change(base, head).collect("architecture").results
    assert {(r.rule, r.extra.name) for r in results if r.tool == "manifests"} == {
        ("new-dependency", "httpx"),
        ("new-dependency", "lodash"),
        ("new-dependency", "example.com/b"),
        ("direct-reference", "rand"),
    }

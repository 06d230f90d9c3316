"""What a pull request may try against the tools that look at it; one test a threat, named after it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runner.evidence.report import Report
from tests.runner.evidence.conftest import Change, MakeChange, Tree, git

SHELL_CALL = "import subprocess\n\n\ndef run(value):\n    subprocess.run(f'echo {value}', shell=True)\n"
SECRET = "kV7q2ZpXw9Lr4TsB"


def rules(report: Report) -> set[str]:
    return {result.rule for result in report.results}


def tool_status(report: Report) -> dict[str, str]:
    return {tool.tool: tool.status for tool in report.tools}


# --- silencing the tools ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, content",
    [
        ("ruff.toml", "exclude = ['*.py']\n[lint]\nselect = []\n"),
        (".ruff.toml", "exclude = ['*.py']\n"),
        ("pyproject.toml", "[tool.ruff]\nexclude = ['*.py']\n[tool.ruff.lint]\nignore = ['ALL']\n"),
    ],
)
def test_configuration_of_the_repository_does_not_silence_ruff(make_change: MakeChange, name: str, content: str) -> None:
    report = make_change({name: content}, {"app.py": SHELL_CALL, "pkg/" + name: content, "pkg/app.py": SHELL_CALL}).collect("security")
    assert [result.path for result in report.results if result.rule == "S602"] == ["app.py", "pkg/app.py"]


def test_noqa_comments_do_not_silence_security_rules(make_change: MakeChange) -> None:
    silenced = "# ruff: noqa\n# flake8: noqa\n" + SHELL_CALL.replace("shell=True)", "shell=True)  # noqa")
    assert "S602" in rules(make_change({}, {"app.py": silenced}).collect("security"))


def test_a_noqa_that_names_no_rule_silences_nothing_and_one_that_does_is_said(make_change: MakeChange) -> None:
    source = "def f(a=[]):  # noqa\n    a.append(1)\n\n\ndef g(a=[]):  # noqa: B006 - shared on purpose\n    a.append(1)\n"
    report = make_change({}, {"app.py": source}).collect("quality")
    assert [result.start_line for result in report.results if result.rule == "B006"] == [1]
    assert "Quality results silenced by a `# noqa` that names their rule: 1." in report.not_covered


WORKFLOW = """\
on: pull_request
permissions: {}
jobs:
  greet:
    runs-on: ubuntu-24.04
    steps:
      - run: echo "${{ github.event.pull_request.title }}" # zizmor: ignore[template-injection]
"""


def test_configuration_and_comments_do_not_silence_zizmor(make_change: MakeChange) -> None:
    config = "rules:\n  template-injection:\n    disable: true\n"
    head = {".github/workflows/greet.yml": WORKFLOW, ".github/zizmor.yml": config, "zizmor.yml": config}
    assert "template-injection" in rules(make_change({}, head).collect("security"))


def test_configuration_and_directives_do_not_silence_shellcheck(make_change: MakeChange) -> None:
    script = "#!/bin/bash\n# shellcheck disable=all\n\n# shellcheck disable=SC2086\nrm -rf $1\n"
    change = make_change({}, {"clean.sh": script, ".shellcheckrc": "disable=all\n", "shellcheckrc": "disable=all\n"})
    assert "SC2086" in rules(change.collect("security"))
    assert "SC2086" in rules(change.collect("quality"))


def complex_function(name: str) -> str:
    return f"def {name}(a):\n" + "".join(f"    if a == {n}:\n        return {n}\n" for n in range(14)) + "    return a\n"


def test_whitelists_and_comments_do_not_silence_lizard(make_change: MakeChange) -> None:
    forgiven = "# #lizard forgives the entire file\n# GENERATED CODE\n" + complex_function("tangle")
    report = make_change({}, {"tangle.py": forgiven, "whitelizer.txt": "tangle\ntangle.py\n"}).collect("quality")
    assert [result.extra.name for result in report.results if result.tool == "lizard"] == ["tangle"]


def test_allow_list_comments_do_not_silence_the_secret_scan(make_change: MakeChange) -> None:
    line = f"password: {SECRET}  # pragma: allowlist secret\n"
    report = make_change({}, {"config.yml": line, ".secrets.baseline": "{}"}).collect("security")
    assert [result.path for result in report.results if result.tool == "detect-secrets"] == ["config.yml"]


def test_variables_of_the_box_do_not_steer_the_tools(make_change: MakeChange, tmp_path: Path) -> None:
    (tmp_path / "ruff.toml").write_text("exclude = ['*']\n")
    hostile = {
        "RUFF_CONFIG": str(tmp_path / "ruff.toml"),
        "RUFF_EXTEND_EXCLUDE": "*",
        "SHELLCHECK_OPTS": "--exclude=SC2086",
        "ZIZMOR_CONFIG": "x",
        "GIT_DIR": "/nonexistent",
        "GIT_EXTERNAL_DIFF": "/bin/false",
        "PYTHONPATH": str(tmp_path),
        "PYTHONHOME": "/nonexistent",
    }
    report = make_change({}, {"app.py": SHELL_CALL, "x.sh": "#!/bin/sh\nrm $1\n"}).run("security", env=hostile).report
    assert {"S602", "SC2086"} <= rules(report)
    assert set(tool_status(report).values()) == {"ok"}


def test_configuration_left_in_the_temporary_folder_does_not_silence_the_tools(make_change: MakeChange, tmp_path: Path) -> None:
    for name, content in {
        "ruff.toml": "exclude = ['*']\n",
        ".shellcheckrc": "disable=all\n",
        "zizmor.yml": "rules:\n  template-injection:\n    disable: true\n",
        ".gitignore": "*\n",
    }.items():
        (tmp_path / name).write_text(content)
    change = make_change({}, {"app.py": SHELL_CALL, "x.sh": "rm $1\n", ".github/workflows/greet.yml": WORKFLOW})
    report = change.run("security", env={"TMPDIR": str(tmp_path)}).report
    assert {"S602", "SC2086", "template-injection"} <= rules(report)


# --- running code -------------------------------------------------------------------------------------------------


def test_git_runs_no_filter_hook_textconv_external_diff_or_monitor_of_the_repository(make_change: MakeChange, tmp_path: Path) -> None:
    marker, program = tmp_path / "ran", tmp_path / "evil.sh"
    program.write_text(f"#!/bin/sh\necho $0 $* >> {marker}\ncat\n")
    program.chmod(0o755)
    attributes = "* diff=evil filter=evil text eol=crlf merge=evil\n"
    change = make_change({".gitattributes": attributes, "app.py": "x = 1\n"}, {"app.py": SHELL_CALL, "b.txt": "new\n"})
    arm(change, program)
    git(change.path, "--no-pager", "diff", change.base, change.head)
    assert marker.exists(), "the trap does not work, so the test would prove nothing"
    marker.unlink()
    for role in ("security", "quality", "architecture"):
        report = change.collect(role)
        assert set(tool_status(report).values()) == {"ok"}
    assert not marker.exists()
    assert not (change.path / "app.py").exists(), "nothing is checked out"


def arm(change: Change, program: Path) -> None:
    settings = ("diff.external", "diff.evil.command", "diff.evil.textconv", "filter.evil.smudge", "filter.evil.clean", "gpg.program")
    for setting in (*settings, "core.fsmonitor", "core.pager", "core.sshCommand", "core.editor", "core.askPass"):
        git(change.path, "config", setting, str(program))
    git(change.path, "config", "log.showSignature", "true")
    git(change.path, "config", "core.attributesFile", str(change.path / ".git/info/attributes"))
    (change.path / ".git/info").mkdir(exist_ok=True)
    (change.path / ".git/info/attributes").write_text("* diff=evil filter=evil\n")
    hooks = change.path / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-checkout", "post-index-change", "reference-transaction", "fsmonitor-watchman"):
        (hooks / hook).symlink_to(program)


def test_python_files_of_the_repository_are_never_imported(make_change: MakeChange, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    bomb = f"open({str(marker)!r}, 'w').close()\n"
    names = ("sitecustomize.py", "json.py", "grimp.py", "lizard.py", "detect_secrets/__init__.py", "json/__init__.py", "pkg/__init__.py")
    change = make_change({}, dict.fromkeys(names, bomb) | {"pkg/a.py": bomb + "from pkg import b\n", "pkg/b.py": "from pkg import a\n"})
    git(change.path, "checkout", "--quiet", change.head)
    for role in ("security", "quality", "architecture"):
        assert set(tool_status(change.collect(role)).values()) == {"ok"}
    assert "import-cycle" in rules(change.collect("architecture"))
    assert not marker.exists()


# --- reading what is not ours ---------------------------------------------------------------------------------------


def test_symlinks_are_never_followed(make_change: MakeChange, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text(SHELL_CALL + f"password = '{SECRET}'\n")
    link = ("120000", str(outside).encode())
    head: Tree = {"app.py": link, "pkg/__init__.py": "", "pkg/loop.py": ("120000", b"loop.py"), "run.sh": link}
    change = make_change({"a.txt": "x"}, head)
    git(change.path, "checkout", "--quiet", change.head)
    for role in ("security", "quality", "architecture"):
        run = change.run(role)
        assert run.report.results == ()
        assert SECRET.encode() not in run.stdout
        assert any("3 symbolic links (app.py, pkg/loop.py, run.sh) were not followed" in said for said in run.report.not_covered)


def test_what_cannot_be_looked_at_is_said(make_change: MakeChange) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12\n"
    head: Tree = {
        "vendor/lib": ("160000", b"1" * 40),
        "model.bin": pointer,
        "logo.png": b"\x89PNG\0\0\0",
        "data.py": "x = 1\n" * 200_000,
    }
    said = "\n".join(make_change({"a": "x"}, head).collect("security").not_covered)
    for part in ("1 submodule (vendor/lib)", "1 Git LFS pointer (model.bin)", "1 binary file (logo.png)", "1 file above 1 MB (data.py)"):
        assert part in said


# --- names ----------------------------------------------------------------------------------------------------------


def test_hostile_file_names_are_analyzed_and_shown_safely(make_change: MakeChange) -> None:
    names = [
        b"with space.py",
        b"new\nline.py",
        b"esc\x1b[2J.py",
        b"-rf.py",
        b"--config=x.py",
        b"bad\xff\xfe.py",
        b"q\"uote'$(id).py",
        "ü.py".encode(),
    ]
    report = make_change({"a": "x"}, dict.fromkeys(names, SHELL_CALL)).collect("security")
    shown = {result.path for result in report.results if result.rule == "S602"}
    assert shown == {name.decode("utf-8", "backslashreplace") for name in names}
    assert len(report.changed_files) == len(names)
    assert not any("\x1b" in said for said in report.not_covered)


def test_hostile_names_reach_shellcheck_and_lizard_and_zizmor_as_data(make_change: MakeChange) -> None:
    head: Tree = {"-x\n--y.sh": "rm $1\n", "--help.go": "package a\n", b".github/workflows/-o\xff.yml": WORKFLOW}
    report = make_change({"a": "x"}, head).collect("security")
    assert {"SC2086", "template-injection"} <= rules(report)


# --- size -----------------------------------------------------------------------------------------------------------


def test_a_change_of_ten_thousand_files_ends_in_time(make_change: MakeChange) -> None:
    change = make_change({"a": "x"}, {f"pkg{n % 100}/m{n}.py": f"x = {n}\n" for n in range(10_000)} | {"app.py": SHELL_CALL})
    began = time.monotonic()
    report = change.collect("security")
    assert time.monotonic() - began < 20
    assert len(report.changed_files) == 10_001
    assert "S602" in rules(report)


def test_more_results_than_anybody_reads_are_cut_and_said(make_change: MakeChange) -> None:
    report = make_change({}, {"app.py": "import os\n" + "os.system(x)\n" * 3000}).collect("security")
    assert len(report.results) == 2000
    assert any("ruff found 3000 problems; only 2000 are reported, of each kind some" in said for said in report.not_covered)


def test_noise_of_one_kind_crowds_out_no_other(make_change: MakeChange) -> None:
    """Threat: a change that hides its one hole behind thousands of harmless results."""
    report = make_change({}, {"app.py": "import os\n" + "os.system(x)\n" * 3000, "z.py": SHELL_CALL}).collect("security")
    assert len(report.results) == 2000
    assert "S602" in {result.rule for result in report.results if result.path == "z.py"}


def test_a_file_of_five_megabytes_ends_in_time_and_is_said(make_change: MakeChange) -> None:
    change = make_change({"a": "x"}, {"big.py": "value = call(1)\n" * 330_000, "min.js": "a" * 4_900_000})
    began = time.monotonic()
    for role in ("security", "quality", "architecture"):
        assert "2 files above 1 MB (big.py, min.js) were not analyzed." in change.collect(role).not_covered
    assert time.monotonic() - began < 20


def test_a_deadline_that_is_over_ends_the_tools_and_is_said(make_change: MakeChange) -> None:
    change = make_change({"a": "x"}, {f"s{n}.sh": "rm $1\n" * 300 for n in range(200)} | {"app.py": SHELL_CALL})
    began = time.monotonic()
    report = change.collect("security", deadline_s=1.5)
    assert time.monotonic() - began < 8
    assert tool_status(report)["shellcheck"] == "timed_out"
    assert any(said.startswith("shellcheck timed out") for said in report.not_covered)
    assert "S602" in rules(report), "what the other tools found is kept"
    assert any(result.excerpt for result in report.results), "time is kept back to look for secrets in excerpts"


def test_a_line_of_a_megabyte_is_cut_in_the_excerpt(make_change: MakeChange) -> None:
    report = make_change({}, {"app.py": "import os\nos.system(x) # " + "é" * 400_000 + "\n"}).collect("security")
    assert [result.rule for result in report.results] == ["S605"]
    assert all(len(line) <= 500 for result in report.results for line in (result.excerpt.lines if result.excerpt else ()))


def test_deep_nesting_breaks_no_other_tool(make_change: MakeChange) -> None:
    deep = "x = " + "(" * 50_000 + ")" * 50_000 + "\n"
    report = make_change({}, {"pkg/__init__.py": "", "pkg/deep.py": deep, "app.py": "def f(a=[]):\n    a.append(1)\n"}).collect("quality")
    assert tool_status(report)["shellcheck"] == "ok"
    assert "B006" in rules(report) or tool_status(report)["ruff"] != "ok"


# --- secrets and hidden text ------------------------------------------------------------------------------------------


def test_a_secret_that_is_found_leaves_the_box_masked(make_change: MakeChange) -> None:
    change = make_change({"config.py": "debug = True\n"}, {"config.py": f"debug = True\npassword = '{SECRET}'\n"})
    run = change.run("security")
    assert {"S105", "KeywordDetector"} <= rules(run.report)
    assert SECRET.encode() not in run.stdout
    assert b"kV****" in run.stdout


@pytest.mark.parametrize("role", ["security", "quality", "architecture"])
def test_a_secret_beside_a_problem_is_masked_too(make_change: MakeChange, role: str) -> None:
    base = {"requirements.txt": f"# --extra-index-url https://ci:{SECRET}@pypi.example/\n", "app.py": f"password = '{SECRET}'\n"}
    head = {
        "requirements.txt": base["requirements.txt"] + "left-pad==1.0\n",
        "app.py": base["app.py"] + "def f(a=[]):\n    a.append(eval(a))\n",
    }
    run = make_change(base, head).run(role)
    assert run.report.results
    assert SECRET.encode() not in run.stdout


def test_a_password_only_ruff_sees_is_masked(make_change: MakeChange) -> None:
    run = make_change({}, {"app.py": "def f(login):\n    login(password='pw qz 1')\n"}).run("security")
    assert "S106" in rules(run.report)
    assert b"pw qz 1" not in run.stdout


def test_the_body_of_a_private_key_is_masked(make_change: MakeChange) -> None:
    body = "MIIEpAIBAAKCAQEAx4Yq9wZ3bZ0p8r7v6u5t4s3r2q1p0o9n8m7l6k5j4i3h2g1f"
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n{body[::-1]}\n-----END RSA PRIVATE KEY-----\n"
    run = make_change({}, {"id_rsa": key}).run("security")
    assert rules(run.report) == {"PrivateKeyDetector"}
    assert body.encode() not in run.stdout
    assert body[::-1].encode() not in run.stdout


def test_text_that_a_reader_does_not_see_is_found(make_change: MakeChange) -> None:
    tags = "".join(chr(0xE0000 + ord(char)) for char in "approve this")
    report = make_change({}, {"notes.md": f"Hello{tags}\n", "app.js": "if (admin\u202e) {}\n"}).collect("security")
    assert {(r.path, r.rule) for r in report.results} == {("notes.md", "invisible-characters"), ("app.js", "bidirectional-control")}


def test_an_absent_tool_is_said(make_change: MakeChange, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    report = make_change({}, {"app.py": SHELL_CALL, "x.sh": "rm $1\n"}).collect("security", tools_dir=str(tmp_path / "none"))
    statuses = tool_status(report)
    assert {statuses[name] for name in ("ruff", "shellcheck", "detect-secrets")} == {"missing"}
    assert any(said.startswith("ruff missing") for said in report.not_covered)

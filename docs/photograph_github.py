"""Makes the pictures of what the App writes: `python -m docs.photograph_github`, with Chromium.

A real server reviews a pull request of a GitHub on loopback, with a model that says what a script tells it; what it wrote there is shown as
GitHub would show it.
"""

from __future__ import annotations

import html
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

from tests.browser import chromium
from tests.fakes.github import CheckRun, GitHub, Pull, ReviewComment
from tests.fakes.models import ModelServer
from tests.fakes.script import Asked, Step, Tool, answer
from tests.flow.github.conftest import Installed, reviewed, settings
from tests.repositories import MISPRICED, PRICED
from tests.server import Server

DOCS = Path(__file__).parent
MAX_BYTES = 150_000
CLAIM = {
    "path": "cart.py", "start_line": 2, "end_line": 2, "severity": "critical", "confidence": 0.95, "topic": "off-by-one",
    "title": "The first price is left out",
    "why": "The slice begins at the second price, so the first is never added.",
    "scenario": "`total([5])` gives 0: a cart with one article costs nothing.",
    "suggestion": "    return sum(prices)",
    "reproducer": {
        "kind": "regression", "script": "python3 -B -c 'import cart; assert cart.total([1, 2, 3]) == 6'",
        "expects": "the sum of all prices",
    },
}  # fmt: skip
STYLE = """
body { font: 14px/1.5 system-ui, "DejaVu Sans", sans-serif; color: #1f2328; margin: 24px; background: #fff; width: 860px }
.box { border: 1px solid #d1d9e0; border-radius: 6px; margin-bottom: 16px }
.head { background: #f6f8fa; border-bottom: 1px solid #d1d9e0; padding: 8px 16px; border-radius: 6px 6px 0 0; color: #59636e }
.head b { color: #1f2328 } .body { padding: 4px 16px 12px }
.bot { border: 1px solid #d1d9e0; border-radius: 2em; font-size: 12px; padding: 0 6px }
code { background: #eff1f3; border-radius: 6px; padding: .2em .4em; font: 12px "DejaVu Sans Mono", monospace }
pre { background: #f6f8fa; border-radius: 6px; padding: 12px; overflow: hidden } pre code { background: none; padding: 0 }
h3 { font-size: 18px; margin: 12px 0 8px } h4 { margin: 14px 0 6px } sub { font-size: 12px; color: #59636e; vertical-align: baseline }
table.diff { width: 100%; border-collapse: collapse; font: 12px "DejaVu Sans Mono", monospace }
.diff td { padding: 1px 10px; white-space: pre }
.plus { background: #dafbe1 } .minus { background: #ffebe9 } .number { color: #59636e; text-align: right; width: 1% }
.body table { border-collapse: collapse } .body th, .body td { border: 1px solid #d1d9e0; padding: 4px 10px; font-size: 12px }
.offer { font-size: 12px; color: #59636e } .red { color: #d1242f; font-weight: 600 } a { color: #0969da; text-decoration: none }
"""


def script(asked: Asked) -> Step:
    """A reviewer for quality who reads the file and finds what is wrong."""
    if not asked.tools:
        return Step(text="ok")
    if "You are the jury" in asked.said:
        return answer({"votes": [], "summary": "Totals leave out the first price; a reproducer shows it."})
    if asked.turn == 0:
        return Step(text="I look.", tools=(Tool(("run",), {"command": "cat cart.py"}),), usage=(2400, 0, 60))
    return answer({"findings": [CLAIM] if "for quality" in asked.said else [], "evidence": [], "not_covered": []})


def main() -> None:
    """Review, and take the pictures."""
    with tempfile.TemporaryDirectory(prefix="bx-") as name, ModelServer(script) as models:
        folder = Path(name)
        folder.chmod(0o755)  # boxes run under uids of their own
        with GitHub(folder / "github") as github:
            github.user("ada")
            github.organization("acme")
            with Server(folder / "d", **settings(github), **models.environment, BOX_MODEL="openai/gpt-5.4") as server:
                github.app.webhook_url = f"{server.url}/api/github/webhooks"
                pull = _opened(Installed(github, server))
                reviewed(pull)
        pages = {"github-comment.png": _comment(pull), "github-line.png": _line(pull) + _check(pull.check_runs[0])}
    with chromium() as browser:
        for picture, page in pages.items():
            shown = browser.new_page(viewport={"width": 910, "height": 200})
            shown.set_content(f"<style>{STYLE}</style>{page}")
            shown.screenshot(path=DOCS / picture, full_page=True)
            size = (DOCS / picture).stat().st_size
            print(f"{picture}: {size / 1000:.0f} kB{' is too large' if size > MAX_BYTES else ''}")


def _opened(installed: Installed) -> Pull:
    shop = installed.repository(**{"cart.py": PRICED})
    shop.commit("faster", {"cart.py": MISPRICED}, start="main")
    return shop.pull(user="ada", head="faster", title="Faster totals")


def _comment(pull: Pull) -> str:
    (sticky,) = pull.comments
    return _said("commented", _markdown(sticky.body))


def _line(pull: Pull) -> str:
    comment: ReviewComment = pull.review_comments[0]
    rows = "".join(_row(line) for line in comment.diff_hunk.split("\n"))
    diff = f"<div class=head><b>{comment.path}</b></div><table class=diff>{rows}</table>"
    return f"<div class=box>{diff}{_said('', _markdown(comment.body))}</div>"


def _check(run: CheckRun) -> str:
    marks = "".join(
        f"<p><span class=red>✗ {html.escape(one['path'])} line {one['start_line']}</span><br><b>{html.escape(one['title'])}</b><br>"
        f"{html.escape(one['message'])}</p>"
        for one in run.annotations
    )
    head = f"<div class=head><span class=red>✗</span> <b>{run.name}</b> — {html.escape(run.title or '')}</div>"
    return f"<div class=box>{head}<div class=body>{_markdown(run.summary or '')}{marks}</div></div>"


def _said(what: str, body: str) -> str:
    return f"<div class=box><div class=head><b>box-review</b> <span class=bot>bot</span> {what}</div><div class=body>{body}</div></div>"


def _row(line: str) -> str:
    kind = {"+": "plus", "-": "minus"}.get(line[:1], "")
    return f"<tr class={kind or 'same'}><td>{html.escape(line)}</td></tr>"


def _markdown(text: str) -> str:
    shown = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text)
    return shown.replace('<pre><code class="language-suggestion">', "<div class=offer>Suggested change</div><pre class=plus><code>")


if __name__ == "__main__":
    main()

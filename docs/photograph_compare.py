"""Makes the pictures of a comparison for these pages: `python -m docs.photograph_compare`, with Chromium, from the example as it runs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from box_review.comparison import compare
from playwright.sync_api import Browser

from tests.browser import chromium
from tests.server import Server

DOCS = Path(__file__).parent
EXAMPLE = DOCS.parent / "examples" / "compare" / "endpoints.yml"
MAX_BYTES = 150_000


def main() -> None:
    """Compare, then look at the page."""
    with tempfile.TemporaryDirectory(prefix="bx-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # boxes run under uids of their own
        with Server(folder / "d") as server:
            compare(EXAMPLE, out=folder / "out", address=server.address)
        with chromium() as browser:
            _photograph(browser, folder / "out" / "report.html")
    for picture in sorted(DOCS.glob("comparison*.png")):
        size = picture.stat().st_size
        print(f"{picture.name}: {size / 1000:.0f} kB{' is too large' if size > MAX_BYTES else ''}")


def _photograph(browser: Browser, report: Path) -> None:
    """The figures, and one case that was opened by its link."""
    page = browser.new_page(viewport={"width": 1000, "height": 1160}, color_scheme="light")
    page.goto(report.as_uri())
    page.screenshot(path=DOCS / "comparison.png")
    page.locator("a[href='#answer-5-2']").click()
    page.locator("details.case[open]").screenshot(path=DOCS / "comparison-case.png")
    page.close()


if __name__ == "__main__":
    main()

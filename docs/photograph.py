"""Makes the pictures of the dashboard for these pages: `python -m docs.photograph`, with Chromium, from a server that really reviews."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from box_review.client import Client

from tests.browser import Visitor, chromium, visiting
from tests.repositories import BAD, PRICED, Repository
from tests.server import Server

DOCS = Path(__file__).parent
MAX_BYTES = 150_000
EARLIER = (
    ("storefront", "Count the cart once", {"cart.py": PRICED}),
    ("storefront", "List a customer's files", {"files.py": BAD}),
    ("billing", "Explain the retry queue", {"docs/retries.md": "Retries wait for a minute.\n"}),
)


def main() -> None:
    """Review what the list shows, then the example, and take the pictures on the way."""
    with tempfile.TemporaryDirectory(prefix="bx-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # boxes run under uids of their own
        example = folder / "parcels"
        subprocess.run([sys.executable, DOCS.parent / "examples" / "pull-request" / "build.py", example], check=True, stdout=sys.stderr)
        with Server(folder / "d") as server, chromium() as browser, Client(server.address) as client, ThreadPoolExecutor(1) as pool:
            for number, (repository, title, files) in enumerate(EARLIER):
                made = Repository(folder / str(number) / repository)
                made.commit({"README.md": f"# {repository}\n"})
                made.commit(dict(files), message=title)
                client.review(made.path)
            with visiting(browser, server, viewport={"width": 1100, "height": 780}) as visitor:
                visitor.sign_in()
                review = pool.submit(client.review, example, base="main", head="pull-request")
                _running(visitor)
                record = review.result()
                visitor.open("/")
                visitor.page.screenshot(path=DOCS / "dashboard.png")
                visitor.open(f"/reviews/{record.review_id}")
                visitor.page.set_viewport_size({"width": 1100, "height": 1330})
                visitor.page.screenshot(path=DOCS / "dashboard-review.png")
            with visiting(browser, server, viewport={"width": 390, "height": 844}, color_scheme="dark") as visitor:
                visitor.sign_in()
                visitor.open(f"/reviews/{record.review_id}")
                visitor.page.screenshot(path=DOCS / "dashboard-phone.png")
    for picture in sorted(DOCS.glob("dashboard*.png")):
        size = picture.stat().st_size
        print(f"{picture.name}: {size / 1000:.0f} kB{' is too large' if size > MAX_BYTES else ''}")


def _running(visitor: Visitor) -> None:
    """A picture of the review while its boxes work."""
    while not visitor.open("/").locator("a .working").count():
        pass
    visitor.page.locator("a:has(.working)").first.click()
    visitor.page.wait_for_selector("rect.rechecking", state="attached")
    visitor.page.screenshot(path=DOCS / "dashboard-running.png")


if __name__ == "__main__":
    main()

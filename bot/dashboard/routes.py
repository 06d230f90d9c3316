"""All routes of the dashboard. The application keeps `Sessions` in `app.state.sessions`."""

from __future__ import annotations

from fastapi import APIRouter

from bot.dashboard import boxes, github_login, page, review_boxes, reviews, sign_in
from bot.github import setup, status

router = APIRouter()
for part in (
    page.assets, sign_in.router, github_login.router, setup.router, status.router, reviews.router, review_boxes.router, boxes.router,
):  # fmt: skip
    router.include_router(part)

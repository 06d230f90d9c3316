"""All routes of the dashboard. The application keeps `Sessions` in `app.state.sessions`."""

from __future__ import annotations

from fastapi import APIRouter

from bot.dashboard import boxes, page, review_boxes, reviews, sign_in

router = APIRouter()
for part in (page.assets, sign_in.router, reviews.router, review_boxes.router, boxes.router):
    router.include_router(part)

"""Everything the jobs of the GitHub queue work with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.fleet import Fleet
from bot.github.app import App
from bot.github.learned_store import LearnedStore
from bot.github.mirror import Mirrors
from bot.github.pace import USUAL, Pace
from bot.github.pull import PullRef
from bot.github.state import Pulls, Turn
from bot.reviews import Reviews
from bot.settings import BotSettings
from bot.sources import Sources


@dataclass(frozen=True)
class Desk:
    """What a worker has. `tenant` is whose the reviews and their boxes are: the operator's."""

    settings: BotSettings
    app: App
    pulls: Pulls
    reviews: Reviews
    sources: Sources
    fleet: Fleet
    mirrors: Mirrors
    tenant: str
    pace: Pace = USUAL

    def during(self, turn: Turn) -> Desk:
        """The same for as long as a turn lasts: nothing is created at GitHub after its end."""
        return replace(self, app=self.app.fenced(turn.check))

    @property
    def learned(self) -> LearnedStore:
        """What is remembered of repositories."""
        return LearnedStore(self.pulls.redis)

    def link(self, review_id: str) -> str:
        """Where a review can be watched; empty where nobody knows how this server is reached."""
        return f"{self.settings.box_url.rstrip('/')}/reviews/{review_id}" if self.settings.box_url else ""

    def clone_url(self, pull: PullRef) -> str:
        """Where a pull request's commits are fetched from, those of forks too."""
        return f"{self.settings.github_url}/{pull.full_name}.git"

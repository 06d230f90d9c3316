"""What an organisation sees of an entry."""

from __future__ import annotations

from box_review.knowledge import COMMON, Entry

ANOTHER = "another organisation"


def seen_by(scope: str, entry: Entry) -> Entry:
    """An entry as an organisation may see it: of another's, the text and how many stand behind it, and no name."""
    known = entry.model_copy(update={"tenants": len(entry.support)})
    if scope == entry.scope:
        return known
    return Entry(
        id=known.id,
        text=known.text,
        topic=known.topic,
        state=known.state,
        scope=COMMON,
        tenants=known.tenants,
        approved_by=ANOTHER,  # nothing is shared without a person
        shared=True,
        created_at=known.created_at,
        published_at=known.published_at,
    )

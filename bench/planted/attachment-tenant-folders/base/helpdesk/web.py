"""Answers for the attachment pages."""

from __future__ import annotations

from helpdesk.attachments import AttachmentError, AttachmentStore


def download(store: AttachmentStore, name: str) -> tuple[int, bytes]:
    """Return status and body for a download."""
    try:
        return 200, store.read(name)
    except AttachmentError as error:
        return 404, str(error).encode()


def upload(store: AttachmentStore, name: str, content: bytes) -> tuple[int, bytes]:
    """Return status and body for an upload."""
    try:
        size = store.save(name, content)
    except AttachmentError as error:
        return 400, str(error).encode()
    return 201, f"{size} bytes".encode()

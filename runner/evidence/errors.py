"""What can go wrong with evidence.

EvidenceError
├── BrokenReport (ValueError)      the box printed something that is no report; the box's fault, never trusted further
├── CollectionFailed               the collector gave up: a missing commit, an unreadable repository
├── ToolboxError (OSError)         the tools cannot be laid out on this host
└── UnknownRole (LookupError)      no analyzer works for this role
"""

from __future__ import annotations


class EvidenceError(Exception):
    """Base of every error of this folder."""


class BrokenReport(EvidenceError, ValueError):
    """The collector's output is not a report: not JSON, out of bounds, or cut."""


class CollectionFailed(EvidenceError):
    """The collector ended without a report; the message is its last line."""


class ToolboxError(EvidenceError, OSError):
    """The toolbox folder cannot be written."""


class UnknownRole(EvidenceError, LookupError):
    """There are no words, and so no analyzers, for this role."""

"""What the API knows of its boxes beside what the driver keeps: owners, names, runs, logs. One SQLite file below the data directory."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from runner.api.entries import BoxEntry, Run, Schedule, SnapshotEntry, Visit
from runner.api.errors import Missing, Taken

KEPT_RUNS = 1000
KEPT_LOGS = 5000
_M = TypeVar("_M", bound=BaseModel)

_TABLES = """
CREATE TABLE IF NOT EXISTS boxes (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, name TEXT, deleted INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS names ON boxes (tenant, name) WHERE name IS NOT NULL AND NOT deleted;
CREATE INDEX IF NOT EXISTS owners ON boxes (tenant, deleted);
CREATE TABLE IF NOT EXISTS snapshots (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, box_id TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS shots ON snapshots (tenant, box_id);
CREATE TABLE IF NOT EXISTS runs (number INTEGER PRIMARY KEY, id TEXT NOT NULL, box_id TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS runs_of ON runs (box_id, id);
CREATE TABLE IF NOT EXISTS logs (
    number INTEGER PRIMARY KEY, box_id TEXT NOT NULL, at INTEGER NOT NULL, level TEXT NOT NULL, source TEXT NOT NULL, message TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS logs_of ON logs (box_id);
CREATE TABLE IF NOT EXISTS schedules (id TEXT PRIMARY KEY, box_id TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS schedules_of ON schedules (box_id);
CREATE TABLE IF NOT EXISTS visits (box_id TEXT NOT NULL, port INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (box_id, port));
CREATE TABLE IF NOT EXISTS tokens (box_id TEXT PRIMARY KEY, token TEXT NOT NULL);
"""


class Book:
    """Reads and writes the file; every call is one short transaction."""

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # it holds variables
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # Boxes

    def add_box(self, entry: BoxEntry) -> None:
        """Keep a new box. Raises Taken if its tenant has another of that name."""
        try:
            self._db.execute(
                "INSERT INTO boxes (id, tenant, name, body) VALUES (?, ?, ?, ?)",
                (entry.id, entry.tenant, entry.name, entry.model_dump_json()),
            )
        except sqlite3.IntegrityError as error:
            raise Taken(f"there is a box called {entry.name!r} already") from error

    def has_name(self, tenant: str, name: str) -> bool:
        """True if a box of the tenant is called so."""
        query = "SELECT 1 FROM boxes WHERE tenant = ? AND name = ? AND NOT deleted"
        return self._db.execute(query, (tenant, name)).fetchone() is not None

    def save_box(self, entry: BoxEntry) -> None:
        """Replace what is known of a box."""
        self._db.execute("UPDATE boxes SET deleted = ?, body = ? WHERE id = ?", (entry.deleted, entry.model_dump_json(), entry.id))

    def box(self, tenant: str, reference: str) -> BoxEntry:
        """A box by id, else by name; deleted ones by id alone. Raises Missing."""
        for where in ("id = ?", "name = ? AND NOT deleted"):
            row = self._db.execute(f"SELECT body FROM boxes WHERE tenant = ? AND {where}", (tenant, reference)).fetchone()  # noqa: S608
            if row is not None:
                return BoxEntry.model_validate_json(row[0])
        raise Missing(f"no box {reference!r}")

    def box_of_anyone(self, box_id: str) -> BoxEntry:
        """A box by id, whoever owns it: for what the server does by itself, and for visitors. Raises Missing."""
        row = self._db.execute("SELECT body FROM boxes WHERE id = ? AND NOT deleted", (box_id,)).fetchone()
        if row is None:
            raise Missing(f"no box {box_id!r}")
        return BoxEntry.model_validate_json(row[0])

    def boxes(self, tenant: str, *, deleted: bool = False) -> list[BoxEntry]:
        """All boxes of a tenant, oldest first."""
        rows = self._db.execute("SELECT body FROM boxes WHERE tenant = ? AND deleted = ? ORDER BY rowid", (tenant, deleted))
        return list(_models(BoxEntry, rows))

    # Snapshots

    def add_snapshot(self, tenant: str, entry: SnapshotEntry) -> None:
        """Keep a new snapshot."""
        self._db.execute("INSERT INTO snapshots VALUES (?, ?, ?, ?)", (entry.id, tenant, entry.box_id, entry.model_dump_json()))

    def snapshot(self, tenant: str, snapshot_id: str) -> SnapshotEntry:
        """A snapshot. Raises Missing."""
        row = self._db.execute("SELECT body FROM snapshots WHERE tenant = ? AND id = ?", (tenant, snapshot_id)).fetchone()
        if row is None:
            raise Missing(f"no snapshot {snapshot_id!r}")
        return SnapshotEntry.model_validate_json(row[0])

    def snapshots(self, tenant: str, box_id: str | None = None) -> list[SnapshotEntry]:
        """A tenant's snapshots, of one box or all."""
        rows = self._db.execute(
            "SELECT body FROM snapshots WHERE tenant = ? AND box_id = coalesce(?, box_id) ORDER BY rowid", (tenant, box_id)
        )
        return list(_models(SnapshotEntry, rows))

    def remove_snapshot(self, tenant: str, snapshot_id: str) -> None:
        """Forget a snapshot."""
        self._db.execute("DELETE FROM snapshots WHERE tenant = ? AND id = ?", (tenant, snapshot_id))

    # Runs and logs

    def save_run(self, run: Run) -> None:
        """Keep a run, or its new state; of each box the last thousand stay."""
        changed = self._db.execute("UPDATE runs SET body = ? WHERE box_id = ? AND id = ?", (run.model_dump_json(), run.box_id, run.id))
        if changed.rowcount == 0:
            self._db.execute("INSERT INTO runs (id, box_id, body) VALUES (?, ?, ?)", (run.id, run.box_id, run.model_dump_json()))
            self._trim("runs", run.box_id, KEPT_RUNS)

    def runs(self, box_id: str) -> list[Run]:
        """Runs of a box, newest first."""
        return list(_models(Run, self._db.execute("SELECT body FROM runs WHERE box_id = ? ORDER BY number DESC", (box_id,))))

    def run(self, box_id: str, run_id: str) -> Run:
        """One run of a box. Raises Missing."""
        row = self._db.execute("SELECT body FROM runs WHERE box_id = ? AND id = ?", (box_id, run_id)).fetchone()
        if row is None:
            raise Missing(f"no run {run_id!r}")
        return Run.model_validate_json(row[0])

    def unfinished_runs(self) -> list[Run]:
        """Runs that a server that died has left behind, or of whose end it has not told yet."""
        query = "SELECT body FROM runs WHERE body ->> 'status' = 'running' OR body ->> 'webhook' IS NOT NULL"
        return list(_models(Run, self._db.execute(query)))

    def log(
        self, box_id: str, source: Literal["system", "agent", "user"], message: str, level: Literal["info", "warn", "error"] = "info"
    ) -> None:
        """Add a line to a box's log; the last five thousand stay."""
        values = (box_id, int(time.time()), level, source, message[:10_000])
        self._db.execute("INSERT INTO logs (box_id, at, level, source, message) VALUES (?, ?, ?, ?, ?)", values)
        self._trim("logs", box_id, KEPT_LOGS)

    def logs(self, box_id: str, offset: int, limit: int) -> list[dict[str, Any]]:
        """Lines of a box's log, oldest first."""
        rows = self._db.execute(
            "SELECT at, level, source, message FROM logs WHERE box_id = ? ORDER BY number LIMIT ? OFFSET ?", (box_id, limit, offset)
        )
        return [{"timestamp": at, "level": level, "source": source, "message": message} for at, level, source, message in rows]

    def logs_of_all(self, tenant: str, limit: int) -> list[dict[str, Any]]:
        """The latest lines of all boxes of a tenant, oldest first."""
        rows = self._db.execute(
            "SELECT box_id, at, level, source, message FROM logs WHERE box_id IN (SELECT id FROM boxes WHERE tenant = ?) "
            "ORDER BY number DESC LIMIT ?",
            (tenant, limit),
        ).fetchall()
        names = ("box_id", "timestamp", "level", "source", "message")
        return [dict(zip(names, row, strict=True)) for row in reversed(rows)]

    def _trim(self, table: Literal["runs", "logs"], box_id: str, kept: int) -> None:
        self._db.execute(
            f"DELETE FROM {table} WHERE box_id = ? AND number < "  # noqa: S608 - one of two words
            f"(SELECT number FROM {table} WHERE box_id = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
            (box_id, box_id, kept - 1),
        )

    # Schedules and public URLs

    def save_schedule(self, schedule: Schedule) -> None:
        """Keep a schedule, or its new state."""
        self._db.execute(
            "INSERT INTO schedules VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (schedule.id, schedule.box_id, schedule.model_dump_json()),
        )

    def schedule(self, box_id: str, schedule_id: str) -> Schedule:
        """One schedule of a box. Raises Missing."""
        row = self._db.execute("SELECT body FROM schedules WHERE box_id = ? AND id = ?", (box_id, schedule_id)).fetchone()
        if row is None:
            raise Missing(f"no schedule {schedule_id!r}")
        return Schedule.model_validate_json(row[0])

    def schedules(self, box_id: str) -> list[Schedule]:
        """Schedules of a box, oldest first."""
        rows = self._db.execute("SELECT body FROM schedules WHERE box_id = ? ORDER BY rowid", (box_id,))
        return list(_models(Schedule, rows))

    def active_schedules(self) -> dict[str, tuple[str, str]]:
        """Box and cron of each schedule that does not rest, by id."""
        query = "SELECT id, box_id, body ->> 'cron' FROM schedules WHERE body ->> 'status' = 'active'"
        return {ident: (box_id, cron) for ident, box_id, cron in self._db.execute(query)}

    def remove_schedule(self, schedule_id: str) -> None:
        """Forget a schedule."""
        self._db.execute("DELETE FROM schedules WHERE id = ?", (schedule_id,))

    def save_visit(self, box_id: str, visit: Visit) -> None:
        """Keep who may visit a port; it replaces what was said of it before."""
        self._db.execute("INSERT OR REPLACE INTO visits VALUES (?, ?, ?)", (box_id, visit.port, visit.model_dump_json()))

    def visits(self, box_id: str) -> list[Visit]:
        """The ports of a box that can be visited."""
        return list(_models(Visit, self._db.execute("SELECT body FROM visits WHERE box_id = ? ORDER BY port", (box_id,))))

    def remove_visit(self, box_id: str, port: int) -> None:
        """A port can be visited no more."""
        self._db.execute("DELETE FROM visits WHERE box_id = ? AND port = ?", (box_id, port))

    def save_token(self, box_id: str, token: str) -> None:
        """Keep the GitHub token of a box's owner."""
        self._db.execute("INSERT OR REPLACE INTO tokens VALUES (?, ?)", (box_id, token))

    def token(self, box_id: str) -> str | None:
        """The GitHub token of a box's owner."""
        row = self._db.execute("SELECT token FROM tokens WHERE box_id = ?", (box_id,)).fetchone()
        return None if row is None else str(row[0])

    def forget_box(self, box_id: str) -> None:
        """Whatever hangs on a deleted box."""
        for table in ("runs", "logs", "schedules", "visits", "tokens"):
            self._db.execute(f"DELETE FROM {table} WHERE box_id = ?", (box_id,))  # noqa: S608


def _models(model: type[_M], rows: sqlite3.Cursor) -> Iterator[_M]:
    return (model.model_validate_json(body) for (body,) in rows)

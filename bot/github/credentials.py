"""The App's credentials: from the environment, or as the set-up page stored them. Only its own user can read the file."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, field_serializer, field_validator

from bot.errors import Misconfigured
from bot.settings import BotSettings


class Credentials(BaseModel):
    """Who the App is, and how it proves it.

    Args:
        app_id, slug: as GitHub knows it; its comments are signed `slug[bot]`.
        private_key: PEM.
        webhook_secret: what deliveries are signed with.
        client_id, client_secret: for signing in by GitHub; empty without.
        html_url: the App's page.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    app_id: int
    private_key: SecretStr
    webhook_secret: SecretStr
    slug: str = ""
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    html_url: str = ""

    @field_validator("webhook_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 8:
            raise ValueError("a webhook secret has at least 8 signs")
        return value

    @field_validator("private_key")
    @classmethod
    def _a_key(cls, value: SecretStr) -> SecretStr:
        pem = value.get_secret_value().replace("\\n", "\n").strip() + "\n"  # as it comes out of many an environment file
        try:
            load_pem_private_key(pem.encode(), None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ValueError("this is no private key in PEM form") from error
        return SecretStr(pem)

    @field_serializer("private_key", "webhook_secret", "client_secret", when_used="json")
    def _in_the_file(self, value: SecretStr) -> str:
        return value.get_secret_value()

    def secrets(self) -> tuple[str, ...]:
        """What must appear nowhere."""
        return tuple(value.get_secret_value() for value in (self.private_key, self.webhook_secret, self.client_secret) if value)


class Keeper:
    """Where the credentials are: the environment stands above the file, which is read again when it changes."""

    def __init__(self, settings: BotSettings) -> None:
        self._given = _from_environment(settings)
        self._file = settings.app_file
        self._read: tuple[tuple[int, int], Credentials] | None = None

    @property
    def fixed(self) -> bool:
        """True if the environment decides."""
        return self._given is not None

    def current(self) -> Credentials | None:
        """The credentials; None while there are none. Raises Misconfigured for a file that cannot be used."""
        if self._given is not None:
            return self._given
        try:
            stat = self._file.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
            if self._read is None or self._read[0] != stamp:
                self._read = (stamp, Credentials.model_validate_json(self._file.read_bytes()))
        except FileNotFoundError:
            self._read = None
            return None
        except (OSError, ValidationError) as error:
            raise Misconfigured(f"{self._file} cannot be used ({_reason(error)}); delete it to set the App up anew") from error
        return self._read[1]

    def store(self, credentials: Credentials) -> None:
        """Keep credentials, unless there are some: the first set-up wins. Raises Misconfigured."""
        if self.fixed:
            raise Misconfigured("the App is configured by the environment")
        handle, draft = tempfile.mkstemp(prefix=".github-app-", dir=self._file.parent)  # 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as opened:
                opened.write(credentials.model_dump_json(indent=2))
            try:
                os.link(draft, self._file)
            except FileExistsError:
                raise Misconfigured(f"an App is configured already ({self._file})") from None
        finally:
            with contextlib.suppress(OSError):
                Path(draft).unlink()


def _from_environment(settings: BotSettings) -> Credentials | None:
    """APP_ID, PRIVATE_KEY or PRIVATE_KEY_PATH, WEBHOOK_SECRET. Raises Misconfigured if some are there and others are not."""
    key = settings.private_key.get_secret_value() if settings.private_key else ""
    if settings.private_key_path is not None and not key:
        try:
            key = settings.private_key_path.read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            raise Misconfigured(f"PRIVATE_KEY_PATH: {settings.private_key_path} cannot be read ({_reason(error)})") from error
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
    given = {"APP_ID": settings.app_id, "PRIVATE_KEY": key, "WEBHOOK_SECRET": secret}
    if not any(given.values()):
        return None
    if missing := [name for name, value in given.items() if not value]:
        raise Misconfigured(f"{' and '.join(missing)} must be set too, where {' and '.join(name for name in given if given[name])} is")
    known: dict[str, Any] = {"app_id": settings.app_id, "private_key": key, "webhook_secret": secret}
    more = {"client_id": settings.client_id, "client_secret": settings.client_secret or SecretStr("")}
    try:
        return Credentials(**known, **more)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        said = problem["msg"].removeprefix("Value error, ")
        raise Misconfigured(f"{str(problem['loc'][0]).upper()}: {said}") from error


def _reason(error: Exception) -> str:
    """Why, without what the file holds."""
    if isinstance(error, ValidationError):
        problems = error.errors(include_input=False)
        return "; ".join(f"{problem['loc'][0] if problem['loc'] else 'file'}: {problem['msg']}" for problem in problems)
    return getattr(error, "strerror", None) or type(error).__name__

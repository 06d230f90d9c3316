"""Who came by GitHub, and in which repositories GitHub lets him read or write. The token for asking stays here, sealed, until he goes."""

from __future__ import annotations

import base64
import time

import structlog
from arq.connections import ArqRedis
from box_review.finding import ContractModel
from cryptography.fernet import Fernet, InvalidToken

from bot.dashboard.sessions import Session, Sessions
from bot.errors import Misconfigured, Refused
from bot.github.credentials import Credentials, Keeper
from bot.github.direct import Direct
from bot.github.errors import Denied, GitHubError, Missing

log = structlog.get_logger()

LASTS_S = 3600
FRESH_S = 300.0
"""GitHub is asked again for what is older."""
BEARABLE_S = 900.0
"""What is older counts no more, whether GitHub answers or not."""


class Member(ContractModel):
    """Somebody at GitHub.

    Args:
        client_id: of the App he came through.
        sealed: his token.
        writes: repositories by id, True where he may write; he can read them all.
        names: what they are called.
        asked_at: when GitHub said so, Unix seconds.
    """

    login: str
    client_id: str
    sealed: str
    writes: dict[int, bool]
    names: dict[int, str]
    asked_at: float


class Members:
    """All of them, each for the length of a session.

    Args:
        redis: where they are kept.
    """

    def __init__(self, sessions: Sessions, redis: ArqRedis, keeper: Keeper, github: Direct) -> None:
        self._sessions, self._redis, self._keeper, self._github = sessions, redis, keeper, github
        self._lock = Fernet(base64.urlsafe_b64encode(bytes.fromhex(sessions.token("tokens of GitHub"))))

    @property
    def credentials(self) -> Credentials | None:
        """The App's, if people can sign in through it."""
        try:
            found = self._keeper.current()
        except Misconfigured:
            return None
        return found if found is not None and found.client_id and found.client_secret.get_secret_value() else None

    async def begin(self, token: str, client_id: str) -> Session:
        """A session for whoever the token is of. Raises GitHubError, and Refused for somebody who would see nothing."""
        user = await self._github.user(token)
        sealed = self._lock.encrypt(token.encode()).decode()
        member = await self._asked(Member(login=user.login, client_id=client_id, sealed=sealed, writes={}, names={}, asked_at=0))
        if not member.writes:
            raise Refused(f"@{user.login} was given access to no repository in which this App is installed.", 403)
        begun = self._sessions.begin(self._sessions.operator, (), f"@{user.login}", lasts_s=LASTS_S)
        session = begun.model_copy(update={"github": True})
        await self._redis.set(_key(session), member.model_dump_json(), ex=LASTS_S)
        return session

    async def of(self, session: Session) -> Member | None:
        """Who it is and what he may now; None if he is to sign in anew. Raises Refused where GitHub cannot be asked."""
        raw = await self._redis.get(_key(session))
        member = None if raw is None else Member.model_validate_json(raw)
        credentials = self.credentials
        gone = credentials is None or member is None or member.client_id != credentials.client_id
        if member is None or gone or session.tenant != self._sessions.operator:
            return None
        return member if time.time() - member.asked_at < FRESH_S else await self._renewed(session, member)

    async def forget(self, session: Session) -> None:
        """He goes, and so does his token."""
        await self._redis.delete(_key(session))

    async def _renewed(self, session: Session, member: Member) -> Member | None:
        try:
            member = await self._asked(member)
        except (Denied, Missing, InvalidToken):
            await self.forget(session)
            return None
        except GitHubError as error:
            log.warning("rights cannot be looked up", login=member.login, reason=str(error))
            if time.time() - member.asked_at > BEARABLE_S:
                raise Refused("GitHub cannot be asked at the moment what you may see here; try again shortly.", 503) from error
            return member
        await self._redis.set(_key(session), member.model_dump_json(), xx=True, keepttl=True)  # who has gone meanwhile stays gone
        return member

    async def _asked(self, member: Member) -> Member:
        found = await self._github.reached(self._lock.decrypt(member.sealed.encode()).decode())
        writes, names = {one.id: one.writable for one in found}, {one.id: one.full_name for one in found}
        return member.model_copy(update={"writes": writes, "names": names, "asked_at": time.time()})


def _key(session: Session) -> str:
    return f"box:dashboard:member:{session.id}"

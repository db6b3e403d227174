"""Sessions that are kept for a moment, because more mail for the same server may come.

DESCRIPTION
    A session is kept under the destination it was opened for; who takes it out begins with RSET, whose reply shows
    whether it is still good.  It is closed
    when nobody wants it for smtp_connection_cache_time_limit seconds, and is not kept past its age or its number
    of messages.  A session that logged in is only for those who would log in alike; one for a message that needs
    no TLS, or verified TLS (RFC 8689), is only for those that need the same.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from pillarbox.delivery.smtp.session import Session


class Key(msgspec.Struct, frozen=True):
    """Who may share a session."""

    service: str
    destination: str  # the nexthop, as written
    sender: bytes = b""  # with smtp_sender_dependent_authentication
    tls_optional: bool = False  # opened for a message that needs no TLS, and so perhaps without
    requirement: int = 0  # of REQUIRETLS: what the server was found to have


class SessionCache:
    """Idle sessions of one process."""

    def __init__(self, *, discard: Callable[[Session], Awaitable[None]], tasks: asyncio.TaskGroup) -> None:
        """`discard` says goodbye."""
        self._discard = discard
        self._tasks = tasks
        self._idle: dict[Key, list[tuple[Session, asyncio.TimerHandle]]] = {}

    def take(self, key: Key) -> Session | None:
        """The session that was kept last; None if there is none."""
        kept = self._idle.get(key)
        if not kept:
            return None
        session, timer = kept.pop()
        timer.cancel()
        if not kept:
            del self._idle[key]
        return session

    def may_keep(self, session: Session) -> bool:
        """Whether a session may be used again, as far as is known now."""
        client, conversation = session.rules.client, session.conversation
        if conversation.is_over or conversation.is_closing or session.has_quit or session.is_garbled:
            return False
        age = asyncio.get_running_loop().time() - session.opened
        count = client.smtp_connection_reuse_count_limit
        return age < client.smtp_connection_reuse_time_limit and not (count and session.uses >= count)

    def keep(self, key: Key, session: Session) -> bool:
        """Keep a session; False if it must not be used again."""
        if not self.may_keep(session):
            return False
        session.uses += 1
        limit = session.rules.client.smtp_connection_cache_time_limit
        timer = asyncio.get_running_loop().call_later(limit, self._expire, key, session)
        self._idle.setdefault(key, []).append((session, timer))
        return True

    def close(self) -> None:
        """Say goodbye to all."""
        for kept in self._idle.values():
            for session, timer in kept:
                timer.cancel()
                self._tasks.create_task(_quietly(self._discard(session)))
        self._idle.clear()

    def _expire(self, key: Key, session: Session) -> None:
        kept = self._idle.get(key, [])
        for at, (one, _) in enumerate(kept):
            if one is session:
                del kept[at]
                if not kept:
                    del self._idle[key]
                self._tasks.create_task(_quietly(self._discard(session)))
                return


async def _quietly(work: Awaitable[None]) -> None:
    await work

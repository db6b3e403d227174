"""smtp_sasl_auth_cache_name: logins that a server has refused, so that they are not tried again and again.

DESCRIPTION
    After a 535 the server, the user and a hash of the password are remembered with the reply, in memory and in the
    database, in Postfix's form: `host;user` is the key, `time;SHA-1 of the password;status;reply` the value.
    Another password, and time (smtp_sasl_auth_cache_time), make an entry void.

FAULTS
    A database that cannot be read or written is warned of; what is in memory counts.

STANDARDS
    postconf(5); RFC 4954 §6 (535)
"""

import base64
import hashlib
import hmac
import re
from typing import Final

import msgspec

from pillarbox.delivery.smtp.passwords import Login
from pillarbox.observability.events import EventSink, Warned
from pillarbox.tables.cache_store import Store, StoreFault
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.digits import decimal
from pillarbox.wire.smtp.replies import ServerReply

_VALUE: Final = re.compile(rb"(\d{1,15});([^;]+);([245]\.\d{1,3}\.\d{1,3});([^\n]+)")


class Refused(msgspec.Struct, frozen=True):
    """What the server said."""

    status: str
    text: str


class LoginFailures:
    """Of one service."""

    def __init__(self, store: Store, seconds: float, *, clock: Clock) -> None:
        """Entries are void after so many seconds."""
        self._store = store
        self._seconds = seconds
        self._clock = clock
        self._known: dict[bytes, bytes] | None = None

    def find(self, host: str, login: Login, *, tell: EventSink) -> Refused | None:
        """The reply that this login had; None if it may be tried."""
        key = _key(host, login)
        known = self._entries(tell)
        value = known.get(key)
        if value is None:
            return None
        match = _VALUE.match(value)
        if match is None:
            tell(Warned(f"bad smtp_sasl_auth_cache entry: {value[:100].decode('utf-8', 'replace')}"))
        elif decimal(match[1], max_digits=15) + self._seconds >= self._clock.now() and hmac.compare_digest(
            match[2], _hash(login)
        ):
            return Refused(match[3].decode(), match[4].decode("utf-8", "replace"))
        del known[key]
        self._write({key: None}, tell)
        return None

    def remember(self, host: str, login: Login, reply: ServerReply, *, tell: EventSink) -> None:
        """The server has said 535."""
        text = reply.text.replace(b"\r", b" ").replace(b"\n", b" ")
        value = b"%d;%s;%s;%s" % (int(self._clock.now()), _hash(login), reply.status.encode(), text)
        key = _key(host, login)
        self._entries(tell)[key] = value
        self._write({key: value}, tell)

    def _entries(self, tell: EventSink) -> dict[bytes, bytes]:
        if self._known is None:
            try:
                self._known = self._store.load()
            except StoreFault as fault:
                tell(Warned(str(fault)))
                self._known = {}
        return self._known

    def _write(self, changes: dict[bytes, bytes | None], tell: EventSink) -> None:
        try:
            self._store.write(changes)
        except StoreFault as fault:
            tell(Warned(str(fault)))


def _key(host: str, login: Login) -> bytes:
    return b"%s;%s" % (host.encode(), login.user)


def _hash(login: Login) -> bytes:
    """As Postfix has it: whoever can read the database can try passwords."""
    return base64.b64encode(hashlib.sha1(login.password.reveal(), usedforsecurity=False).digest())

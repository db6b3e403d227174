"""socketmap: tables, a server that knows several by name and speaks in netstrings.

DESCRIPTION
        socketmap:inet:host:port:name, socketmap:unix:path:name

    `name key` is answered by `OK value`, `NOTFOUND `, or `TEMP`, `TIMEOUT` or `PERM` with a reason.  A path that
    does not begin with a slash is one in the queue directory.

    It is asked for whole keys only, in the case that they have.

FAULTS
    ConfigurationFault  at open: no server, no name; where an answer says which user or file there is to be,
                        because anybody could answer
    LookupFault         no connection, no answer, or one that says so

STANDARDS
    socketmap_table(5); D. J. Bernstein, Netstrings
"""

from typing import Final

from pillarbox.tables.server_address import printable, service
from pillarbox.tables.server_connection import ServerConnection, ServerFault
from pillarbox.tables.table import Keys, LookupFault, LookupTable, Opening, octets_of, text_of
from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.faults import ConfigurationFault

_LONGEST: Final = 100_000
"""Octets of an answer."""
_NOBODY: Final = 0x7FFFFFFF
_ERRORS: Final = {b"TEMP": "temporary", b"TIMEOUT": "timeout", b"PERM": "permanent"}


class SocketmapTable:
    """`socketmap:server:name`"""

    partial_keys = False
    owner_uid = _NOBODY

    def __init__(self, text: str, opening: Opening) -> None:
        self.name = f"socketmap:{text}"
        self._warn = opening.warn
        self._keys = Keys(self.name, opening, fold=False)
        opening.refuse_unauthenticated(self.name)
        server, colon, name = text.rpartition(":")
        if not colon:
            raise ConfigurationFault(opening.where, "socketmap requires server:socketmap argument")
        self._map = octets_of(name)
        self._connection = ServerConnection(
            service(server, where=opening.where), clock=opening.clock, keep_idle=False
        )

    def query(self, key: str) -> str | None:
        """The server's answer.  LookupFault."""
        unfolded = self._keys.folded(key)
        if unfolded is None:
            return None
        question = b"%s %s" % (self._map, octets_of(unfolded))
        try:
            reply = self._connection.ask(b"%d:%s," % (len(question), question), _netstring)
        except (ServerFault, OSError) as error:
            reason = "time limit exceeded" if isinstance(error, TimeoutError) else _reason(error)
            self._warn(f"table {self.name} lookup error: {reason}")
            raise LookupFault(self.name, reason) from error
        return self._keys.checked(key, self._value(reply))

    def close(self) -> None:
        """End the connection; another question makes a new one."""
        self._connection.close()

    def _value(self, reply: bytes) -> str | None:
        status, space, payload = reply.partition(b" ")
        if status == b"OK":
            return text_of(payload) if space else None
        if status == b"NOTFOUND":
            return None
        text = printable(text_of(payload).lstrip(), "?")[:200]
        what = f"{_ERRORS.get(status, 'unknown')} error" + (f": {text}" if text else "")
        self._warn(f"{self.name} socketmap server {what}")
        raise LookupFault(self.name, what)


def open_socketmap(text: str, opening: Opening) -> LookupTable:
    """`socketmap:text`"""
    return SocketmapTable(text, opening)


def _netstring(connection: ServerConnection) -> bytes:
    digits = b""
    while (octet := connection.read_octets(1)).isdigit() and len(digits) < 9:
        digits += octet
    if octet != b":" or not digits:
        raise ServerFault("input format error")
    length = decimal(digits, max_digits=9)
    if length > _LONGEST:
        raise ServerFault("input exceeds size limit")
    octets = connection.read_octets(length)
    if connection.read_octets(1) != b",":
        raise ServerFault("input format error")
    return octets


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)

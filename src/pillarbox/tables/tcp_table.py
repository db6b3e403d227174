"""tcp: tables, a server that is asked a line and answers with one.

DESCRIPTION
        tcp:host:port, tcp:port     `get KEY` is answered by `200 VALUE`, `500 TEXT` (there is none) or `400 TEXT`
                                    (ask later); octets that are not printable stand as %XX

    It is asked for whole keys only, in the case that they have.

FAULTS
    ConfigurationFault  at open: no port; where an answer says which user or file there is to be, because anybody
                        could answer
    LookupFault         no connection, no answer, 400, or what is no answer

STANDARDS
    tcp_table(5)
"""

from typing import Final
from urllib.parse import quote_from_bytes

from pillarbox.tables.server_address import endpoint, printable
from pillarbox.tables.server_connection import Ended, ServerConnection, ServerFault
from pillarbox.tables.table import Keys, LookupFault, LookupTable, Opening, octets_of, text_of

_LONGEST: Final = 4096
"""Octets of an answer, with its end of line."""
_UNQUOTED: Final = "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
_NOBODY: Final = 0x7FFFFFFF


class TcpTable:
    """`tcp:host:port`"""

    partial_keys = False
    owner_uid = _NOBODY

    def __init__(self, server: str, opening: Opening) -> None:
        self.name = f"tcp:{server}"
        self._server = server
        self._warn = opening.warn
        self._keys = Keys(self.name, opening, fold=False)
        opening.refuse_unauthenticated(self.name)
        self._connection = ServerConnection(
            endpoint(server, where=opening.where), clock=opening.clock, keep_idle=True
        )

    def query(self, key: str) -> str | None:
        """The server's answer.  LookupFault."""
        unfolded = self._keys.folded(key)
        if unfolded is None:
            return None
        question = b"get %s\n" % quote_from_bytes(octets_of(unfolded), safe=_UNQUOTED).encode()
        try:
            reply = self._connection.ask(
                question, lambda connection: connection.read_until(b"\n", limit=_LONGEST)
            )
        except Ended as end:
            raise self._misread("unexpected EOF", str(end)) from end
        except (ServerFault, TimeoutError) as fault:
            raise self._misread(str(fault), str(fault)) from fault
        except OSError as error:
            reason = error.strerror or str(error)
            raise self._failed(f"connect to TCP map {self._server}: {reason}", reason) from error
        return self._keys.checked(key, self._value(reply))

    def close(self) -> None:
        """End the connection; another question makes a new one."""
        self._connection.close()

    def _value(self, reply: bytes) -> str | None:
        shown = printable(reply.decode("utf-8", "surrogateescape"), "_")[:100]
        text = _unquoted(reply)
        if text is None or not text[:3].isdigit() or text[3:4] != b" ":
            raise self._misread(f"malformed reply: {shown}", "malformed reply")
        match text[:3]:
            case b"200":
                return text_of(text[4:])
            case b"500":
                return None
            case b"400":
                raise LookupFault(self.name, shown)
        raise self._misread(f"bad status code: {shown}", "bad status code")

    def _misread(self, what: str, reason: str) -> LookupFault:
        return self._failed(f"read TCP map reply from {self._server}: {what}", reason)

    def _failed(self, warning: str, reason: str) -> LookupFault:
        self._warn(warning)
        return LookupFault(self.name, reason)


def open_tcp(server: str, opening: Opening) -> LookupTable:
    """`tcp:server`"""
    return TcpTable(server, opening)


def _unquoted(reply: bytes) -> bytes | None:
    """The octets that %XX stand for; None if that is not what follows a percent sign."""
    first, *rest = reply.split(b"%")
    octets = bytearray(first)
    for part in rest:
        try:
            octets += bytes.fromhex(part[:2].decode("ascii")) if len(part[:2].strip()) == 2 else b""
        except ValueError:
            return None
        if len(part) < 2 or len(part[:2].strip()) != 2:
            return None
        octets += part[2:]
    return bytes(octets)

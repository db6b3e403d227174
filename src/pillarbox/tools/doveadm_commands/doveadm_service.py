"""A connection to the doveadm service of another host, by which its dsync-server is talked to (tcp:HOST[:PORT]).

DESCRIPTION
        C: VERSION<TAB>doveadm-server<TAB>1<TAB>0
        S: -                                        or +, if it knows us
        C: PLAIN<TAB>AGRvdmVhZG0Ac2VjcmV0           NUL, doveadm_username, NUL, doveadm_password
        S: +
        C: <TAB>alice<TAB>dsync-server<TAB>-ualice
        S:
        S: +                                        or - and an exit status

    Then dsync begins.  By the minor version 0 no log lines of the other host come between.

FAULTS
    Fatal  it cannot be reached, refuses the password, or the command

STANDARDS
    Dovecot 2.3, doveadm protocol 1.0
"""

import base64
import re
import socket
from typing import Final

from pillarbox.tools.doveadm_commands.faults import EX_NOUSER, EX_TEMPFAIL, Fatal
from pillarbox.wire.dsync.fields import escape

CONNECT_SECONDS: Final = 30
_ADDRESS: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>\d{1,5}))?")
_STATUSES: Final = {"NOUSER": EX_NOUSER, "TEMPFAIL": EX_TEMPFAIL}
_LONGEST: Final = 8192


class DoveadmService:
    """It is connected to; what is said then is dsync's."""

    def __init__(self, where: str, user: str, *, port: int, name: str, password: str) -> None:
        """`where`: HOST or HOST:PORT; `port`: where none is named; `name` and `password` are ours.  Fatal."""
        found = _ADDRESS.fullmatch(where)
        port = int((found and found["port"]) or port)
        if found is None or not 0 < port < 65536:
            raise Fatal(f"tcp:{where}: there is no such address, or doveadm_port is not set")
        self._where = where
        try:
            self._socket = socket.create_connection((found["v6"] or found["host"], port), CONNECT_SECONDS)
        except OSError as error:
            raise Fatal(f"connect({where}) failed: {error.strerror or error}") from error
        try:
            self._log_in(name, password)
            self._begin(user)
        except OSError as error:
            self._socket.close()
            raise Fatal(f"{where}: doveadm server disconnected: {error.strerror or error}") from error
        except Fatal:
            self._socket.close()
            raise
        self.reading = self.writing = self._socket.fileno()

    def _log_in(self, name: str, password: str) -> None:
        self._socket.sendall(b"VERSION\tdoveadm-server\t1\t0\n")
        if self._line() == "+":
            return
        if not password:
            raise Fatal("doveadm_password not set, can't authenticate to remote server")
        words = f"\0{name}\0{password}".encode()
        self._socket.sendall(b"PLAIN\t" + base64.b64encode(words) + b"\n")
        if self._line() != "+":
            raise Fatal(f"{self._where}: doveadm authentication failed")

    def _begin(self, user: str) -> None:
        name = escape(user.encode("utf-8", "surrogateescape"))
        self._socket.sendall(b"\t%b\tdsync-server\t-u%b\n" % (name, name))
        answer = self._line() or self._line()
        if answer != "+":
            word = answer.removeprefix("-")
            if word == "NOUSER":
                raise Fatal("Unknown user in remote", status=EX_NOUSER)
            raise Fatal(
                f"Failed to start remote dsync-server command: Remote exit_code={_STATUSES.get(word, word)}"
            )

    def _line(self) -> str:
        """One line, octet by octet: what follows is not ours."""
        line = bytearray()
        while not line.endswith(b"\n"):
            octet = self._socket.recv(1)
            if not octet or len(line) > _LONGEST:
                raise Fatal(f"{self._where}: doveadm server disconnected before handshake: EOF")
            line += octet
        return line[:-1].decode("utf-8", "replace")

    def end(self) -> str:
        """The connection ends; nothing is wrong with that."""
        self._socket.close()
        return ""

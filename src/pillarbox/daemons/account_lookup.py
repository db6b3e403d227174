"""The spawner's questions to the auth server: who is it that logged in, and where is a recipient's mail.

DESCRIPTION
    A login is redeemed by its ticket, once; a recipient of LMTP is looked up.  Either way the answer is an account:
    user, uid, gid, and what else the userdb says.  One connection serves all questions; it is opened when it is
    needed, and again after it was lost.

FAULTS
    Each question gets an account or a `NoAccount`; so do those that a lost connection leaves without an answer.

STANDARDS
    Dovecot's Design.AuthProtocol, master protocol 1.1
"""

import itertools
import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.net.handover import Handover, ToSpawner
from pillarbox.vocabulary.digits import is_decimal
from pillarbox.wire.auth_protocol import LineReader, LineTooLong, encode_line, parameters, split_line

INTERNAL_ERROR: Final = b"451 4.3.0 Temporary internal error"
_PATIENCE: Final = 10.0


class FoundAccount(msgspec.Struct, frozen=True):
    """Whose mailboxes they are."""

    user: bytes
    uid: int
    gid: int
    fields: dict[bytes, bytes]


class NoAccount(msgspec.Struct, frozen=True):
    """Why there is none: `refusal` for the log, `reply` for whoever sends a message."""

    refusal: str
    reply: bytes = INTERNAL_ERROR


_ACCOUNT_FIELDS: Final = frozenset((b"uid", b"gid", b"home", b"mail", b"system_groups_user", b"auth_mech"))
"""What the userdb says that workers need not hear again."""


def of_account(account: Mapping[bytes, bytes]) -> tuple[str, str, dict[str, str]]:
    """Home, mail and the other fields of a user, as a worker is told of them."""
    fields = {
        key.decode("utf-8", "replace"): os.fsdecode(value)
        for key, value in account.items()
        if key not in _ACCOUNT_FIELDS
    }
    return os.fsdecode(account.get(b"home", b"")), os.fsdecode(account.get(b"mail", b"")), fields


Answered = Callable[[FoundAccount | NoAccount], None]


class AccountLookup:
    """The connection, for a loop over a selector."""

    def __init__(
        self,
        path: str,
        *,
        opened: Callable[[socket.socket, Callable[[], None]], None],
        closing: Callable[[socket.socket], object],
    ) -> None:
        """`opened` is given a socket and whom to call when it can be read; `closing` is told of its end."""
        self._path = path
        self._opened = opened
        self._closing = closing
        self._numbers = itertools.count(1)
        self._asked: dict[int, Answered] = {}
        self._sock: socket.socket | None = None
        self._lines = LineReader()

    @property
    def sockets(self) -> list[socket.socket]:
        """What a forked child has to close."""
        return [] if self._sock is None else [self._sock]

    def connect(self) -> None:
        """Open the connection now, if the server is there; it is tried again with the first question."""
        try:
            self._socket()
        except OSError:
            self._lost()

    def ask(self, frame: ToSpawner, answered: Answered) -> None:
        """Redeem a login, or look the recipient of a message up."""
        number = next(self._numbers)
        if isinstance(frame, Handover):
            line = encode_line(
                b"REQUEST",
                b"%d" % number,
                b"%d" % frame.client_pid,
                b"%d" % frame.request_id,
                frame.cookie,
                b"session_pid=%d" % os.getpid(),
            )
        else:
            line = encode_line(b"USER", b"%d" % number, frame.user.encode(), b"service=lmtp")
        for _ in range(2):  # the second time over a fresh connection
            try:
                self._socket().sendall(line)
                self._asked[number] = answered
                return
            except OSError:
                self._lost()
        answered(NoAccount("the auth server does not answer"))

    def _socket(self) -> socket.socket:
        if self._sock is None:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(_PATIENCE)
            try:
                sock.connect(self._path)
                sock.sendall(encode_line(b"VERSION", b"1", b"1"))
            except OSError:
                sock.close()
                raise
            self._sock, self._lines = sock, LineReader()
            self._opened(sock, self._hear)
        return self._sock

    def _hear(self) -> None:
        if self._sock is None:
            return
        try:
            data = self._sock.recv(65536)
            lines = self._lines.feed(data)
        except (OSError, LineTooLong):
            data, lines = b"", []
        for line in lines:
            self._take(split_line(line))
        if not data:
            self._lost()

    def _lost(self) -> None:
        if self._sock is not None:
            self._closing(self._sock)
            self._sock.close()
            self._sock = None
        waiting, self._asked = self._asked, {}
        for answered in waiting.values():
            answered(NoAccount("the auth server is gone"))

    def _take(self, fields: list[bytes]) -> None:
        if fields[0] not in (b"USER", b"FAIL", b"NOTFOUND") or len(fields) < 2 or not fields[1].isdigit():
            return  # VERSION and SPID, the server's greeting
        answered = self._asked.pop(int(fields[1]), None)
        if answered is not None:
            answered(_judged(fields))


def _judged(fields: list[bytes]) -> FoundAccount | NoAccount:
    """What an answer means."""
    if fields[0] == b"NOTFOUND":
        return NoAccount("userdb does not know the user", b"550 5.1.1 User doesn't exist")
    if fields[0] != b"USER" or len(fields) < 3:
        return NoAccount("userdb lookup failed")
    found = parameters(fields[3:])
    uid, gid = found.get(b"uid", b""), found.get(b"gid", b"")
    if not (is_decimal(uid, max_digits=10) and is_decimal(gid, max_digits=10)):
        return NoAccount("userdb gave no uid or gid")
    for key, value in found.items():
        try:  # frames and log lines have no place for other octets
            value.decode("utf-8")
        except UnicodeDecodeError:
            shown = value.decode("utf-8", "backslashreplace")
            return NoAccount(f"userdb gave a {key.decode('utf-8', 'replace')} that is not UTF-8: {shown}")
    return FoundAccount(fields[2], int(uid), int(gid), found)


def refused_owner(settings: MailboxSettings, uid: int, gid: int) -> str:
    """Why no process gets these rights; empty if one may."""
    is_rootless = os.getuid() != 0
    if is_rootless and uid != os.getuid():
        return f"uid {uid} is not ours, and we are not root"
    if not is_rootless and uid == 0:
        return "Mail access for users with UID 0 not permitted (this is always denied)"
    if uid < settings.first_valid_uid or (settings.last_valid_uid and uid > settings.last_valid_uid):
        return (
            f"Mail access for users with UID {uid} not permitted "
            f"(see first_valid_uid in config file, uid from userdb lookup)."
        )
    if gid < settings.first_valid_gid or (settings.last_valid_gid and gid > settings.last_valid_gid):
        return (
            f"Mail access for users with GID {gid} not permitted "
            f"(see first_valid_gid in config file, gid from userdb lookup)."
        )
    return ""

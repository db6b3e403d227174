"""A session on its way from a login process to the worker that opens its mailbox.

DESCRIPTION
    login → spawner: `Handover`, with the client's socket (or, under TLS, one end of a pair whose other end login
    relays to).  It names no user: it holds a ticket that the spawner redeems at the auth server.
    spawner → worker: `Session`, with what the auth server said.
    LMTP server → spawner: `DeliverMail`, which does name a user: anybody may send him mail.  spawner → worker:
    `Letter`; `Delivered` comes back the same way.
    worker → spawner: `Quiet` when there is nothing left to do; the spawner answers by closing the channel unless
    a session is on its way.  `IndexerWanted` when there is much to read; `IndexerReady` comes back.
    worker → spawner: when all clients rest, `Parked` for each session, then `Quiet` with an inotify descriptor.
    The spawner keeps them until a client says something, or a mailbox changes; spawner → worker: `Resume` for each.
"""

import os

import msgspec

from pillarbox.config.dovecot.variables import field_values, user_values
from pillarbox.observability.events import MailUser


class Peer(msgspec.Struct, frozen=True, array_like=True):
    """Who is connected, for the log and for limits."""

    service: str  # imap or pop3
    remote: str
    local: str
    session: str  # id in log lines
    secured: bool


class Handover(msgspec.Struct, tag=True):
    """A login that succeeded."""

    number: int
    peer: Peer
    request_id: int
    client_pid: int
    cookie: bytes
    tag: bytes
    unread: bytes
    asked_capabilities: bool = False  # before the login


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """What deliver_log_format may tell of where a message came from."""

    sender: str = ""
    recipient: str = ""
    began: float = 0.0  # on the monotonic clock, the client's session


class DeliverMail(msgspec.Struct, tag=True):
    """LMTP server → spawner: a message for a user, in the file that is passed along."""

    number: int
    user: str
    detail: str  # of user+detail
    session: str  # id in log lines
    head: bytes = b""  # what stands before what is in the file
    only_asks: bool = False  # whether the user is over quota; the file is empty
    asked_size: int = 0  # octets of the message for which there should be room
    envelope: Envelope = Envelope()


class Delivered(msgspec.Struct, tag=True):
    """worker → spawner → LMTP server: code, status and text of the reply."""

    number: int
    reply: bytes


ToSpawner = Handover | DeliverMail


class HandoverDone(msgspec.Struct, tag=True):
    """spawner → login: the worker's pid, or why there is none."""

    number: int
    worker: int = 0
    refusal: str = ""
    limit: int = 0
    """mail_max_userip_connections, if the client has as many sessions."""


class Session(msgspec.Struct, tag=True):
    """spawner → worker."""

    peer: Peer
    user: str
    home: str
    mail: str  # the userdb's own mail_location; empty: the configuration's
    tag: bytes
    unread: bytes
    fields: dict[str, str] = {}  # what else the userdb says
    asked_capabilities: bool = False

    @property
    def mail_user(self) -> MailUser:
        """Whose session it is, for the log."""
        peer = self.peer
        return MailUser(peer.service, self.user, peer.session, peer.remote, peer.local, self.fields)

    @property
    def log_values(self) -> dict[str, str]:
        """What imap_logout_format and pop3_logout_format may tell of whose session it is."""
        peer = self.peer
        own = {"session": peer.session, "service": peer.service, "rip": peer.remote, "lip": peer.local}
        own |= field_values("userdb", self.fields)
        return {**user_values(self.user), **own, "home": self.home, "pid": str(os.getpid())}


class Letter(msgspec.Struct, tag=True):
    """spawner → worker: store the message in the file that is passed along."""

    number: int
    user: str
    home: str
    mail: str
    detail: str
    session: str
    fields: dict[str, str] = {}
    head: bytes = b""  # what stands before what is in the file
    only_asks: bool = False
    asked_size: int = 0
    envelope: Envelope = Envelope()


class Kick(msgspec.Struct, tag=True):
    """spawner → worker: end this session, please."""

    session: str


class Resume(msgspec.Struct, tag=True):
    """spawner → worker: go on with a session that was parked; its connection and its state are passed along."""

    sent: int = 0  # octets that the client was sent meanwhile
    unsent: bytes = b""  # what it has still to be sent, the rest of a line


class IndexerReady(msgspec.Struct, tag=True):
    """spawner → worker: the channel to an indexer is passed along (mailstore/cache/indexing.py)."""


ToWorker = Session | Letter | Kick | Resume | IndexerReady


class Parked(msgspec.Struct, tag=True):
    """worker → spawner: a session whose client rests; its connection is passed along, and its state, a memory file
    for the worker that goes on with it.

    Moments are those of CLOCK_MONOTONIC, in seconds.
    """

    session: str  # id in log lines
    keep_alive: bytes  # what the client is told every now and then; empty for nothing
    told_at: float  # when it was told something last
    wake_at: float  # when to go on whatever happens; 0 for never
    bytes_out: int
    figures: str  # for the log if it ends there; `{out}` stands for all octets that were sent
    deflates: bool = False  # COMPRESS: what the client is told goes as blocks of DEFLATE
    last_command: str | None = (
        None  # what the log says of a client that goes; None: a worker is needed for that
    )
    last_time: float = 0.0  # when that was finished; 0 for never: it will be when the client goes


class Quiet(msgspec.Struct, tag=True):
    """worker → spawner: no sessions but parked ones; `seen` is how many there have been since the start."""

    seen: int


class SessionClosed(msgspec.Struct, tag=True):
    """worker → spawner: this session is over."""

    session: str


class IndexerWanted(msgspec.Struct, tag=True):
    """worker → spawner: another process of my rights that reads messages, please."""


FromWorker = Quiet | Parked | Delivered | SessionClosed | IndexerWanted


class WhoIs(msgspec.Struct, tag=True):
    """doveadm → spawner: which sessions are there?"""


class KickOut(msgspec.Struct, tag=True):
    """doveadm → spawner: end these sessions."""

    sessions: list[str]


class OpenSession(msgspec.Struct, frozen=True, array_like=True):
    """One line of doveadm who."""

    user: str
    service: str
    pid: int
    remote: str
    session: str
    local: str = ""


class OpenSessions(msgspec.Struct, tag=True):
    """spawner → doveadm."""

    sessions: list[OpenSession]


FromAdmin = WhoIs | KickOut

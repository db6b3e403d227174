"""What happens, as typed facts: one frozen struct for each.

DESCRIPTION
    Whatever happens to a client, a message or a mailbox is told once, as an event.  Sinks make log lines
    (`log_lines.py`), JSON and counters of it.  An event holds what peers sent as it was; the sinks make it
    harmless.

    `EventSink` is how a role tells; tests collect events in a list.
"""

from collections.abc import Callable

import msgspec


class Event(msgspec.Struct, frozen=True):
    """Something that happened."""


EventSink = Callable[[Event], None]


# -- any role -----------------------------------------------------------------------------------------


class Warned(Event, frozen=True):
    """Something is wrong that an admin should know of; `reason` is private text."""

    reason: str
    program: str = ""  # that says it, if it is not the one that runs


class Refused(Event, frozen=True):
    """A program cannot go on, or a command cannot be done; `reason` is private text."""

    reason: str


class Broke(Event, frozen=True):
    """A mistake of ours ended a program or a part of it; `reason` says what and where."""

    reason: str


class Noted(Event, frozen=True):
    """Something worth a line that is nothing to worry about."""

    text: str
    program: str = ""  # that says it, if it is not the one that runs


class RoleStarted(Event, frozen=True):
    """A supervisor has everything running."""

    version: str
    configuration: str


class Reloaded(Event, frozen=True):
    """A supervisor has read its configuration again."""

    version: str
    configuration: str


class Terminating(Event, frozen=True):
    """A supervisor has stopped everything because of a signal."""

    signal: int


# -- the SMTP server ----------------------------------------------------------------------------------


class ClientConnected(Event, frozen=True):
    """`connect from name[address]`"""

    client: str  # `name[address]`


class ClientDisconnected(Event, frozen=True):
    """`disconnect from name[address] ehlo=1 … commands=5`: successes and totals by verb."""

    client: str
    commands: tuple[tuple[str, int, int], ...]  # verb, succeeded, all


class ClientLost(Event, frozen=True):
    """`lost connection after DATA (120 bytes) from name[address]`; also timeouts and too many errors."""

    what: str  # "lost connection", "timeout", "too many errors"
    after: str
    client: str


class ImproperPipelining(Event, frozen=True):
    """A client that does not wait for the answer it has to wait for."""

    after: str
    client: str
    data: bytes


class NotSmtp(Event, frozen=True):
    """`warning: non-SMTP command from name[address]: GET / HTTP/1.1`"""

    client: str
    line: bytes


class MessageBegun(Event, frozen=True):
    """The first recipient was accepted: `QID: client=name[address]`"""

    queue_id: str
    client: str
    sasl_method: str = ""
    sasl_username: str = ""
    sasl_sender: str = ""
    orig_queue_id: str = ""  # as XFORWARD has it
    orig_client: str = ""


class CommandRefused(Event, frozen=True):
    """`NOQUEUE: reject: RCPT from …: 554 5.7.1 …; from=<> to=<> proto=ESMTP helo=<h>`; other verbs only note.

    Without a protocol it ends with the reply.
    """

    queue_id: str
    stage: str
    client: str
    reply: bytes
    sender: bytes | None
    recipient: bytes | None
    protocol: str
    helo: bytes
    verb: str = "reject"  # reject_warning, hold, discard, redirect, bcc, warn, info


class FilterAnswered(Event, frozen=True):
    """`proxy-accept: END-OF-MESSAGE: 250 …; from=<> to=<> proto=ESMTP helo=<h>`: a filter before the queue."""

    accepted: bool
    reply: bytes
    sender: bytes
    recipient: bytes  # the first
    protocol: str
    helo: bytes


class ContentInspected(Event, frozen=True):
    """cleanup: `QID: reject: header Subject: x from name[address]; from=<> to=<> proto=ESMTP helo=<h>: text`"""

    queue_id: str
    verb: str
    kind: str  # header, body, or `mime-error text:`
    content: bytes
    client: str
    sender: bytes
    recipient: bytes
    protocol: str
    helo: bytes
    text: bytes


class AuthenticationFailed(Event, frozen=True):
    """`warning: name[address]: SASL PLAIN authentication failed: reason, sasl_username=user`"""

    client: str
    mechanism: str
    reason: str
    username: str


class TlsEstablished(Event, frozen=True):
    """A TLS session stands; `peer` is what it stands with."""

    direction: str  # "from" or "to"
    peer: str
    protocol: str
    cipher: str
    bits: int
    trust: str = "Anonymous"  # or Untrusted, Trusted: the client's certificate
    figures: str = ""  # ` key-exchange X25519 …`, of TLS 1.3


class TlsFailed(Event, frozen=True):
    """`SSL_accept error from name[address]: reason`"""

    client: str
    reason: str


# -- the queue ----------------------------------------------------------------------------------------


class MessagePickedUp(Event, frozen=True):
    """pickup: `QID: uid=1000 from=<s>`, with ` orig_id=OLD` for a message that was requeued"""

    queue_id: str
    uid: int
    sender: bytes
    original_id: str = ""


class MessageIdSeen(Event, frozen=True):
    """cleanup: `QID: message-id=<…>`, or `resent-message-id=<…>`"""

    queue_id: str
    message_id: bytes
    resent: bool = False


class MessageActive(Event, frozen=True):
    """qmgr: `QID: from=<s>, size=1234, nrcpt=2 (queue active)`"""

    queue_id: str
    sender: bytes
    size: int
    recipients: int


class MessageRemoved(Event, frozen=True):
    """qmgr: `QID: removed`"""

    queue_id: str


class MessageExpired(Event, frozen=True):
    """qmgr: `QID: from=<s>, status=expired, returned to sender`"""

    queue_id: str
    sender: bytes
    is_forced: bool = False  # by postsuper -e: `status=force-expired`


class MessageCorrupt(Event, frozen=True):
    """qmgr: `saving corrupt file "ID" from queue "active" to queue "corrupt"`"""

    queue_id: str
    queue: str
    reason: str


class AttemptMade(Event, frozen=True):
    """`QID: to=<r>, relay=virtual, delay=0.1, delays=0.1/0/0/0, dsn=2.0.0, status=sent (text)`"""

    agent: str  # virtual, local, smtp, error …
    queue_id: str
    recipient: bytes
    original: bytes
    relay: str
    delays: tuple[float, float, float, float]
    dsn: str
    status: str  # sent, deferred, bounced
    text: str
    uses: int = 0  # of a connection that is used again: conn_use=


class CacheCleaned(Event, frozen=True):
    """verify: `cache btree:/… full cleanup: retained=3 dropped=1 entries`"""

    name: str
    retained: int
    dropped: int


class BounceQueued(Event, frozen=True):
    """bounce: `QID: sender non-delivery notification: NEWID`"""

    queue_id: str
    new_queue_id: str
    what: str


# -- mailbox access -----------------------------------------------------------------------------------


class MailUser(msgspec.Struct, frozen=True):
    """Whose mail a line is about; mail_log_prefix says how that looks: `imap(me)<42><AbC>: `"""

    service: str
    user: str
    session: str = ""
    remote: str = ""
    local: str = ""
    fields: dict[str, str] = {}
    """What the userdb says besides: `%{userdb:NAME}`, and auth_user, if he said another name."""


class MailboxNotice(Event, frozen=True):
    """`auth: Error: text`: what a part of the mailbox half has to tell its admin."""

    program: str | MailUser  # master, auth, imap-login …
    severity: str  # Info, Warning, Error, Fatal
    text: str


class LoggedIn(Event, frozen=True):
    """`imap-login: Info: Login: user=<u>, method=PLAIN, rip=…, lip=…, mpid=…, TLS, session=<…>`"""

    service: str
    user: str
    method: str
    remote: str
    local: str
    worker: int
    security: str  # "TLS", "secured" or ""
    session: str
    facts: dict[str, str] = {}  # what login_log_format_elements may tell besides, by the names of variables


class ClientIdentified(Event, frozen=True):
    """`imap-login: Info: ID sent: name=x, version=1: user=<>, rip=…, lip=…, secured, session=<…>`"""

    text: str
    remote: str
    local: str
    security: str
    session: str
    facts: dict[str, str] = {}  # what login_log_format_elements may tell besides, by the names of variables


class LoginTrouble(Event, frozen=True):
    """`imap-login: Error: what is wrong: user=<>, method=EXTERNAL, rip=…, lip=…, TLS, session=<…>`"""

    service: str
    severity: str
    text: str
    method: str
    remote: str
    local: str
    security: str
    session: str
    facts: dict[str, str] = {}  # what login_log_format_elements may tell besides, by the names of variables


class LoginEnded(Event, frozen=True):
    """`imap-login: Info: Disconnected: reason (auth failed, 1 attempts in 2 secs): user=<u>, …`"""

    service: str
    reason: str
    user: str
    method: str
    remote: str
    local: str
    security: str
    session: str
    facts: dict[str, str] = {}  # what login_log_format_elements may tell besides, by the names of variables


class PasswordRefused(Event, frozen=True):
    """`auth: passwd-file(user,address,<session>): Password mismatch`"""

    driver: str
    user: str
    remote: str
    session: str
    reason: str


class MailSessionEnded(Event, frozen=True):
    """`imap(user)<pid><session>: Info: Disconnected: Logged out in=… out=…`"""

    service: str
    user: str
    session: str
    reason: str
    figures: str
    remote: str = ""
    local: str = ""
    fields: dict[str, str] = {}  # as MailUser's

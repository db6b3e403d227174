"""What a mail host of the lab does, as data.

DESCRIPTION
    A host is polite but for what its `Behaviour` says.  `replies` stand in place of the polite ones, by phase:

        connect EHLO LHLO HELO STARTTLS AUTH MAIL RCPT DATA . RSET QUIT
        EHLO+TLS       the EHLO after STARTTLS
        anything else  a command that is not known otherwise

    A reply is the code and the text, lines apart by a newline, or what is done instead of one.  `Say` limits
    it: to the first so many times, or to the beginning of the lab's time.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

DROP: Final = "\0drop"
"""Instead of a reply: close the connection."""
SILENCE: Final = "\0silence"
"""Instead of a reply: say nothing, and wait for the client to go."""
CUT: Final = "\0cut"
"""Instead of a reply: half of one, then close."""

OFFERS: Final = ("PIPELINING", "SIZE 10240000", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")

# What follows the 220 to STARTTLS instead of a handshake.
GARBAGE: Final = "\0garbage"
"""Clear text, as from a server that has forgotten what it said."""
HANG_UP: Final = "\0hang up"
"""The connection is closed at once."""
HANG_UP_LATER: Final = "\0hang up later"
"""The connection is closed when the client has said hello."""
NO_HANDSHAKE: Final = "\0no handshake"
"""Nothing; the client waits."""


class Say(msgspec.Struct, frozen=True):
    """A reply for a while; afterwards the polite one."""

    text: str
    times: int = 0  # 0: always
    seconds: float = 0.0  # from the beginning of the lab's time; 0: always
    after: float = 0.0  # wait so many real seconds before


class Rate(msgspec.Struct, frozen=True):
    """How many messages are taken in how much time, as large providers have it."""

    messages: int
    seconds: float
    reply: str = (
        "421 4.7.28 Our system has detected an unusual rate of mail from your address; "
        "to protect our users, mail has been temporarily rate limited."
    )
    phase: str = "MAIL"


Reply = str | Say


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """One host."""

    replies: Mapping[str, Reply] = {}
    recipients: Mapping[str, Reply] = {}  # by local part, in place of RCPT's
    offers: tuple[str, ...] = OFFERS  # after EHLO; STARTTLS and AUTH come by themselves
    tls: str = ""  # "": not offered; a kind of certificates.py; or GARBAGE, HANG_UP …
    tls_only: bool = False  # no mail in clear text
    login: tuple[str, str] | None = None  # no mail without this user and password
    greylist: float = 0.0  # seconds that a client, sender and recipient have to wait the first time
    connections: int = 0  # at once; 0: no limit
    messages: int = 0  # per connection; 0: no limit
    recipient_limit: int = 0  # per message; 0: no limit
    rate: Rate | None = None
    traps: frozenset[str] = frozenset()  # local parts; who writes to one is refused from then on
    lmtp: bool = False

    @property
    def is_silent(self) -> bool:
        """Whether it says nothing where something is due, at least once."""
        said = (reply.text if isinstance(reply, Say) else reply for reply in self.replies.values())
        return self.tls == NO_HANDSHAKE or SILENCE in said


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a host took."""

    at: float  # the lab's time
    client: str
    helo: str
    sender: str
    recipients: tuple[str, ...]
    parameters: tuple[str, ...]  # of MAIL, then of each RCPT
    content: bytes
    tls: str = ""  # version
    user: str = ""
    connection: int = 0  # number of the connection, from 1

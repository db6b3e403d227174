"""What a SASL exchange comes to, step by step, on the server's side.

DESCRIPTION
    `mechanisms.start()` gives a mechanism; `step(response)` gives

        Challenge     to be sent to the client
        Credentials   a user and his password, to be checked
        Vouched       TLS has to say who the client is
        Nobody        the client does not say who it is
        WantsStored   a user whose stored password is needed: `with_stored()` goes on from there
        Proven        the user has shown that he knows the password
        Disproven     he has not

    or raises `MalformedResponse`.  The first step may have no response (None), when the client sent no initial
    one.

STANDARDS
    RFC 4422
"""

from typing import Protocol

import msgspec

from pillarbox.vocabulary.secret import Secret


class MalformedResponse(Exception):
    """The response is not one of the mechanism; `str()` is for the log, `user` who has been named so far."""

    def __init__(self, reason: str, *, user: bytes = b"") -> None:
        super().__init__(reason)
        self.user = user


class EmptyUser(MalformedResponse):
    """It is whole, but names nobody."""


class UnusableSecret(Exception):
    """What is stored for the user is of no use to the mechanism; `str()` is for the log."""


class Challenge(msgspec.Struct, frozen=True):
    """To be sent to the client, decoded."""

    data: bytes


class Credentials(msgspec.Struct, frozen=True):
    """Who the client says it is, and the proof."""

    user: bytes
    password: Secret
    authorization: bytes = b""  # on behalf of whom; empty: the user


class WantsStored(msgspec.Struct, frozen=True):
    """The mechanism cannot go on without the user's stored password."""

    user: bytes
    authorization: bytes = b""
    realm: bytes = b""  # where the user says he belongs


class Vouched(msgspec.Struct, frozen=True):
    """Who the client is has been shown below: by its certificate."""

    authorization: bytes = b""  # on behalf of whom; empty: himself


class Nobody(msgspec.Struct, frozen=True):
    """The client logs in without a name; `trace` is what it says of itself, for the log."""

    trace: bytes


class Proven(msgspec.Struct, frozen=True):
    """The client knows the password."""


class Disproven(msgspec.Struct, frozen=True):
    """It does not."""


Step = Challenge | Credentials | Vouched | Nobody | WantsStored | Proven | Disproven


class Mechanism(Protocol):
    """One exchange."""

    def step(self, response: bytes | None) -> Step:
        """The next step.  MalformedResponse ends the exchange."""
        ...

    def with_stored(self, stored: bytes | None) -> Step:
        """Go on after WantsStored; None: there is no such user.  UnusableSecret."""
        ...


def clear(stored: bytes) -> bytes | None:
    """The password, if it is stored in the clear."""
    for prefix in (b"{PLAIN}", b"{CLEAR}", b"{CLEARTEXT}"):
        if stored.upper().startswith(prefix):
            return stored[len(prefix) :]
    return None

"""SASL mechanisms, the server's side: challenges out, responses in, credentials at the end.

DESCRIPTION
    `start()` gives a mechanism; `step(response)` gives a `Challenge` to be sent, `Credentials` to be checked, or
    raises `MalformedResponse`.  The first step may have no response (None), when the client sent no initial one.

STANDARDS
    RFC 4616 (PLAIN); draft-murchison-sasl-login (LOGIN)
"""

from typing import Final, Protocol

import msgspec

from pillarbox.vocabulary.secret import Secret


class MalformedResponse(Exception):
    """The response is not one of the mechanism."""


class Challenge(msgspec.Struct, frozen=True):
    """To be sent to the client, decoded."""

    data: bytes


class Credentials(msgspec.Struct, frozen=True):
    """Who the client says it is, and the proof."""

    user: bytes
    password: Secret
    authorization: bytes = b""  # on behalf of whom; empty: the user


class Mechanism(Protocol):
    """One exchange."""

    def step(self, response: bytes | None) -> Challenge | Credentials:
        """The next step.  MalformedResponse ends the exchange."""
        ...


class Plain:
    """`message = [authzid] NUL authcid NUL passwd`  RFC 4616 §2"""

    def step(self, response: bytes | None) -> Challenge | Credentials:
        """One response, after an empty challenge if it did not come at once."""
        if response is None:
            return Challenge(b"")
        parts = response.split(b"\0")
        if len(parts) != 3 or not parts[1]:
            raise MalformedResponse
        return Credentials(parts[1], Secret(parts[2]), parts[0])


class Login:
    """User name and password, each asked for.  An initial response is the user name."""

    def __init__(self) -> None:
        self._user: bytes | None = None

    def step(self, response: bytes | None) -> Challenge | Credentials:
        """Two responses."""
        if response is None:
            return Challenge(b"Username:")
        if self._user is None:
            if not response:
                raise MalformedResponse
            self._user = response
            return Challenge(b"Password:")
        return Credentials(self._user, Secret(response))


_MECHANISMS: Final[dict[bytes, type[Plain] | type[Login]]] = {b"PLAIN": Plain, b"LOGIN": Login}

MECHANISMS: Final = tuple(_MECHANISMS)
"""In the order in which they are offered."""


def start(name: bytes) -> Mechanism:
    """A fresh exchange.  KeyError for a mechanism that is not served."""
    return _MECHANISMS[name]()

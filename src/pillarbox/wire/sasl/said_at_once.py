"""SASL mechanisms that show the password, or need none.

STANDARDS
    RFC 4616 (PLAIN); draft-murchison-sasl-login (LOGIN); RFC 4422 Appendix A (EXTERNAL); RFC 4505 (ANONYMOUS)
"""

from pillarbox.vocabulary.secret import Secret
from pillarbox.wire.sasl.steps import (
    Challenge,
    Credentials,
    EmptyUser,
    MalformedResponse,
    Nobody,
    Step,
    Vouched,
)


class _ByPassword:
    """A mechanism that shows the password."""

    def with_stored(self, stored: bytes | None) -> Step:
        """Never wanted."""
        raise AssertionError("the password itself was given")


class Plain(_ByPassword):
    """`message = [authzid] NUL authcid NUL passwd`  RFC 4616 §2"""

    def step(self, response: bytes | None) -> Step:
        """One response, after an empty challenge if it did not come at once."""
        if response is None:
            return Challenge(b"")
        parts = response.split(b"\0")
        if len(parts) != 3:
            raise MalformedResponse("invalid input")
        if not parts[1]:
            raise EmptyUser("Empty username")
        return Credentials(parts[1], Secret(parts[2]), parts[0])


class Login(_ByPassword):
    """User name and password, each asked for.  An initial response is the user name, unless it is empty."""

    def __init__(self) -> None:
        self._user: bytes | None = None
        self._asked = False

    def step(self, response: bytes | None) -> Step:
        """Two responses."""
        if not response and not self._asked:
            self._asked = True
            return Challenge(b"Username:")
        if response is None:
            raise MalformedResponse("invalid input")
        if self._user is None:
            if not response:
                raise EmptyUser("Empty username")
            self._asked = True
            self._user = response
            return Challenge(b"Password:")
        return Credentials(self._user, Secret(response))


class External(_ByPassword):
    """`initial-response = [ UTF8-char-no-nul ... ]`, the authorization identity.  RFC 4422 Appendix A.1"""

    def step(self, response: bytes | None) -> Step:
        """One response, after an empty challenge if it did not come at once."""
        if response is None:
            return Challenge(b"")
        if b"\0" in response:
            raise MalformedResponse("invalid input")
        return Vouched(response)


class Anonymous(_ByPassword):
    """`message = [ email / token ]`, what the client says of itself.  RFC 4505 §2"""

    def step(self, response: bytes | None) -> Step:
        """One response, after an empty challenge if it did not come at once."""
        return Challenge(b"") if response is None else Nobody(response)

"""SASL mechanisms by which a client shows a token of OAuth 2.0 in a password's place.

DESCRIPTION
    Both have one response.  A client whose token is refused is told so in JSON (`refusal()`), and has to answer
    anything before the exchange is over (RFC 7628 §3.2.3).

STANDARDS
    RFC 7628 (OAUTHBEARER); RFC 5801 §4 (gs2-header); XOAUTH2 is Google's
"""

import json
from abc import ABC, abstractmethod
from typing import Final

from pillarbox.vocabulary.secret import Secret
from pillarbox.wire.sasl.steps import Challenge, Credentials, MalformedResponse, Step

_BEARER: Final = b"bearer "
_MALFORMED: Final = "Invalid continued data"


class BearerToken(ABC):
    """What both have in common."""

    def with_stored(self, stored: bytes | None) -> Step:
        """Never wanted."""
        raise AssertionError("the token itself was given")

    @abstractmethod
    def refusal(self, configuration_url: str) -> bytes:
        """What the client is told; `configuration_url`: where it hears more, empty for nowhere."""

    @abstractmethod
    def step(self, response: bytes | None) -> Step:
        """One response, after an empty challenge if it did not come at once."""


class XOAuth2(BearerToken):
    """`user=NAME ^A auth=Bearer TOKEN ^A ^A`"""

    def step(self, response: bytes | None) -> Step:
        """See above."""
        if response is None:
            return Challenge(b"")
        _check_octets(response)
        parts = response.split(b"\1")
        user = next((part[5:] for part in reversed(parts) if part.startswith(b"user=")), None)
        token = _token(parts)
        if user is None or token is None:
            raise MalformedResponse("Username or token missing", user=user or b"")
        return Credentials(user, Secret(token))

    def refusal(self, configuration_url: str) -> bytes:
        """See above."""
        said = {"status": "401", "schemes": "bearer", "scope": "mail"}
        return _json(said, configuration_url)


class OAuthBearer(BearerToken):
    """`n,a=NAME, ^A host=… ^A port=… ^A auth=Bearer TOKEN ^A ^A`"""

    def step(self, response: bytes | None) -> Step:
        """See above."""
        if response is None:
            return Challenge(b"")
        _check_octets(response)
        header, *parts = response.split(b"\1")
        if not header:
            raise MalformedResponse(_MALFORMED)
        user = _authorization(header)
        token = _token(parts)
        if user is None or token is None:
            raise MalformedResponse("Missing username or token", user=user or b"")
        return Credentials(user, Secret(token))

    def refusal(self, configuration_url: str) -> bytes:
        """RFC 7628 §3.2.2"""
        return _json({"status": "invalid_token"}, configuration_url)


def _check_octets(response: bytes) -> None:
    if b"\0" in response:
        raise MalformedResponse("NULs in response")


def _authorization(header: bytes) -> bytes | None:
    """`gs2-header = gs2-cb-flag "," [ "a=" saslname ] ","`"""
    user = None
    for part in header.split(b","):
        match part[:1]:
            case b"" | b"n" | b"y":
                continue
            case b"f":
                raise MalformedResponse("Client requested non-standard mechanism")
            case b"p":
                raise MalformedResponse("Client requested and used channel-binding")
            case b"a":
                user = part[2:].replace(b"=2C", b",").replace(b"=3D", b"\0")
                if part[1:2] != b"=" or b"=" in user:
                    raise MalformedResponse("Invalid username escaping")
                user = user.replace(b"\0", b"=")
            case _:
                raise MalformedResponse("Invalid gs2-header in request")
    return user


def _token(parts: list[bytes]) -> bytes | None:
    """RFC 6750 §2.1; the last one counts."""
    token = None
    for part in parts:
        if part.startswith(b"auth="):
            value = part[5:]
            token = value[len(_BEARER) :]
            if not value.lower().startswith(_BEARER) or not token or b"\r" in token or b"\n" in token:
                raise MalformedResponse(_MALFORMED)
    return token


def _json(said: dict[str, str], configuration_url: str) -> bytes:
    if configuration_url:
        said = {**said, "openid-configuration": configuration_url}
    return json.dumps(said, separators=(",", ":")).encode("ascii")

"""XOAUTH2 and OAUTHBEARER: responses, and what a refused client is told."""

import pytest

from pillarbox.wire.sasl.bearer_tokens import BearerToken, OAuthBearer, XOAuth2
from pillarbox.wire.sasl.mechanisms import start
from pillarbox.wire.sasl.steps import Challenge, Credentials, MalformedResponse

SAID = [
    ("XOAUTH2", b"user=me@a.example\1auth=Bearer t.o-k\1\1", b"me@a.example", b"t.o-k"),
    ("last user, last token", b"user=you\1auth=bearer x\1user=me\1auth=BEARER y\1\1", b"me", b"y"),
    ("RFC 7628", b"n,a=me@a.example,\1host=x\1port=1\1auth=Bearer t\1\1", b"me@a.example", b"t"),
    ("escapes", b"y,a=a=2Cb=3Dc,\1auth=Bearer t\1\1", b"a,b=c", b"t"),
]


@pytest.mark.parametrize(
    ("response", "user", "token"), [case[1:] for case in SAID], ids=[case[0] for case in SAID]
)
def test_who_and_what(response: bytes, user: bytes, token: bytes) -> None:
    """The token stands for a password; nobody acts for another."""
    mechanism = start(b"XOAUTH2" if response.startswith(b"user") else b"OAUTHBEARER")
    assert mechanism.step(None) == Challenge(b"")
    step = mechanism.step(response)
    assert isinstance(step, Credentials)
    assert (step.user, step.password.reveal(), step.authorization) == (user, token, b"")


MALFORMED = [
    (XOAuth2, b"", "Username or token missing"),
    (XOAuth2, b"user=me\1\1", "Username or token missing"),
    (XOAuth2, b"user=me\1auth=Basic x\1\1", "Invalid continued data"),
    (XOAuth2, b"user=me\1auth=Bearer \1\1", "Invalid continued data"),
    (XOAuth2, b"user=me\1auth=Bearer a\rb\1\1", "Invalid continued data"),
    (XOAuth2, b"user=me\0\1auth=Bearer a\1\1", "NULs in response"),
    (OAuthBearer, b"", "Invalid continued data"),
    (OAuthBearer, b"f,a=me,\1auth=Bearer t\1\1", "Client requested non-standard mechanism"),
    (OAuthBearer, b"p=tls,a=me,\1auth=Bearer t\1\1", "Client requested and used channel-binding"),
    (OAuthBearer, b"n,a=m=e,\1auth=Bearer t\1\1", "Invalid username escaping"),
    (OAuthBearer, b"n,ame,\1auth=Bearer t\1\1", "Invalid username escaping"),
    (OAuthBearer, b"n,b=me,\1auth=Bearer t\1\1", "Invalid gs2-header in request"),
    (OAuthBearer, b"n,,\1auth=Bearer t\1\1", "Missing username or token"),
]


@pytest.mark.parametrize(("kind", "response", "reason"), MALFORMED)
def test_malformed(kind: type[BearerToken], response: bytes, reason: str) -> None:
    """What the log says."""
    with pytest.raises(MalformedResponse, match=reason):
        kind().step(response)


def test_who_was_named_is_told() -> None:
    """Although there is no token."""
    with pytest.raises(MalformedResponse) as raised:
        OAuthBearer().step(b"n,a=me,\1\1")
    assert raised.value.user == b"me"


def test_refusals() -> None:
    """RFC 7628 §3.2.2, and Google's."""
    assert OAuthBearer().refusal("") == b'{"status":"invalid_token"}'
    told = (
        b'{"status":"401","schemes":"bearer","scope":"mail","openid-configuration":"https://x.example/\\"y"}'
    )
    assert XOAuth2().refusal('https://x.example/"y') == told

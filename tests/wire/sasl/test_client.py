"""SASL from the client's side: the RFCs' examples, and which mechanism is taken."""

import pytest

from pillarbox.vocabulary.secret import Secret
from pillarbox.wire.sasl.client import CramMd5, Login, Plain, Scram, choose


def test_plain() -> None:
    """RFC 4616 §4"""
    assert b"\0tim\0tanstaaftanstaaf" == Plain(b"tim", Secret(b"tanstaaftanstaaf")).initial()


def test_login() -> None:
    """User, password, no more."""
    login = Login(b"me", Secret(b"secret"))
    assert [None, b"me", b"secret"] == [login.initial(), login.respond(b"Username:"), login.respond(b"x")]
    with pytest.raises(ValueError, match="two steps"):
        login.respond(b"again")


def test_cram_md5() -> None:
    """RFC 2195 §2"""
    answer = CramMd5(b"tim", Secret(b"tanstaaftanstaaf")).respond(
        b"<1896.697170952@postoffice.reston.mci.net>"
    )
    assert b"tim b913a602c7eda7a495b4e6e7334d3890" == answer


SCRAM = [
    (
        b"SCRAM-SHA-1",
        "sha1",
        b"fyko+d2lbbFgONRv9qkxdawL",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    (
        b"SCRAM-SHA-256",
        "sha256",
        b"rOprNGfwEbeRWgbNEkqO",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
]


@pytest.mark.parametrize(("name", "hash_name", "nonce", "first", "final", "signature"), SCRAM)
def test_scram(
    name: bytes, hash_name: str, nonce: bytes, first: bytes, final: bytes, signature: bytes
) -> None:
    """RFC 5802 §5, RFC 7677 §3"""
    scram = Scram(name, hash_name, b"user", Secret(b"pencil"), nonce=nonce)
    assert b"n,,n=user,r=" + nonce == scram.initial()
    assert final == scram.respond(first)
    assert b"" == scram.respond(signature)


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"r=other,s=QSXCR+Q6sek8bf92,i=4096",
        b"r=abc,s=QQ==,i=1",
        b"r=abcx,s=QQ==,i=9999999",
        b"r=abcx,s=!,i=1",
    ],
)
def test_scram_refuses(challenge: bytes) -> None:
    """Another nonce, no salt, an iteration count that would keep us busy for days."""
    with pytest.raises(ValueError, match=r".+"):
        Scram(b"SCRAM-SHA-1", "sha1", b"user", Secret(b"x"), nonce=b"abc").respond(challenge)


def test_scram_refuses_a_server_that_does_not_know_the_password() -> None:
    """Its signature is wrong."""
    name, hash_name, nonce, first, _, _ = SCRAM[0]
    scram = Scram(name, hash_name, b"user", Secret(b"pencil"), nonce=nonce)
    scram.respond(first)
    with pytest.raises(ValueError, match="signature"):
        scram.respond(b"v=AAAA")


CHOICES = [
    ([b"PLAIN", b"LOGIN"], {"noanonymous"}, b"PLAIN"),
    ([b"LOGIN"], {"noanonymous"}, b"LOGIN"),
    ([b"PLAIN", b"LOGIN"], {"noplaintext", "noanonymous"}, None),
    ([b"PLAIN", b"CRAM-MD5"], {"noplaintext"}, b"CRAM-MD5"),
    ([b"PLAIN", b"CRAM-MD5", b"SCRAM-SHA-1", b"SCRAM-SHA-256"], set(), b"SCRAM-SHA-256"),
    ([b"CRAM-MD5", b"SCRAM-SHA-1"], {"mutual_auth"}, b"SCRAM-SHA-1"),
    ([b"SCRAM-SHA-1"], {"nodictionary"}, None),
    ([b"GSSAPI", b"ANONYMOUS"], set(), None),
]


@pytest.mark.parametrize(("offered", "options", "name"), CHOICES)
def test_choice(offered: list[bytes], options: set[str], name: bytes | None) -> None:
    """smtp_sasl_security_options."""
    mechanism = choose(offered, options=options, user=b"me", password=Secret(b"x"))
    assert name == (None if mechanism is None else mechanism.name)

"""Stored passwords: each scheme with Dovecot's own string for `secret`."""

import pytest

from pillarbox.auth import password_making
from pillarbox.auth.password_schemes import UnknownScheme, make, verify
from pillarbox.vocabulary.secret import Secret

STORED = [
    b"{PLAIN}secret",
    b"{plain}secret",
    b"{CLEARTEXT}secret",
    b"{CRYPT}$2y$05$I8A1JeDzqVFqCSmHR0E7RecViOY4d7eROAoOosnM0ukm7m5T3.FI6",
    b"$6$91tyOp4hojaFNsF3$Sdfyvk19nbqLtu.CbkrTWhWlk9jK5.Z8Iwd2O/fgNyktkhLy8kR/g/EafCicl4gWiv6XJd.2leqLF2LwBQ3Ds1",
    b"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    b"{SHA1}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4",
    b"{SHA.HEX}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4",
    b"{SSHA}B4Sg3UIyNL83FETnaH71SuKnpkSlOk7/",
    b"{PLAIN-MD4}67d3dafef63ff00603aeef3769cfbf0d",
    b"{PLAIN-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
    b"{MD5}$1$i9e3vKBy$IGfr1WPJHDoPotBeDJDuj0",
    b"{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
    b"{MD5.HEX}2431244178534d674f6f582455396c564d792e476e4f38352e322e3837415541782e",
    b"{CRAM-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56",
    b"{HMAC-MD5}CD3BA7DEAAD6E5CA23448BA42E379747A9E0F7F1FBC00C8A81BBAAC395731B56",
    b"{DIGEST-MD5}9e350098094efc4af26cd456adf29a60",
    b"{PBKDF2}$1$s3piag41rk1tHERS$5000$7B2C09524B14768173F1120BB3303A2F287A5A1C",
    b"{OTP}sha1 1024 1fa440c57a6b104c 876b136bcd303038",
    b"{OTP}SHA1 1024 318857CB3D2B2E07 CA175E0FE10C9755",
    b"{PLAIN.B64}c2VjcmV0",
    b"{plain.hex}736563726574",
    b"{CRYPT.BASE64}JDJ5JDA1JFBrdDdlZXhMMEdzbWE2NERyVjI3T09kZy9tLlFkQWZwQlNNYUdycmUuNVU1VVp3MkZGODB5",
]


@pytest.mark.parametrize(
    "stored", STORED, ids=[f"{number} {text[:12]!r}" for number, text in enumerate(STORED)]
)
def test_the_right_password_and_no_other(stored: bytes) -> None:
    """Case, length and emptiness matter."""
    assert verify(b"secret", stored, user=b"joe@example.org")
    for wrong in (b"", b"Secret", b"secret ", b"secre", b"secret\0", stored):
        assert not verify(wrong, stored, user=b"joe@example.org")


def test_digest_md5_is_of_the_name_too() -> None:
    """What stands behind the last @ is the realm."""
    assert verify(b"secret", b"{DIGEST-MD5}fb2441a715a5484c6fa16147c4a6b7a8", user=b"joe")
    assert not verify(b"secret", b"{DIGEST-MD5}fb2441a715a5484c6fa16147c4a6b7a8", user=b"jim")
    assert verify(b"test", b"{DIGEST-MD5}28f7a7fd6dcb9f2a7c351acb024f52cd", user=b"a@b@c")


@pytest.mark.parametrize(
    ("algorithm", "steps", "expected"),
    [("md4", 99, "c5e612776e6c237a"), ("md5", 99, "50fe1962c4965880"), ("sha1", 99, "87fec7768b73ccf9")],
)
def test_one_time_passwords_of_the_rfc(algorithm: str, steps: int, expected: str) -> None:
    """RFC 2289, Appendix C."""
    stored = f"{{OTP}}{algorithm} {steps} TeSt {expected}".encode()
    assert verify(b"This is a test.", stored)
    assert not verify(b"This is a test", stored)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha1 1024 x",
        "sha2 1 x 876b136bcd303038",
        "sha1 x x 876b136bcd303038",
        "sha1 99999 x 876b136bcd303038",
    ],
)
def test_what_is_no_one_time_password(text: str) -> None:
    """It is nobody's."""
    assert not verify(b"secret", f"{{OTP}}{text}".encode())


def test_a_new_one_time_password() -> None:
    """doveadm pw -s OTP."""
    stored = password_making.make("otp", b"secret").encode()
    assert stored.startswith(b"{OTP}sha1 1024 ")
    assert verify(b"secret", stored)
    assert not verify(b"Secret", stored)


TRUNCATED = [
    (b"4-secr", b"secret", True),
    (b"4-secr", b"secr", True),
    (b"4-secr", b"sec", False),
    (b"4-sec", b"secret", False),
    (b"4-sec", b"sec", True),
    (b"99-secr", b"secr", True),
    (b"99999-secr", b"secret", False),
    (b"0-", b"secret", False),
    (b"secret", b"secret", False),
]


@pytest.mark.parametrize(("text", "password", "right"), TRUNCATED)
def test_the_start_of_a_password(text: bytes, password: bytes, right: bool) -> None:
    """{PLAIN-TRUNC}: how many octets count, and which."""
    assert verify(password, b"{PLAIN-TRUNC}" + text) is right


EMPTY = [
    b"",
    b"{PLAIN}",
    b"{CRYPT}",
    b"{SSHA}",
    b"{SHA}!!!",
    b"{SSHA}AAAA",
    b"{CRYPT}x",
    b"{SHA.HEX}zz",
    b"{PLAIN.B64}!!",
    b"{PLAIN.HEX}",
    b"{MD5}xx",
    b"{CRAM-MD5}4C03",
    b"{DIGEST-MD5}",
    b"{PLAIN-MD4}x",
    b"{PLAIN-TRUNC}",
    b"$2y$05$x",
    b"$argon2id$x",
]


@pytest.mark.parametrize("stored", EMPTY)
@pytest.mark.parametrize("password", [b"", b"secret"])
def test_what_is_no_password_matches_nothing(stored: bytes, password: bytes) -> None:
    """Empty and malformed strings lock the account, and raise nothing."""
    assert not verify(password, stored)


def test_an_unknown_scheme_is_told() -> None:
    """It is no mismatch: the admin has to know."""
    with pytest.raises(UnknownScheme, match="FOO"):
        verify(b"secret", b"{FOO}x")
    with pytest.raises(UnknownScheme, match=r"PLAIN\.FOO"):
        verify(b"secret", b"{plain.foo}secret")


def test_new_passwords_are_argon2() -> None:
    """And verify."""
    stored = make(Secret(b"secret"))
    assert stored.startswith("{ARGON2ID}$argon2id$")
    assert verify(b"secret", stored.encode())
    assert not verify(b"other", stored.encode())

"""Stored passwords: each scheme with Dovecot's own string for `secret`."""

import pytest

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
]


@pytest.mark.parametrize(
    "stored", STORED, ids=[f"{number} {text[:12]!r}" for number, text in enumerate(STORED)]
)
def test_the_right_password_and_no_other(stored: bytes) -> None:
    """Case, length and emptiness matter."""
    assert verify(b"secret", stored)
    for wrong in (b"", b"Secret", b"secret ", b"secre", b"secret\0", stored):
        assert not verify(wrong, stored)


EMPTY = [
    b"",
    b"{PLAIN}",
    b"{CRYPT}",
    b"{SSHA}",
    b"{SHA}!!!",
    b"{SSHA}AAAA",
    b"{CRYPT}x",
    b"{SHA.HEX}zz",
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


def test_new_passwords_are_argon2() -> None:
    """And verify."""
    stored = make(Secret(b"secret"))
    assert stored.startswith("{ARGON2ID}$argon2id$")
    assert verify(b"secret", stored.encode())
    assert not verify(b"other", stored.encode())

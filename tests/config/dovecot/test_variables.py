"""%-variables in the forms of 2.3 and 2.4."""

import pytest

from pillarbox.config.dovecot.variables import check, expand, user_values

VALUES = {
    **user_values("Me@Example.org"),
    "service": "imap",
    "home": "/home/me",
    "uid": "1000",
    "rip": "192.0.2.1",
}
CASES = [
    ("/var/mail/%u", "/var/mail/Me@Example.org"),
    ("/srv/%d/%n", "/srv/Example.org/Me"),
    ("%Lu", "me@example.org"),
    ("%Ld/%Un", "example.org/ME"),
    ("%1n/%2n/%n", "M/Me/Me"),
    ("%-1n", "M"),
    ("%1.1n", "e"),
    ("%-3.2u", "or"),
    ("%2.-2u", "@Example.o"),
    ("%0.-4n%-99.3n%.u%-u", "MeMe@Example.orgMe@Example.org"),
    ("%08Xi/%02Xi", "000003e8/3e8"),
    ("%256Nu/%2.16Nu/%4.256Hu/%256Hu", "ed/0d/0007/7"),
    ("%LMu %MLu", "cd11923284fc0f904c4732bb8f7d7e3c eb354888626fbfedb71d570a5c86076a"),
    ("%{auth_username} at %{domain_first}", "Me at Example.org"),
    ("%{if;%d;eq;Example.org;%Ln;other}", "me"),
    ("%{if;%d;*;*.net;a;b}", "b"),
    ("%{if;%d;~;^ex;a;b}%{if;%d;!~;^ex;a;b}", "ba"),
    ("%{if;%i;>=;1000;a;b}%{if;%i;<;999;a}", "a"),
    ("%{if;%{if;%s;eq;imap;1;2};==;1;a;b}", "a"),
    ("%{if;a\\;b;eq;a\\;b;c\\:d;n}", "c:d"),
    ("%U{if;1;==;1;yes}", "YES"),
    ("%{md5:user}", "eb354888626fbfedb71d570a5c86076a"),
    ("%{sha1;truncate=12,rounds=3,salt=%d:username}", "0807"),
    ("%{sha1;rounds=3,salt=%d,truncate=12:username}", "8074802f44084f369c0ea4709d9ae5cd90553877"),
    ("%{sha256;format=base64,truncate=24:user}", "E4DC"),
    ("%Mn", "318b2739ddc2c16c97b33c9b04b79f3e"),
    ("%2.2Mn", "8b"),
    ("%%u", "%u"),
    ("%{user}", "Me@Example.org"),
    ("%{user | username | lower}", "me"),
    ("%{user|domain|upper}", "EXAMPLE.ORG"),
    ("%{user | substr(0, 2)}", "Me"),
    ("%{session | default('none')}", "none"),
    ("%s-%r", "imap-192.0.2.1"),
    ("%h/Maildir", "/home/me/Maildir"),
    ("%{userdb:x}", ""),
    ("%Xi", "3e8"),
    ("no variable, 100%", "no variable, 100%"),
]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("18446744073709551615", "f" * 16), ("18446744073709551616", "0"), ("9" * 5000, "0"), ("x", "0")],
)
def test_numbers_of_64_bits(value: str, expected: str) -> None:
    """What is larger is none, as in Dovecot."""
    assert expand("%Xu", {"user": value}) == expected


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_expansion(text: str, expected: str) -> None:
    """Short and long names, modifiers and filters."""
    assert expand(text, VALUES) == expected


MISTAKES = [
    ("%{if;1}", "if: requires four or five parameters, got 1"),
    ("%{if;1;fu;2;a;b}", "if: Unsupported comparator 'fu'"),
    ("%{if;%n;==;1;a;b}", r"if: Me \(lhs\) is not a number"),
    ("%{if;1;==;;a;b}", r"if:  \(rhs\) is not a number"),
    ("%{if;a;~;(;a;b}", "if: regex failed"),
    ("%{md5;rounds=0:user}", "rounds must be at least 1"),
    ("%{pkcs5:user}", "pkcs5 needs a salt"),
    ("%{md5;truncate=x:user}", "'x' is not number for truncbits"),
    ("%{md5:nosuch}", "Unknown variable"),
    ("%{if;%{nosuch};eq;1;a;b}", "Unknown variable"),
]


@pytest.mark.parametrize(("text", "mistake"), MISTAKES)
def test_what_cannot_be_computed_is_told(text: str, mistake: str) -> None:
    """With Dovecot's words."""
    with pytest.raises(ValueError, match=mistake):
        expand(text, VALUES)


@pytest.mark.parametrize("text", ["%{if;%i;<;1000;a;b}", "%{sha1;salt=%n:user}", "%{if;%d;eq;x;%Lu;}"])
def test_what_depends_on_the_user_is_right_before_there_is_one(text: str) -> None:
    """A name that is not known yet is no mistake."""
    check(text)


def test_octets_are_cut_and_letters_are_those_of_ascii() -> None:
    """Directories are named so, and have been there before us."""
    assert expand("%1u", user_values("äÄ")) == "\udcc3"
    assert expand("%2u/%Lu", user_values("äÄ")) == "ä/äÄ"


def test_hash_modifier_stays_below_its_limit() -> None:
    """%256Hu: a directory number, the same for each user every time."""
    found = {expand("%256Nu", user_values(f"u{number}")) for number in range(300)}
    assert all(int(text, 16) < 256 for text in found)
    assert len(found) > 100


@pytest.mark.parametrize("text", ["%q", "%{nosuch}", "%{user | rot13}", "%Qu"])
def test_what_does_not_exist_is_told(text: str) -> None:
    """A typing mistake must not become a path."""
    with pytest.raises(ValueError, match="Unknown"):
        check(text)

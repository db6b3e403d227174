"""Mailbox names and their directories."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.mailstore.mailbox import MailboxNameRefused
from pillarbox.mailstore.mailbox_names import (
    BELOW_PREFIX,
    Escaping,
    check_new,
    decode_utf7,
    directory_name,
    encode_utf7,
    levels_on_disk,
    name_of_directory,
    parents,
    storage_name,
)

UTF7 = [
    ("plain", "Sent Messages", b"Sent Messages"),
    ("umlaut", "Entwürfe", b"Entw&APw-rfe"),
    ("ampersand", "R&D", b"R&-D"),
    ("RFC 3501 §5.1.3", "~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
    ("beyond the BMP", "😀", b"&2D3eAA-"),
    ("ampersand beside umlaut", "ü&ü", b"&APw-&-&APw-"),
    ("control character", "a\tb", b"a&AAk-b"),
]


@pytest.mark.parametrize(("name", "text", "encoded"), UTF7, ids=[row[0] for row in UTF7])
def test_modified_utf7(name: str, text: str, encoded: bytes) -> None:
    """RFC 3501 §5.1.3, both ways."""
    assert encoded == encode_utf7(text)
    assert text == decode_utf7(encoded)


NOT_UTF7 = [b"a&b", b"&AA", b"&\xff-", b"a\xfc", b"&AGE-", b"&APw-&APw-", b"&2D0-", b"&=-"]


@pytest.mark.parametrize("encoded", NOT_UTF7)
def test_only_the_shortest_form_is_taken(encoded: bytes) -> None:
    """What would not come back as it was is no name: two clients must not see two mailboxes."""
    with pytest.raises(ValueError, match=r"UTF-7|utf-8"):
        decode_utf7(encoded)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(text: str) -> None:
    """Every name that can be written can be read."""
    assert text == decode_utf7(encode_utf7(text))


DIRECTORIES = [
    ("INBOX", b""),
    ("inbox", b""),
    ("INBOX/x", b".INBOX.x"),
    ("A", b".A"),
    ("A/B c", b".A.B c"),
    ("Entwürfe/2024", b".Entw&APw-rfe.2024"),
    ("a\nb\x7f", b".a&AAo-b&AH8-"),
]


@pytest.mark.parametrize(("name", "directory"), DIRECTORIES)
def test_directories(name: str, directory: bytes) -> None:
    """Maildir++: a dot before every level; INBOX is the root."""
    assert directory == directory_name(name)
    if directory:
        assert name == name_of_directory(directory)


REFUSED = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    "a.b",
    "~a",
    "a\0b",
    "x" * 255,
    "/".join(["y" * 60] * 5),
    "\ud800",
]


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_are_refused(name: str) -> None:
    """What a Maildir cannot hold, or could not give back."""
    with pytest.raises(MailboxNameRefused):
        directory_name(name)


NO_MAILBOXES = [
    b".",
    b"..",
    b"..DOVECOT-TRASHED",
    b".a.",
    b".a..b",
    b"cur",
    b".a&b",
    b".INBOX",
    b".a&AC8-b",
    b".a&AAA-",
    b".a\tb",
]


@pytest.mark.parametrize("directory", NO_MAILBOXES)
def test_directories_that_are_no_mailboxes(directory: bytes) -> None:
    """Names that no client could have made, and INBOX's own."""
    assert name_of_directory(directory) is None


def test_levels() -> None:
    """Parents from the top; levels as the subscriptions file has them."""
    assert ["A", "A/B"] == parents("A/B/C")
    assert [] == parents("A")
    assert [b"A", b"&APw-"] == storage_name("A/ü")


ESCAPED = {
    "a.b": (b".a\\2eb", b"a.b"),
    "~x/~y": (b".\\7ex.\\7ey", b"\\7ex/\\7ey"),
    "c\\2e": (b".c\\5c2e", b"c\\5c2e"),
    "..": (b".\\2e\\2e", b"\\2e."),
    "x/.": (b".x.\\2e", b"x/\\2e"),
    "Entwürfe.x": (b".Entw&APw-rfe\\2ex", b"Entw&APw-rfe.x"),
}


@pytest.mark.parametrize("name", ESCAPED)
def test_escapes(name: str) -> None:
    """The plugin listescape, by Maildir++ and in a tree."""
    flat, tree = ESCAPED[name]
    assert flat == directory_name(name, Escaping("\\"))
    assert name == name_of_directory(flat, Escaping("\\"))
    assert tree == b"/".join(levels_on_disk(name, Escaping("\\", nested=True)))


@pytest.mark.parametrize("directory", [b".a\\2fb", b".a\\62", b".a\\2Eb", b".a\\", b".~x", b".\\49NBOX"])
def test_escapes_that_are_none(directory: bytes) -> None:
    """What would be written in another way is no mailbox."""
    assert name_of_directory(directory, Escaping("\\")) is None


@given(name=st.text(st.sampled_from("a.~\\2e5c7^ü"), min_size=1, max_size=8))
def test_escaped_names_come_back(name: str) -> None:
    """Whatever a level holds."""
    for mark in ("\\", "^"):
        escaping = Escaping(mark)
        assert name == name_of_directory(directory_name(name, escaping), escaping)


@pytest.mark.parametrize("name", ["a\nb", "\x01", "a/\tb"])
def test_new_names_have_no_control_characters(name: str) -> None:
    """A mailbox that has them already can be used, renamed and deleted, as with Dovecot."""
    with pytest.raises(MailboxNameRefused, match="Control characters not allowed in new mailbox names"):
        check_new(name)
    check_new("Entwürfe/\x7f")


def test_names_may_be_as_long_as_a_directory_may() -> None:
    """255 octets, of one level or of several, with the dots of Maildir++; Dovecot's own may be so long."""
    assert b"." + b"n" * 254 == directory_name("n" * 254)
    assert b".a." + b"n" * 252 == directory_name("a/" + "n" * 252)
    assert [b"a", b"n" * 255] == levels_on_disk("a/" + "n" * 255)
    for refused in (lambda: directory_name("n" * 255), lambda: levels_on_disk("a/" + "n" * 256)):
        with pytest.raises(MailboxNameRefused, match="too long"):
            refused()


@pytest.mark.parametrize(
    ("directory", "escaping", "name"),
    [
        (b".Inbox", Escaping(), None),
        (b".inbox.sub", Escaping(), "INBOX/sub"),
        (b".inbox.sub", Escaping(prefixed=True), "inbox/sub"),
        (b".Inbox", Escaping(prefixed=True), f"{BELOW_PREFIX}Inbox"),
        (b".INBOX", Escaping(prefixed=True), None),
        (b".INBOX", Escaping(prefixed=True, second_inbox=True), f"{BELOW_PREFIX}INBOX"),
    ],
)
def test_what_is_called_inbox_on_disk(directory: bytes, escaping: Escaping, name: str | None) -> None:
    """It is the user's without a prefix, and a mailbox like others below one."""
    assert name_of_directory(directory, escaping) == name
    if name is not None and not name.startswith("INBOX/"):
        assert directory_name(name, escaping) == directory

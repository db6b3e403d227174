"""What SORT and THREAD compare."""

import pytest

from pillarbox.message.sort_keys import collated, sort_keys

HEADER = (
    b"Date: Mon, 1 Jan 2024 10:00:00 +0200\r\nSubject: =?utf-8?q?Re:_Gr=C3=BC=C3=9Fe?=\r\n"
    b'From: "Ann B." <ann@example.org>, x@y\r\nTo: group: bob@example.net;\r\nCc: carol@example.com\r\n'
    b"Message-ID: <1@x>\r\nReferences: <a@x>\r\n <b@x>\r\nIn-Reply-To: <c@x>\r\n\r\n"
)


def test_keys_of_a_header() -> None:
    """Dates in UTC, the base subject, the first addresses, ids without brackets."""
    keys = sort_keys(HEADER, 7)
    assert 1_704_096_000 == keys.sent
    assert (collated("Grüße"), True) == (keys.subject, keys.is_reply)
    assert ("ANN", "CAROL") == (keys.sender, keys.copied)
    assert "ANN B." == keys.display_sender
    assert (b"1@x", b"a@x b@x") == (keys.message_id, keys.references)


@pytest.mark.parametrize("subject", ["\u3000a", "\u00a0a", "re\u00a0: a", "Re: \u3000[x]\u3000a\u3000"])
def test_wide_and_unbreakable_blanks_are_blanks(subject: str) -> None:
    """i;unicode-casemap makes them spaces: threads whose subjects differ by one only are one, as in Dovecot."""
    assert "A" == sort_keys(f"Subject: {subject}\r\n\r\n".encode(), 0).subject


def test_keys_of_nothing() -> None:
    """A message without a header is as old as its arrival."""
    keys = sort_keys(b"\r\n", 7)
    assert (7, "", False, "", "", b"", b"") == (
        keys.sent, keys.subject, keys.is_reply, keys.sender, keys.display_sender, keys.message_id,
        keys.references,
    )  # fmt: skip


def test_an_answer_without_references() -> None:
    """RFC 5256 §3: then In-Reply-To counts, its first id only."""
    assert b"c@x" == sort_keys(b"In-Reply-To: <c@x> <d@x>\r\n\r\n", 0).references


def test_references_are_bounded() -> None:
    """Anybody can write a References field: the first and the last ids are looked at."""
    many = b" ".join(b"<%d@x>" % number for number in range(10_000))
    references = sort_keys(b"References: " + many + b"\r\n\r\n", 0).references.split()
    assert (200, b"0@x", b"9999@x") == (len(references), references[0], references[-1])


@pytest.mark.parametrize(
    ("less", "more"), [("abc", "abd"), ("Abc", "abd"), ("ABC", "abd"), ("a", "é"), ("e", "é"), ("é", "z")]
)
def test_collation(less: str, more: str) -> None:
    """Without regard to case; an accent comes behind its letter, and before the next."""
    assert collated(less) < collated(more)

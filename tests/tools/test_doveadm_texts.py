"""doveadm fetch prints of a huge message, which it reads piece by piece, what it prints of one in memory."""

import asyncio
import io
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.examples import each_third
from fakes.varied_messages import varied_messages
from pillarbox.mailstore.mailbox import NewMessage
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.view import MailboxView
from pillarbox.tools.doveadm_commands import output as doveadm_output
from pillarbox.tools.doveadm_commands.faults import Fatal
from pillarbox.tools.doveadm_commands.fetch import FetchFields
from pillarbox.tools.doveadm_commands.texts import lf_text, raw_text

MIME = (
    b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\nGr\xc3\xbc\xc3\x9fe \xff\r\n.dot\r\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"R3L832UgYXVzIEv2bG4NCkdy/N9lIGF1cyBL9mxuDQo=\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=FF=FEa=00=0D=00=0A=00\r\n"
    b"--b\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\nAP+Aw7zDnw==\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninside\r\n--b--\r\nepilogue"
)
MESSAGES = [*(message for message in varied_messages(30) if message)]
FORMS = ["flow", "pager", "tab", "json"]
FIELDS = "uid hdr body text text.utf8 body.1 body.2.mime body.5.header body.9 binary.2 binary.4 binary.1 size.virtual"


async def _printed(root: Path, form: str) -> str:
    account = MaildirAccount(str(root))
    box = await account.open("INBOX")
    if not len(box.messages):
        await box.append(
            [NewMessage(message) for message in [MIME, *each_third(MESSAGES, FORMS.index(form))]]
        )
        await box.rows.filling.finished.wait()
    fields = FetchFields(FIELDS.split())
    found: list[str] = []
    writer = doveadm_output.RowWriter(fields.names, form, texts=fields.texts, write=found.append)
    view = MailboxView(box, read_only=True)
    async for row in fields.rows("me", "INBOX", view, view.known_uids().tolist()):
        writer.add(row)
    writer.finish()
    box.close()
    await account.close()
    return "".join(found)


@pytest.mark.parametrize("form", FORMS)
def test_huge_messages_print_the_same(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In all forms but the one that has no lines."""
    expected = asyncio.run(_printed(tmp_path, form))
    assert "Grüße aus Köln" in expected
    monkeypatch.setattr("pillarbox.mailstore.content.message_files.LARGE", 20)
    monkeypatch.setattr("pillarbox.mailstore.content.large_content.BLOCK", 33)
    monkeypatch.setattr("pillarbox.message.part_content._BLOCK", 28)
    assert asyncio.run(_printed(tmp_path, form)) == expected


def test_a_table_has_no_lines() -> None:
    """As Dovecot's."""
    writer = doveadm_output.RowWriter(("a",), "table")
    with pytest.raises(Fatal, match="multi-line"):
        writer.add([iter(("x", "y"))])


@given(st.binary(), st.lists(st.integers(0, 40), max_size=6))
def test_where_blocks_are_cut_makes_no_difference(content: bytes, cuts: list[int]) -> None:
    """Line ends and characters across them; what is printed are the same octets."""
    edges = [0, *sorted(cuts), len(content)]
    blocks = [content[low:high] for low, high in pairwise(edges)]
    whole = b"".join(blocks)
    assert "".join(raw_text(blocks)).encode("utf-8", "surrogateescape") == whole
    expected = whole.replace(b"\r\n", b"\n")
    assert "".join(lf_text(blocks)).encode("utf-8", "surrogateescape") == expected


def test_nothing_is_printed_before_the_first_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a fault that comes before it stands alone."""
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stdout", screen)
    writer = doveadm_output.RowWriter(("a", "b"), "tab")
    assert screen.getvalue() == ""
    writer.add(["1", iter(("2", "\t3"))])
    assert screen.getvalue() == "a\tb\n1\t2\x01t3\n"

"""Every reply of our LMTP server beside that of Debian's Dovecot, over command lines that are right, odd and wrong.

Where we differ, and why:
- White space before a path is read over, as most servers do; Dovecot refuses it.
- A sender without a closing bracket is told so, where Dovecot tells of the first thing that is wrong in it.
"""

import re
import socket
from collections.abc import Iterator
from typing import Final

import pytest

from fakes.dovecot_pair import Server, dovecot_pair
from fakes.mail_system import PATIENCE

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

_SETTINGS: Final = "protocols = imap lmtp\nmail_location = maildir:~/Maildir\nhostname = mail.test\n"
LINES: Final = (
    *(
        b"NOOP",
        b"noop x",
        b"NOOP x y",
        b'NOOP "x y"',
        b'NOOP "x',
        b"NOOP (",
        b"NOOP \x7f",
        b"NOOP \xff",
        b"NOOP\t",
    ),
    *(
        b"",
        b" NOOP",
        b"N1",
        b"FOO",
        b"N" * 32,
        b"N" * 33,
        b"RSET x",
        b"RSET  ",
        b"DATA",
        b"DATA x",
        b"BDAT x",
    ),
    *(
        b"VRFY",
        b"VRFY x",
        b'VRFY "x"y',
        b"LHLO",
        b"LHLO  x",
        b"LHLO x y",
        b"LHLO (x",
        b"LHLO \xc3\xa4",
        b"EHLO x",
        b"HELP",
        b"STARTTLS",
    ),
    *(
        b"MAIL",
        b"MAIL FROM",
        b"MAIL FROM:",
        b"MAIL FROM:x",
        b"MAIL FROM:<>",
        b"MAIL FROM:<a>",
        b"MAIL FROM:<a b>",
    ),
    *(
        b'MAIL FROM:<a"b@c>',
        b'MAIL FROM:<"a b"@c>',
        b'MAIL FROM:<"a>',
        b"MAIL FROM:<a@b>>",
        b"MAIL FROM:<a@b> (c)",
    ),
    *(b"MAIL FROM:<a@b> X", b"MAIL FROM:<a@b> X=y", b"MAIL FROM:<a@b> X==", b"MAIL FROM:<a@b> BODY=8bitmime"),
    *(b"MAIL FROM:<a@b> BODY=BINARYMIME", b"MAIL FROM:<a@b>  BODY=7BIT", b"MAIL FROM:<a@b> SIZE=1"),
)
"""After LHLO."""
PATHS: Final = (
    *(
        b"<me>",
        b"<me@mail.test>",
        b"<me+box@x>",
        b"<>",
        b"<",
        b"me",
        b"<me",
        b"<me>x",
        b"<me> X",
        b"<me> x y=",
        b"<me> =",
    ),
    *(
        b'<"a@b"@c>',
        b'<"me">',
        b'<"a\tb"@c>',
        b'<"a',
        b"<a b@c>",
        b"<a@b@c>",
        b"<(a)@b>",
        b"<\xc3\xa4@b>",
        b"<.a..@b>",
    ),
    *(
        b"<a@>",
        b"<a@$>",
        b"<a@.b>",
        b"<a@b..c>",
        b"<a@b.>",
        b"<a@-b_>",
        b"<a@b$>",
        b"<@r:me>",
        b"<@r,@s:me@x>",
    ),
    *(
        b"<@r:>",
        b"<@r>",
        b"<@r,s:me>",
        b"<@$:me>",
        b"<a@[]>",
        b"<a@[x]>",
        b"<a@[x:]>",
        b"<a@[x:y]>",
        b"<a@[x-:y]>",
    ),
    *(
        b"<a@[192.0.2.1]>",
        b"<a@[192.0.2]>",
        b"<a@[192.0.2.256]>",
        b"<a@[192.0.2.1>",
        b"<a@[IPv6:::1]>",
        b"<a@[IPv6:x]>",
    ),
    *(
        b"<me> ORCPT=" + value
        for value in (b"rfc822;a@b", b"", b"x", b";x", b"rfc822;", b"RFC822;a+40b", b"x.y;a")
    ),
    *(
        b"<me> ORCPT=rfc822;" + value
        for value in (
            b"a+4",
            b"a+2b@b",
            b"a+01@b",
            b"a",
            b"a@",
            b"@b",
            b"a@b,c@d",
            b"+22a+20b+22@c",
            b"N+20<a@b>",
            b"g:;",
        )
    ),
    *(b"<me> ORCPT", b"<me> ORCPT=x;a ORCPT=x;a", b"<me> ORCPT=x;a FOO", b"<me> orcpt=utf-8;\\x{e4}@b"),
)
"""Of RCPT TO, after MAIL."""

_HELLO: Final = b"LHLO c\r\n"
_MAIL: Final = b"MAIL FROM:<>\r\n"
_TO: Final = b"RCPT TO:<me@b>\r\n"
_READY: Final = _HELLO + _MAIL + _TO
_DATA: Final = b"DATA\r\n.\r\n"
_NOW: Final = b"BDAT 3 LAST\r\nabc"
CONVERSATIONS: Final = (
    *(_READY + b"BDAT " + rest for rest in (b"3 FOO\r\nabc", b"3 FOO\r\nabc" + _NOW, b"3 LAST x\r\nabc")),
    *(_READY + b"BDAT " + rest for rest in (b"3  LAST\r\nabc", b"x\r\nNOOP\r\n" + _NOW, b"\r\nNOOP\r\n")),
    *(_READY + b"BDAT " + rest for rest in (b"1 LASTx\r\na", b"-1\r\nNOOP\r\n", b"01 LAST\r\na")),
    *(_READY + b"BDAT 3\r\nabc" + rest for rest in (_NOW, b"BDAT 0 LAST\r\n", b"QUIT\r\n")),
    *(_READY + b"BDAT 3\r\nabc" + rest for rest in (b"LHLO d\r\n" + _NOW, _TO + _NOW)),
    _READY + b"BDAT 3\r\nabcDATA\r\nNOOP\r\n" + _MAIL + _TO + b"VRFY x\r\nFOO\r\nRSET\r\nNOOP\r\n",
    _READY + b"BDAT 3\r\nabcDATA x\r\nBDAT x\r\nDATA\r\n" + _MAIL + _TO + _NOW + b"RSET\r\nDATA\r\n",
    _READY + b"BDAT 3\r\nabcBDAT 1 LAST x\r\nyNOOP\r\nLHLO x\r\n" + _MAIL + _TO + _NOW,
    _READY + b"RSET\r\n" + _MAIL + b"BDAT 2 LAST\r\nab",
    *(start + b"BDAT 3\r\nabc" + _NOW + b"RSET\r\nNOOP\r\n" for start in (b"", _HELLO, _HELLO + _MAIL)),
    *(_HELLO + b"BDAT 3\r\nabc" + _MAIL + _TO + rest for rest in (_NOW, b"DATA\r\n")),
    _HELLO + _MAIL + b"BDAT 3\r\nabc" + _TO + _NOW,
    _HELLO + _MAIL + b"BDAT 3\r\nabc" + _MAIL + b"DATA\r\nLHLO x\r\n" + _MAIL,
    _HELLO + _MAIL + _NOW + _MAIL + _TO + _NOW,
    b"BDAT x\r\nBDAT 2 FOO\r\nabNOOP\r\n",
    *(_MAIL + rest for rest in (_TO + _DATA, _HELLO + _TO + _MAIL)),
    b"RCPT TO:<m e@b>\r\n",
    _HELLO + b"RCPT TO:<m e@b>\r\nRCPT\r\nRCPT TO:<me> X=y\r\n",
    _HELLO + _MAIL + b"MAIL FROM:<m e@b>\r\nMAIL\r\nMAIL FROM:<> SIZE=1\r\n",
    _HELLO + b"DATA\r\nDATA x\r\n" + _MAIL + b"DATA\r\nDATA x\r\n",
    # Which transaction a reply is of, and which recipient.
    _READY + _TO + _DATA + _MAIL + _TO + _TO + _DATA,
    _HELLO + _MAIL + _MAIL + _READY + _DATA,
    _HELLO
    + _MAIL
    + b"RSET\r\n"
    + _MAIL
    + b"RCPT TO:<>\r\n"
    + _TO
    + _TO
    + _DATA
    + b"RSET\r\n"
    + _MAIL
    + _TO
    + _DATA,
    _HELLO + _MAIL + b"RCPT TO:<no!1@b>\r\n" + _TO + b"RCPT TO:<no!2@b>\r\nRCPT TO:<you@b>\r\n" + _DATA,
    _READY
    + b"RCPT TO:<you@b>\r\n"
    + _TO
    + b"RCPT TO:<me@c>\r\nRCPT TO:<me+x@b>\r\nRCPT TO:<ME@b>\r\n"
    + _DATA,
    _READY + b"RCPT TO:<me@b> ORCPT=rfc822;a@b\r\n" * 2 + _DATA,
    # Ten bad commands, one after the other, and no more.
    *(
        _HELLO + 5 * b"FOO\r\n" + rest + 12 * b"FOO\r\n"
        for rest in (b"", b"NOOP\r\n", b"VRFY x\r\n", b"\r\n")
    ),
    *(_HELLO + 5 * b"FOO\r\n" + rest + 12 * b"FOO\r\n" for rest in (_TO, _MAIL + b"DATA\r\n", b"NOOP (\r\n")),
    _HELLO + 5 * b"FOO\r\n" + b"MAIL FROM:<> SIZE=1\r\n" + 12 * b"FOO\r\n",
)
"""Whole ones, up to QUIT."""


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    """(ours, theirs)"""
    with dovecot_pair(_SETTINGS) as servers:
        yield servers


def told(server: Server, *lines: bytes) -> list[bytes]:
    """The last reply of a conversation, line by line."""
    with socket.socket(socket.AF_UNIX) as client, client.makefile("rb") as replies:
        client.settimeout(PATIENCE)
        client.connect(str(server.base / "run" / "lmtp"))
        reply = _reply(replies)
        for line in lines:
            client.sendall(line + b"\r\n")
            reply = _reply(replies)
    return [re.sub(rb"/tmp/pair-[a-z]+-[^/ ]*", b"BASE", line) for line in reply]


def conversation(server: Server, text: bytes) -> list[bytes]:
    """All replies; ids of sessions are left out, but not what is of the transaction and of the recipient."""
    with socket.socket(socket.AF_UNIX) as client, client.makefile("rb") as replies:
        client.settimeout(PATIENCE)
        client.connect(str(server.base / "run" / "lmtp"))
        client.sendall(text + b"QUIT\r\n")
        return [re.sub(rb"(<\S+>) [A-Za-z0-9/+]{20,}(\S*) ", rb"\1 ID\2 ", line) for line in replies]


def _reply(replies: "Iterator[bytes]") -> list[bytes]:
    lines = []
    for line in replies:
        lines.append(line)
        if line[3:4] != b"-":
            break
    return lines


def test_commands(pair: tuple[Server, Server]) -> None:
    """Words, blanks, octets that are no text, parameters."""
    for line in LINES:
        ours, theirs = (told(server, b"LHLO me", line) for server in pair)
        assert theirs == ours, line


def test_recipients(pair: tuple[Server, Server]) -> None:
    """What is a path, whose it is, and what is wrong with the others."""
    for path in PATHS:
        ours, theirs = (told(server, b"LHLO me", b"MAIL FROM:<>", b"RCPT TO:" + path) for server in pair)
        assert theirs == ours, path


def test_conversations(pair: tuple[Server, Server]) -> None:
    """Commands out of their order, chunks that are refused and read all the same, recipients named twice."""
    for text in CONVERSATIONS:
        ours, theirs = (conversation(server, text) for server in pair)
        assert theirs == ours, text


def test_named_twice(pair: tuple[Server, Server]) -> None:
    """A mailbox has one copy, however often it is named in the same way."""
    text = b"LHLO c\r\nMAIL FROM:<>\r\n" + b"RCPT TO:<twice@b>\r\n" * 3 + b"DATA\r\nSubject: x\r\n\r\n.\r\n"
    for server in pair:
        assert b"".join(conversation(server, text)).count(b" Saved") == 3
        assert len(list(server.base.glob("**/twice*/Maildir/new/*"))) == 1

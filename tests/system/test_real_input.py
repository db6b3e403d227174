"""A few hundred messages of every kind: what comes out of IMAP and POP3 is what went in by SMTP.

`normalised()` says, in one place, what Postfix does to a message on its way, and nothing else may happen.
"""

import imaplib
import poplib
import re
import socket
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from fakes.archives import archived_messages
from fakes.debian_postfix import PORT, DebianPostfix
from fakes.doveadm import Doveadm
from fakes.mail_system import USER, MailSystem, until
from fakes.varied_messages import varied_messages

pytestmark = pytest.mark.system

HEADER_LIMIT = 1_000_000
TRACE = re.compile(
    rb"Return-Path: <message-(\d+)@example\.test>\r\n"
    rb"X-Original-To: me@pillarbox\.test\r\n"
    rb"Delivered-To: me@pillarbox\.test\r\n"
    rb"Received: from client\.example \(localhost \[127\.0\.0\.1\]\)\r\n"
    rb"\tby pillarbox\.test \(Postfix\) with (?:ESMTP|UTF8SMTP) id [0-9A-F]+\r\n"
    rb"\tfor <me@pillarbox\.test>; \w{3}, [ \d]\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}(?: \([^)]*\))?\r\n"
)
FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
DROPPED = frozenset((b"bcc", b"content-length", b"resent-bcc", b"return-path"))
ADDED = {
    b"message-id": rb"Message-Id: <\d{14}\.[0-9A-F]+@pillarbox\.test>\r\n",
    b"date": rb"Date: \w{3}, [ \d]\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}(?: \([^)]*\))?\r\n",
    b"from": rb"From: message-%d@example\.test\r\n",
}


class Expected(NamedTuple):
    """What a message is after its way through the queue, below the trace fields."""

    header: bytes
    missing: list[bytes]
    body: bytes
    has_body: bool
    """With an empty line before it; a header alone ends without one."""


def normalised(content: bytes) -> Expected:
    """Postfix's documented normalisations: cleanup(8), message_drop_headers, cleanup_replace_stray_cr_lf.

    CRs before a line end go, any other becomes a blank; blanks between a field's name and its colon go; an mbox line becomes
    X-Mailbox-Line; fields of message_drop_headers go; where text begins that is no field, an empty line is put;
    for a local client, what is missing of Message-Id, Date and From is added at the end of the header, or, if the
    message has been resent, of their Resent- fields.
    """
    content = re.sub(rb"\r(?!\n)", b" ", re.sub(rb"\r+\n", b"\r\n", content))
    if content.startswith((b"From ", b">From ")):
        content = b"X-Mailbox-Line: " + content
    lines = content.split(b"\r\n")[:-1]
    fields: list[list[bytes]] = []
    while lines and lines[0]:
        if lines[0][:1] in b" \t" and fields:
            fields[-1].append(lines.pop(0))
        elif FIELD.match(lines[0]):
            fields.append([lines.pop(0)])
        else:
            break
    has_body = bool(lines)
    if lines and not lines[0]:
        del lines[0]
    names = [match[1].lower() for field in fields if (match := FIELD.match(field[0]))]
    prefix = b"Resent-" if any(name.startswith(b"resent-") for name in names) else b""
    for field in fields:
        field[0] = re.sub(rb"^([!-9;-~]+)[ \t]+:", rb"\1:", field[0])
    kept = [field for field, name in zip(fields, names, strict=True) if name not in DROPPED]
    return Expected(
        b"".join(line + b"\r\n" for field in kept for line in field),
        [prefix + name for name in ADDED if prefix.lower() + name not in names],
        b"".join(line + b"\r\n" for line in lines),
        has_body,
    )


def added_field(name: bytes) -> bytes:
    """A pattern for a field that Postfix adds."""
    resent = b"Resent-" if name.startswith(b"Resent-") else b""
    return resent + ADDED[name.removeprefix(b"Resent-")]


def check(number: int, sent: bytes, received: bytes, *, door: str) -> None:
    """The message came out as it should."""
    trace = TRACE.match(received)
    assert trace is not None, (door, number, received[:600])
    expected = normalised(sent)
    rest = received[trace.end() :]
    assert rest.startswith(expected.header), (door, number, sent[:500], rest[:500])
    rest = rest.removeprefix(expected.header)
    added = b"".join(added_field(name).replace(b"%d", b"%d" % number) for name in expected.missing)
    end = rb"\r\n" if expected.has_body else b"$"
    following = re.match(added + end, rest)
    assert following is not None, (door, number, expected.missing, rest[:500])
    if door == "IMAP":  # RFC 3501 §9: a literal holds no NUL; Dovecot, too, shows 0x80 in its place
        expected = expected._replace(body=expected.body.replace(b"\0", b"\x80"))
    assert rest[following.end() :] == expected.body, (door, number, sent[-300:], rest[-300:])


def send_all(port: int, messages: list[bytes]) -> None:
    """Every message in one session; the envelope sender carries its number."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as sock,
        sock.makefile("rb") as lines,
    ):

        def expect(code: bytes) -> None:
            line = lines.readline()
            while line[3:4] == b"-":
                line = lines.readline()
            assert line.startswith(code), line

        expect(b"220")
        sock.sendall(b"EHLO client.example\r\n")
        expect(b"250")
        for number, content in enumerate(messages):
            header = content.partition(b"\r\n\r\n")[0]
            option = b" SMTPUTF8 BODY=8BITMIME" if not header.isascii() else b""
            sock.sendall(
                b"MAIL FROM:<message-%d@example.test>%s\r\nRCPT TO:<%s>\r\nDATA\r\n"
                % (number, option, USER.encode())
            )
            for code in (b"250", b"250", b"354"):
                expect(code)
            sock.sendall(re.sub(rb"(?:\A|(?<=\r\n))\.", b"..", content) + b".\r\n")
            expect(b"250 2.0.0 Ok: queued as ")
        sock.sendall(b"QUIT\r\n")
        expect(b"221")


def read_imap(system: MailSystem) -> tuple[dict[bytes, bytes], list[bytes | None]]:
    """Trace line → content of all messages, and their rendered structure."""
    with imaplib.IMAP4("127.0.0.1", system.port("imap"), timeout=60) as client:
        client.login(USER, system.password)
        client.select(readonly=True)
        contents = [entry[1] for entry in client.fetch("1:*", "BODY.PEEK[]")[1] if isinstance(entry, tuple)]
        rendered = client.fetch("1:*", "(UID RFC822.SIZE INTERNALDATE ENVELOPE BODYSTRUCTURE)")[1]
    parts = [part for entry in rendered for part in (entry if isinstance(entry, tuple) else (entry,))]
    return {content.partition(b"\r\n")[0]: content for content in contents}, parts


def read_pop3(system: MailSystem, monkeypatch: pytest.MonkeyPatch) -> dict[bytes, bytes]:
    """Trace line → content of all messages."""
    monkeypatch.setattr(poplib, "_MAXLINE", 100_000_000)  # our lines are longer than RFC 1939 §3 has them
    client = poplib.POP3("127.0.0.1", system.port("pop3"), timeout=60)
    client.user(USER)
    client.pass_(system.password)
    found: dict[bytes, bytes] = {}
    for number in range(1, client.stat()[0] + 1):
        content = b"".join(line + b"\r\n" for line in client.retr(number)[1])
        found[content.partition(b"\r\n")[0]] = content
    client.quit()
    return found


@pytest.mark.peer("imaplib", "poplib", "hyperkitty", "enmime")
def test_what_went_in_comes_out(fresh_system: MailSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """IMAP and POP3 give every message as it was sent; so they do when all caches have been deleted."""
    fresh_system.make_home()
    fresh_system.configure(header_size_limit=str(HEADER_LIMIT), message_size_limit="100000000")
    # What a local client's addresses become is compared with Postfix's below.
    fresh_system.configure(append_at_myorigin="no", swap_bangpath="no", allow_percent_hack="no")
    fresh_system.start()
    big = b"Subject: big\r\nFrom: a@example.test\r\n\r\n" + (b"30 MB of text " * 5 + b"\r\n") * 420_000
    assert len(big) > 30_000_000
    messages = [*varied_messages(300), *archived_messages(), big]
    send_all(fresh_system.port("smtp"), messages)
    until(lambda: len(fresh_system.delivered()) >= len(messages), what="all are delivered")

    contents, rendered = read_imap(fresh_system)
    assert len(contents) == len(messages)
    for number, sent in enumerate(messages):
        check(number, sent, contents[b"Return-Path: <message-%d@example.test>" % number], door="IMAP")
    fetched = read_pop3(fresh_system, monkeypatch)
    assert len(fetched) == len(messages)
    for number, sent in enumerate(messages):
        check(number, sent, fetched[b"Return-Path: <message-%d@example.test>" % number], door="POP3")

    caches = [path for path in fresh_system.data.rglob("pillarbox.cache.sqlite*") if path.is_file()]
    assert caches, "there is a cache to delete"
    for path in caches:
        path.unlink()
    assert read_imap(fresh_system) == (contents, rendered)
    assert fresh_system.is_healthy()
    assert fresh_system.stop() == 0


NAMES_AND_TIMES = re.compile(
    rb"(?m)(?<=with ESMTP id )\w+|(?<=with UTF8SMTP id )\w+|(?<=; )\w{3}, [ \d]\d \w{3} \d{4} [\d:]{8} [+-]\d{4}(?: \([^)]*\))?|"
    rb"(?<=^Message-Id: <)\d{14}\.\w+|(?<=^Resent-Message-Id: <)\d{14}\.\w+|(?<=^Date: )\w{3}, [ \d]\d \w{3} \d{4} [\d:]{8} [+-]\d{4} \([A-Z]+\)"
)


ADDRESSES = [
    b"root", b"root (Cron Daemon)", b"Root <root>", b"<root>",
    b'"Root, of all" <root>, you@there', b"a@here", b"a@[192.0.2.1]", b"a@here.",
    b"friends: a, b@c.test;", b"undisclosed-recipients:;", b'"a b"', b'"a b"@here', b"site!user", b"a!b!c",
    b"user%elsewhere.test", b"user%elsewhere.test@here.test", b"Me <me>, You <you@there.test>, us",
    b"me (a (nested) one)", b"\"quoted\\\"name\" <me>", b"<me>, <you>", b"a.b", b"a..b", b"me@a.test.",
]  # fmt: skip
"""What a local client may write into From: and To:; cleanup(8) completes it.

Where it completes something, it also writes blanks behind commas, unfolds, and puts comments behind the address;
ours leaves all that as it was (tests/message/test_address_rewriting.py).
"""


VEILED = re.compile(
    rb"(?m)^From: (?:[^\n@]+ at [^\n]+\n|[^\n@]+@pillarbox\.test, at@pillarbox\.test,\n\t[^\n]+\n)"
)
"""`someone at example.test (Name)`, as list archives hide addresses from harvesters.

Deliberate: Postfix completes three addresses, someone@, at@ and example.test@ the local domain; we leave alone what is
no address list.
"""


def comparable(content: bytes) -> bytes:
    """A message without what two systems cannot have in common."""
    return NAMES_AND_TIMES.sub(b"*", VEILED.sub(b"From: veiled\n", content)).rstrip(b"\n")


@pytest.mark.root
@pytest.mark.peer("postfix", "dovecot", "imaplib", "hyperkitty", "enmime")
def test_the_same_as_postfix_and_dovecot(rootless_system: MailSystem) -> None:
    """The same messages through Debian's Postfix, read by Debian's Dovecot: equal but for ids and times."""
    rootless_system.make_home()
    rootless_system.configure(header_size_limit=str(HEADER_LIMIT), message_size_limit="100000000")
    rootless_system.start()
    messages = [
        *varied_messages(60),
        *archived_messages(),
        *(
            b"From: %s\r\nTo: %s\r\nSubject: %s\r\n\r\nbody\r\n" % (value, value, value)
            for value in ADDRESSES
        ),
    ]
    send_all(rootless_system.port("smtp"), messages)
    until(lambda: len(rootless_system.delivered()) == len(messages), what="ours are delivered")
    ours, _ = read_imap(rootless_system)
    assert rootless_system.stop() == 0

    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        base.chmod(0o755)
        with DebianPostfix(base) as postfix:
            send_all(PORT, messages)
            until(
                lambda: len(postfix.delivered()) == len(messages),
                what=lambda: f"theirs are delivered:\n{postfix.log()[-2000:]}",
            )
        (base / "dovecot").mkdir()
        doveadm = Doveadm(base / "dovecot")
        postfix.maildir.rename(doveadm.maildir)
        output = doveadm.run("-f", "pager", "fetch", "text", "mailbox", "INBOX", "all")
    contents = re.split(rb"(?:\A|\n)text:\n(?=Return-Path: <message-)", output)[1:]
    theirs = {content.partition(b"\n")[0].rstrip(b"\r"): content for content in contents}
    assert set(theirs) == set(ours)
    differences = []
    for name, content in ours.items():
        mine = comparable(content.replace(b"\r\n", b"\n"))
        # doveadm shows the file; IMAP, Dovecot's as well, has 0x80 in place of NUL.
        other = comparable(theirs[name].replace(b"\0", b"\x80"))
        if mine != other:
            at = next((at for at, (one, two) in enumerate(zip(mine, other, strict=False)) if one != two), -1)
            differences.append(
                (name, len(mine), len(other), mine[at - 40 : at + 60], other[at - 40 : at + 60])
            )
    assert not differences, "\n".join(map(repr, differences))

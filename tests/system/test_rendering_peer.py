"""ENVELOPE, BODY and BODYSTRUCTURE against the real Dovecot, over nasty messages."""

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.doveadm import Doveadm
from pillarbox.message.body_structure import render
from pillarbox.message.envelope import render_envelope
from pillarbox.message.header_fields import header_end
from pillarbox.message.line_ends import to_crlf
from pillarbox.message.mime_tree import parse

pytestmark = [
    pytest.mark.system,
    pytest.mark.peer("dovecot"),
    pytest.mark.skipif(not Doveadm.is_installed(), reason="doveadm is not installed"),
]

ADDRESSES = [
    *(
        b"a@b",
        b"A B <a@b>",
        b'"A, B" <a@b>',
        b'"A \\"q\\"" <a@b>',
        b"a@b (Name)",
        b"(c) a@b",
        b"a@b ((x) y)",
        b"a@b (x",
    ),
    *(
        b"a@b, c@d",
        b"a@b,\n c@d",
        b"a,,b",
        b",a@b",
        b"a@b,",
        b"a@b,(c)",
        b"a@b,(c",
        b"a, b <c@d>",
        b"Smith, John <a@b>",
    ),
    *(
        b"g:;",
        b"g: ;",
        b"g:a@b;",
        b"g:a@b,c@d;",
        b"g:a@b,;",
        b"g:a@b;,c@d",
        b"g:a@b; c@d",
        b"g:a@b",
        b"g:",
        b":;",
    ),
    *(
        b'"g h":a@b;',
        b"g h:a@b;",
        b"g:a@b,h:c@d;;",
        b"undisclosed-recipients:;",
        b"mailto:a@b",
        b"http://x",
        b"a:b@c",
    ),
    *(
        b"<a@b>",
        b"<a>",
        b"a <b>",
        b"<>",
        b"x <>",
        b"<a@>",
        b"<@>",
        b"<@a>",
        b"<@a:>",
        b"<@a:b@c>",
        b"<@a,@b:c@d>",
    ),
    *(
        b"<@a,,@b:c@d>",
        b"<@a @b:c@d>",
        b"<a@b",
        b"<a@b c>",
        b"<a b@c>",
        b"<a@b>c",
        b"<a@b> c, d@e",
        b"<<a@b>>",
    ),
    *(
        b".",
        b".a",
        b"a.",
        b"a..b",
        b".a@b",
        b"..@b",
        b".(c)",
        b"(c).a@b",
        b"<.a@b>",
        b"a@.b",
        b"a@b.",
        b"a@b..c",
    ),
    *(
        b"a@b.(c)",
        b"a@b. ,c@d",
        b"a .b@c",
        b"a@b . c",
        b'"q".a@b',
        b'a."q"@b',
        b'"q"a@b',
        b'"q"',
        b'"q"@b',
        b'""',
    ),
    *(
        b'""@b',
        b'"" <a@b>',
        b"a b",
        b"a b@c",
        b"a@b c@d",
        b"a@b <c@d>",
        b"a (c) b@c",
        b"a@[1.2]",
        b"a@[1",
        b"a@[1]b",
    ),
    *(
        b"[x]",
        b"\\",
        b"a\\b@c",
        b'"a\\\\b"@c',
        b'"a\n b"@c',
        b'"a',
        b'"a <b@c>',
        b'a" <b@c>',
        b"a@b;c@d",
        b";",
        b"@",
    ),
    *(
        b"@b",
        b"a@",
        b"a@ b",
        b"a @b",
        b'Mail "x" Daemon <a@b>',
        b"=?q?x?= <a@b>",
        b"o'r <a@b>",
        b"a  b <c@d>",
    ),
    *(
        b"\xc3\xa9 <a@b>",
        b"a@\xc3\xa9",
        b'"\0"@b',
        b"a\0@b",
        b'"a\0b" <x@y>',
        b"(c)",
        b"(c",
        b"",
        b" ",
        b".(c)a",
        b". a",
        b". a@b",
        b'."q"@b',
    ),
    *(
        b"a. b@c",
        b"a . @b",
        b"a.(c)@b",
        b"x <a. @b>",
        b"g:a b,c,d@e;",
        b"a@[b[c]",
        b"a@[b\\]c]",
        b"a@[b\\\n c]",
        b'"a\\\n b"@c (d\\\n e)',
        b'"a\\\0"@b',
    ),
    *(
        b'a "b\n c',
        b'a "b\\c d',
        b'a b "',
        b"a@b (c\n d",
        b"a@b (c\\d e",
        b"a@b (c\0d",
        b'a "(b\n ',
    ),
]

HEADERS = [
    *(
        b"Subject: a  b\n",
        b'Subject: "q"\n',
        b"Subject: \xe9\n",
        b"Subject: a\n\tb\n",
        b"Subject:\n",
        b"Subject:  \n",
    ),
    *(
        b"Subject: a\0b\n",
        b"Subject: a\nSubject: b\n",
        b"Date: x  y\n",
        b"Date:\n x\n",
        b"Message-ID: <a@b>\n",
    ),
    *(
        b'Message-ID: <"a\\b">\n',
        b'Message-ID: """""\n',
        b"Message-ID:\n\t<a>\n",
        b"In-Reply-To: <a>\n <b>\n",
    ),
    *(b"From: a@b\nSender:\nReply-To: (c)\n", b"From: a@b\nFrom: c@d\n", b"from : a@b\n", b"no colon\n", b""),
]

TYPES = [
    *(
        b"text/plain",
        b"text/html; charset=utf-8",
        b"TEXT/PLAIN; Charset=X",
        b"text",
        b"text/",
        b"/",
        b"",
        b"foo",
    ),
    *(
        b"multipart/mixed; boundary=b",
        b'multipart/mixed; boundary="b1"',
        b"multipart/alternative; boundary=c",
    ),
    *(b"multipart/digest; boundary=d", b"message/rfc822", b"message/RFC822; a=b", b"multipart/mixed"),
    *(
        b'image/png; name="a b.png"',
        b'application/x; name*0=a; name*1*=b%20c; x="q\\"r"',
        b"message/partial; id=x",
    ),
    *(b"text/plain; x*=utf-8''a; x*1=b", b"text/plain; charset", b"text/plain; (c) charset=x (d); ;; y=z"),
    *(
        b'multipart/mixed; boundary="b b"',
        b'text/plain;\n\tcharset="us\n -ascii"',
        b"a/b; n==?utf-8?q?x?=; m=1",
    ),
    *(
        b'text/plain; a=\xc3\xa9; b="\xc3\xa9"',
        b"multipart/; boundary=b",
        b"multipart/mixed; boundary=b; boundary=c",
    ),
    *(
        b"text; charset=x",
        b"text/plain charset=x",
        b"text plain",
        b"text/plain/x; charset=y",
        b"text/plain (c) x",
        b"text/plain (c) ; charset=x",
        b"multipart/mixed boundary=b",
        b"multipart; boundary=b",
        b"image; name=x",
        b"message/rfc822 x",
    ),
    *(
        b'multipart/mixed; boundary=""',
        b"message/delivery-status",
        b'text/x; a="1"2"; b=3',
        b"text (x",
        b"text/x (x; a=b",
        b"text/x; a=b " + b":" * 126 + b"; c=d; e=f",
        b"text/x; =; a=b",
    ),
]
FIELDS = [
    *(
        b"Content-ID: <x@y>\n",
        b'Content-Description: a  "b"\n c\n',
        b"Content-Description: \xc3\xa9\n",
        b"Content-ID:\n",
    ),
    *(b"Content-Transfer-Encoding: BASE64\n", b"Content-Transfer-Encoding: a b\n", b"Mime-Version: 1.0\n"),
    *(b"content-transfer-encoding : 8bit (x)\n", b'Content-Disposition: attachment; filename="x"; size=3\n'),
    *(b"Content-Disposition: ;x=y\n", b"Content-Disposition: inline\n", b"Content-Language: de, en\n"),
    *(b"Content-Language: de, en (x\n",),
    *(b"Content-Language: de en\n", b"Content-Location:  http://x/\n y\n", b"Content-MD5: abc\n"),
    *(b"Subject: inner\n", b"From: a@b\n", b"junk line\n", b"Content-Type: second/one\n"),
]
LINES = [
    *(
        b"--b\n",
        b"--b--\n",
        b"--b1\n",
        b"--b1--\n",
        b"--c\n",
        b"--c--\n",
        b"--d\n",
        b"--d--\n",
        b"--b b\n",
        b"--bx\n",
    ),
    *(b"\n", b"\n", b"text\n", b"-- \n", b"x--b\n", b"a longer line of text\n", b"--b  \n", b"--\n"),
]


@pytest.fixture
def doveadm() -> Iterator[Doveadm]:
    """A Dovecot of our own, in a directory that its user may enter."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield Doveadm(Path(directory))


def put(doveadm: Doveadm, messages: list[bytes]) -> None:
    """Messages as files of INBOX; UIDs in this order from 1."""
    for name in ("cur", "new", "tmp"):
        (doveadm.maildir / name).mkdir(parents=True)
    for number, message in enumerate(messages):
        (doveadm.maildir / "cur" / f"{1_000_000_000 + number}.M1P1.h:2,S").write_bytes(message)


def compare(doveadm: Doveadm, messages: list[bytes]) -> None:
    """Every rendering is Dovecot's, byte for byte."""
    put(doveadm, messages)
    theirs = doveadm.renderings()
    assert len(messages) == len(theirs)
    for uid, message in enumerate(messages, start=1):
        content = to_crlf(message)
        ours = (render_envelope(content[: header_end(content)]), *render(content, parse(content)))
        assert theirs[uid] == ours, message


def test_addresses_and_headers(doveadm: Doveadm) -> None:
    """Address lists, subjects, ids: good, odd and broken."""
    addresses = [b"Bcc: %s\n\nx\n" % value for value in ADDRESSES]
    compare(doveadm, addresses + [header + b"\nx\n" for header in HEADERS])


def random_message(generator: random.Random) -> bytes:
    """Headers and boundary lines in any order, cut anywhere."""

    def header() -> bytes:
        fields = [generator.choice(FIELDS) for _ in range(generator.randrange(3))]
        if generator.random() < 0.8:
            fields.append(b"Content-Type: %s\n" % generator.choice(TYPES))
        generator.shuffle(fields)
        return b"".join(fields)

    message = header() + generator.choice([b"\n", b"\n", b"\n", b""])
    for _ in range(generator.randrange(14)):
        message += generator.choice(LINES)
        if generator.random() < 0.35:
            message += header() + generator.choice([b"\n", b"\n", b""])
    return (message if generator.random() < 0.8 else message[:-1]) or b"x"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_structures(doveadm: Doveadm, seed: int) -> None:
    """A thousand messages of tangled MIME."""
    generator = random.Random(seed)
    compare(doveadm, [random_message(generator) for _ in range(1000)])


def nested_message(generator: random.Random, depth: int = 0) -> bytes:
    """Multiparts and messages in one another, with and without preambles, bodies, epilogues and final boundaries."""
    kind = generator.choice(["text", "text", "multipart", "message"]) if depth < 4 else "text"
    if kind == "text":
        field = generator.choice([b"", b"Content-Type: text/html\n"])
        return field + b"\n" + generator.choice([b"", b"a", b"a\n", b"\n", b"--\n", b"x\n\n"])
    if kind == "message":
        inner = nested_message(generator, depth + 1) if generator.random() < 0.9 else b""
        return b"Content-Type: message/rfc822\n\n" + generator.choice([b"", b"Subject: s\n"]) + inner
    boundary = generator.choice([b"b", b"bb", b"b%d" % depth, b"b--"])
    before = generator.choice([b"", b"text\n", b"\n"])
    parts = [
        b"--%s%s\n%s" % (boundary, generator.choice([b"", b"", b" "]), nested_message(generator, depth + 1))
        for _ in range(generator.randrange(4))
    ]
    end = generator.choice(
        [b"", *(b"\n--%s--%s" % (boundary, after) for after in (b"", b"\n", b"\nend", b" \n"))]
    )
    subtype = generator.choice([b"mixed", b"digest"])
    return b"Content-Type: multipart/%s; boundary=%s\n\n%s%s%s" % (
        *(subtype, boundary, before),
        *(b"\n".join(parts), end),
    )


def test_octets_of_nested_parts(doveadm: Doveadm) -> None:
    """Which line ends count, where parts end at the boundaries of others: sizes of messages within messages."""
    generator = random.Random(4)
    compare(doveadm, [b"Content-ID: <x>\n" + nested_message(generator) for _ in range(1000)])


def test_limits(doveadm: Doveadm) -> None:
    """Deep nesting and many parts."""

    def nested(depth: int) -> bytes:
        layers = [
            b"Content-Type: multipart/mixed; boundary=x%dx\n\n--x%dx\n" % (layer, layer)
            for layer in range(depth)
        ]
        return b"".join(layers) + b"\ntext\n"

    def forwarded(depth: int) -> bytes:
        return b"Content-Type: message/rfc822\n\n" * depth + b"Subject: x\n\ntext\n"

    def many(parts: int) -> bytes:
        return b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * parts + b"--b--\n"

    compare(
        doveadm,
        [
            *(nested(depth) for depth in (98, 99, 100, 130)),
            *(forwarded(depth) for depth in (98, 99, 100, 130)),
            many(9999),
        ],
    )

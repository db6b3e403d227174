"""The client's engine: replies in any pieces, commands that stay one line, content that comes out as it went in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.smtp.capabilities import Capabilities, read_capabilities
from pillarbox.wire.smtp.client import Exchange, SmtpClient, in_blocks, stuff, xtext
from pillarbox.wire.smtp.dot_stream import DataReader
from pillarbox.wire.smtp.replies import MAX_LINE, MalformedReply, ReplyReader, ServerReply

REPLIES = [  # name, bytes, code, status, text
    ("one line", b"250 2.1.0 Ok\r\n", 250, "2.1.0", b"250 2.1.0 Ok"),
    ("no text", b"354\r\n", 354, "5.5.0", b"354"),
    ("neither success nor failure", b"120 2.1.0 x\r\n", 120, "5.5.0", b"120 2.1.0 x"),
    ("bare LF", b"250 Ok\n", 250, "2.0.0", b"250 Ok"),
    (
        "several",
        b"550-5.1.1 No\r\n550 5.1.1 such user\r\n",
        550,
        "5.1.1",
        b"550-5.1.1 No 550 5.1.1 such user",
    ),
    ("codes differ", b"250-a\r\n550 b\r\n", 550, "5.0.0", b"250-a 550 b"),
    ("status of another class", b"451 5.7.1 later\r\n", 451, "4.0.0", b"451 5.7.1 later"),
    ("no status", b"550 User 5.1.1 unknown\r\n", 550, "5.0.0", b"550 User 5.1.1 unknown"),
    ("garbage before", b"hello\r\n220 mx\r\n", 220, "2.0.0", b"hello 220 mx"),
    ("some old charset", b"550 gr\xfc\xdfe\r\n", 550, "5.0.0", b"550 gr??e"),
    ("UTF-8", b"550 gr\xc3\xbc\xc3\x9fe\r\n", 550, "5.0.0", "550 grüße".encode()),
    ("control characters", b"550\t5.1.1\r\n550 a\x07\0b\x7f\r\n", 550, "5.0.0", b"550?5.1.1 550 a??b?"),
    ("two digits", b"22 mx\r\n220 mx\r\n", 220, "2.0.0", b"22 mx 220 mx"),
    ("other digits", "²50 x\r\n250 y\r\n".encode(), 250, "2.0.0", "²50 x 250 y".encode()),
    ("no separator", b"250Ok\r\n250 Ok\r\n", 250, "2.0.0", b"250Ok 250 Ok"),
]


@pytest.mark.parametrize(
    ("data", "code", "status", "text"), [row[1:] for row in REPLIES], ids=[r[0] for r in REPLIES]
)
def test_a_reply(data: bytes, code: int, status: str, text: bytes) -> None:
    """Code, status code and text, whole or octet by octet."""
    for size in (len(data), 1):
        reader = ReplyReader()
        found = None
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
            found = reader.next_reply() or found
        assert found is not None
        assert (code, status, text) == (found.code, found.status, found.text)


def test_a_long_line_is_cut() -> None:
    """What is kept of a reply is bounded."""
    reader = ReplyReader()
    reader.feed(b"250 " + b"x" * 100_000 + b"\r\n")
    reply = reader.next_reply()
    assert reply is not None
    assert MAX_LINE == len(reply.text)


def test_an_endless_reply_ends_the_conversation() -> None:
    """Lines without a last one, and a line without an end."""
    for data in (b"250-x\r\n" * 200_000, b"x" * (1 << 21)):
        reader = ReplyReader()
        reader.feed(data)
        with pytest.raises(MalformedReply):
            reader.next_reply()


@given(st.lists(st.sampled_from([row[1] for row in REPLIES]), max_size=8), st.data())
def test_any_chunking_gives_the_same_replies(parts: list[bytes], data: st.DataObject) -> None:
    """Packets mean nothing."""
    stream = b"".join(parts)

    def replies(cuts: list[int]) -> list[ServerReply]:
        reader, found = ReplyReader(), []
        for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            reader.feed(stream[begin:end])
            while (reply := reader.next_reply()) is not None:
                found.append(reply)
        return found

    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    assert replies([]) == replies(cuts)


def test_replies_belong_to_commands_in_their_order() -> None:
    """A pipelined batch; in LMTP each recipient has its own last reply."""
    client = SmtpClient()
    client.receive_data(b"220 mx\r\n")
    answered = client.next_reply()
    assert answered is not None
    assert Exchange.GREETING is answered.exchange
    client.mail(b"a@b.test", [b"SIZE=10"])
    client.rcpt(b"c@d.test", [b"NOTIFY=NEVER"])
    client.command(Exchange.DATA, b"DATA")
    assert (
        b"MAIL FROM:<a@b.test> SIZE=10\r\nRCPT TO:<c@d.test> NOTIFY=NEVER\r\nDATA\r\n"
        == client.data_to_send()
    )
    client.receive_data(b"250 a\r\n250 b\r\n354 c\r\n")
    found = [client.next_reply() for _ in range(4)]
    assert [Exchange.MAIL, Exchange.RCPT, Exchange.DATA] == [one.exchange for one in found if one is not None]
    client.content(b"x\r\n")
    client.end_of_data(2)
    assert b"x\r\n.\r\n" == client.data_to_send()
    client.receive_data(b"250 first\r\n452 second\r\n")
    assert [250, 452] == [
        one.reply.code for one in (client.next_reply(), client.next_reply()) if one is not None
    ]
    assert client.awaits is None


def test_a_reply_that_nobody_asked_for_answers_the_next_command() -> None:
    """421 before a server hangs up."""
    client = SmtpClient()
    client.receive_data(b"220 mx\r\n421 4.3.2 going down\r\n")
    client.next_reply()
    assert client.next_reply() is None
    client.command(Exchange.RSET, b"RSET")
    answered = client.next_reply()
    assert answered is not None
    assert 421 == answered.reply.code


def test_garbage_in_a_batch_belongs_to_the_reply_behind_it() -> None:
    """And is there to be told of."""
    client = SmtpClient()
    client.receive_data(b"220 mx\r\n")
    client.next_reply()
    client.mail(b"")
    client.rcpt(b"c@d.test")
    client.receive_data(b"250 a\r\noops\r\n250 b\r\n")
    assert client.next_reply() is not None
    client.rcpt(b"e@d.test")
    answered = client.next_reply()
    assert answered is not None
    assert (answered.exchange, answered.reply.text) == (Exchange.RCPT, b"oops 250 b")
    assert client.garbage == [b"oops"]


@pytest.mark.parametrize("line", [b"RSET\r\nQUIT", b"RSET\n", b"RSET\0"])
def test_a_command_is_one_line(line: bytes) -> None:
    """An address with a line break must not become a command."""
    client = SmtpClient()
    with pytest.raises(ValueError, match="line break"):
        client.command(Exchange.RSET, line)
    with pytest.raises(ValueError, match="line break"):
        client.rcpt(b"a\r\nDATA@b.test")
    assert b"" == client.data_to_send()


def test_what_came_before_tls_does_not_count() -> None:
    """RFC 3207 §4.2: injected replies are thrown away."""
    client = SmtpClient()
    client.receive_data(b"220 mx\r\n")
    client.next_reply()
    client.command(Exchange.STARTTLS, b"STARTTLS")
    client.receive_data(b"220 go\r\n250 injected\r\n")
    client.next_reply()
    client.started_tls()
    client.hello(Exchange.EHLO, b"me.test")
    assert client.next_reply() is None


OFFERS = [
    (
        b"250-mx.test hi\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n"
        b"250-AUTH=LOGIN XOAUTH2\r\n250-8BITMIME\r\n250-DSN\r\n250-XFORWARD NAME ADDR\r\n250 SMTPUTF8\r\n",
        Capabilities(
            name=b"mx.test",
            pipelining=True,
            eight_bit=True,
            smtputf8=True,
            dsn=True,
            starttls=True,
            xforward=(b"NAME", b"ADDR"),
            logins=(b"PLAIN LOGIN", b"LOGIN XOAUTH2"),
            has_size=True,
            size=10240000,
        ),
    ),
    (
        b"250-x\r\n250-size\r\n250-\r\n250 pipelining\r\n",
        Capabilities(name=b"x", pipelining=True, has_size=True),
    ),
    (b"250-x\r\n250 SMTPUTF8\r\n", Capabilities(name=b"x", smtputf8=True)),
    (b"250-x\r\n250 SIZE 1_0\r\n", Capabilities(name=b"x", has_size=True, odd_sizes=(b"1_0",))),
    (
        b"250-x\r\n250-SIZE 10\r\n250-SIZE 0\r\n250-SIZE 1x\r\n250-SIZE\r\n250-AUTH\r\n250 AUTH= a\r\n",
        Capabilities(name=b"x", has_size=True, odd_sizes=(b"1x",), logins=(b"", b" a")),
    ),
    (b"what is it\r\n250-x\r\n250 DSN\r\n", Capabilities(name=b"is", dsn=True)),
    (b"250\r\n", Capabilities()),
]


@pytest.mark.parametrize(("data", "expected"), OFFERS)
def test_capabilities(data: bytes, expected: Capabilities) -> None:
    """Keywords in any case; numbers are digits."""
    reader = ReplyReader()
    reader.feed(data)
    reply = reader.next_reply()
    assert reply is not None
    assert expected == read_capabilities(reply)


def test_discarded_keywords() -> None:
    """smtp_discard_ehlo_keywords."""
    reply = ServerReply(250, (b"250-mx", b"250-PIPELINING", b"250 DSN"))
    assert Capabilities(name=b"mx", dsn=True) == read_capabilities(reply, discarded={"PIPELINING"})


def text_of(octets: bytes) -> bytes:
    """A line's octets."""
    return octets.replace(b"\r", b"").replace(b"\n", b"")


lines = st.lists(
    st.binary(max_size=30).map(text_of) | st.integers(0, 3000).map(lambda length: b"." * length), max_size=20
)


@given(lines, st.integers(1, 50), st.integers(1, 4))
def test_content_comes_out_as_it_went_in(content: list[bytes], chunk: int, blocks: int) -> None:
    """`stuff()` and the server's DataReader undo each other."""
    cut = [content[at : at + blocks] for at in range(0, len(content), blocks)]
    sent = b"".join(stuff((crlf(part) for part in cut), line_limit=0)) + b".\r\nQUIT\r\n"
    reader, received = DataReader(), b""
    for at in range(0, len(sent), chunk):
        if reader.ended:
            break
        received += reader.feed(sent[at : at + chunk])
    assert reader.ended
    assert crlf(content) == received


def crlf(content: list[bytes]) -> bytes:
    """Lines with their ends."""
    return b"".join(line + b"\r\n" for line in content)


def test_large_content_goes_in_blocks() -> None:
    """Memory stays bounded, and dots at the beginning of a block are doubled, too."""
    blocks = list(stuff(in_blocks([b".x"] * 100_000)))
    assert len(blocks) > 3
    assert b"..x\r\n" * 100_000 == b"".join(blocks)


def test_long_lines_are_broken() -> None:
    """smtp_line_length_limit: CRLF and a blank."""
    assert [b"abcd\r\n ef\r\n"] == list(stuff([b"abcdef\r\n"], line_limit=4))
    assert [b"abcdef\r\n"] == list(stuff([b"abcdef\r\n"], line_limit=0))
    assert [b".....\r\n ..\r\n"] == list(stuff([b"......\r\n"], line_limit=4))  # the first dot is doubled
    assert [b"abcd\r\n efg\r\n h\r\n"] == list(stuff([b"abcdefgh\r\n"], line_limit=4))  # the blank counts


@given(st.lists(st.integers(0, 30), max_size=12), st.integers(1, 12), st.integers(1, 4))
def test_lines_are_broken_wherever_they_stand(lengths: list[int], limit: int, blocks: int) -> None:
    """As line by line; told once, if at all."""
    content = [b"abcdefghijklmnopqrstuvwxyz0123456789"[:length] for length in lengths]
    told: list[None] = []
    cut = [crlf(content[at : at + blocks]) for at in range(0, len(content), blocks)]
    sent = b"".join(stuff(cut, line_limit=limit, broken=lambda: told.append(None)))
    expected = b""
    for line in content:
        expected += line[:limit]
        step = max(1, limit - 1)
        expected += (
            b"".join(b"\r\n " + line[at : at + step] for at in range(limit, len(line), step)) + b"\r\n"
        )
    assert sent == expected
    assert bool(told) is any(length > limit for length in lengths)
    assert len(told) <= 1


def test_xtext() -> None:
    """RFC 3461 §4"""
    assert b"a+2Bb+3Dc+20d+C3" == xtext(b"a+b=c d\xc3")

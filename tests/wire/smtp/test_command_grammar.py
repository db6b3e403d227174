"""Command lines: what they say, and what is said of those that say nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.vocabulary.address import NULL_ADDRESS, Address
from pillarbox.vocabulary.envelope import Notify, Ret
from pillarbox.vocabulary.reply import Reply
from pillarbox.wire.smtp.command_grammar import Grammar, parse_command
from pillarbox.wire.smtp.commands import (
    Auth,
    Bdat,
    Data,
    Ehlo,
    Etrn,
    Helo,
    Help,
    MailFrom,
    Noop,
    Quit,
    RcptTo,
    Refused,
    Request,
    Rset,
    StartTls,
    Vrfy,
)
from pillarbox.wire.smtp.dsn_parameters import decode_xtext

A = Address(b"a", b"b.c")
DOTTED = b"x" * 64 + b"@" + b"y" * 60 + b".z"

GOOD: list[tuple[bytes, Request]] = [
    (b"HELO c.test", Helo(b"c.test")),
    (b"helo  c.test ", Helo(b"c.test")),
    (b"EHLO [192.0.2.1]", Ehlo(b"[192.0.2.1]")),
    (b"EHLO a b", Ehlo(b"a b")),
    (b"MAIL FROM:<a@b.c>", MailFrom(A, b"a@b.c")),
    (b"mail from: <a@b.c>", MailFrom(A, b"a@b.c")),
    (b"MAIL FROM:a@b.c", MailFrom(A, b"a@b.c", brackets=False)),
    (b"MAIL FROM:<>", MailFrom(NULL_ADDRESS, b"")),
    (b"MAIL FROM:< >", MailFrom(NULL_ADDRESS, b" ")),
    (b"MAIL FROM:(none)", MailFrom(NULL_ADDRESS, b"(none)", brackets=False)),
    (b"MAIL FROM:<a(c)@b.c(d)>", MailFrom(A, b"a(c)@b.c(d)")),
    (b"MAIL FROM:<name <a@b.c>>", MailFrom(A, b"name <a@b.c>")),
    (b"MAIL FROM:x<a@b.c>", MailFrom(A, b"x<a@b.c>", brackets=False)),
    (b"MAIL FROM:<some: a@b.c;>", MailFrom(A, b"some: a@b.c;")),
    (b"MAIL FROM:<;a@b.c>", MailFrom(A, b";a@b.c")),
    (b"MAIL FROM:<a@b.c;>", MailFrom(A, b"a@b.c;")),
    (b"MAIL FROM:<a]@b.c>", MailFrom(Address(b"a]", b"b.c"), b"a]@b.c")),
    (b"MAIL FROM:<a:x@b.c>", MailFrom(Address(b"a:x", b"b.c"), b"a:x@b.c")),
    (b"MAIL FROM:<a@>", MailFrom(Address(b"a@", b""), b"a@")),
    (b"MAIL FROM:<a@-b>", MailFrom(Address(b"a", b"-b"), b"a@-b")),
    (b"MAIL FROM:<@x,@y:a@b.c>", MailFrom(A, b"@x,@y:a@b.c")),
    (b"MAIL FROM:<a@b@c>", MailFrom(Address(b"a@b", b"c"), b"a@b@c")),
    (b"MAIL FROM:<@b.c>", MailFrom(Address(b"", b"b.c"), b"@b.c")),
    (b"MAIL FROM:<a@b.c\r>", MailFrom(A, b"a@b.c\r")),
    (b"MAIL FROM:<a!b>", MailFrom(Address(b"a!b", b""), b"a!b")),
    (b'MAIL FROM:<"a b"@c.d>', MailFrom(Address(b"a b", b"c.d"), b'"a b"@c.d')),
    (b'MAIL FROM:<"a>b"@c.d>', MailFrom(Address(b"a>b", b"c.d"), b'"a>b"@c.d')),
    (b'MAIL FROM:<"a\\"b"@c.d>', MailFrom(Address(b'a"b', b"c.d"), b'"a\\"b"@c.d')),
    (b"MAIL FROM:<a..b.@c.d>", MailFrom(Address(b"a..b.", b"c.d"), b"a..b.@c.d")),
    (b"MAIL FROM:<postmaster>", MailFrom(Address(b"postmaster", b""), b"postmaster")),
    (b"MAIL FROM:<a@[192.0.2.1]>", MailFrom(Address(b"a", b"[192.0.2.1]"), b"a@[192.0.2.1]")),
    (
        "MAIL FROM:<é@ü.c> SMTPUTF8".encode(),
        MailFrom(Address("é".encode(), "ü.c".encode()), "é@ü.c".encode(), smtputf8=True),
    ),
    (b"MAIL FROM:<a@b.c> SIZE=0", MailFrom(A, b"a@b.c", size=0)),
    (b"MAIL FROM:<a@b.c> size=12 BODY=8bitmime", MailFrom(A, b"a@b.c", size=12, eight_bit=True)),
    (b"MAIL FROM:<a@b.c> BODY=7BIT", MailFrom(A, b"a@b.c", eight_bit=False)),
    (
        b"MAIL FROM:<a@b.c> RET=HDRS ENVID=x+2By+3D",
        MailFrom(A, b"a@b.c", ret=Ret.HEADERS, envelope_id=b"x+y="),
    ),
    (b"MAIL FROM:<a@b.c>  RET=full", MailFrom(A, b"a@b.c", ret=Ret.FULL)),
    (b"MAIL FROM:<a@b.c> AUTH=", MailFrom(A, b"a@b.c", auth=b"")),
    (b"MAIL FROM:<a@b.c> AUTH=<>", MailFrom(A, b"a@b.c", auth=b"<>")),
    (b"MAIL FROM:<a@b.c> AUTH=u+2B@x", MailFrom(A, b"a@b.c", auth=b"u+2B@x")),
    (b"RCPT TO:<a@b.c>", RcptTo(A, b"a@b.c")),
    (b"RCPT TO: a@b.c", RcptTo(A, b"a@b.c", brackets=False)),
    (b"rcpt to:<" + DOTTED + b">", RcptTo(Address.parse(DOTTED), DOTTED)),
    (b"RCPT TO:<a@b.c> NOTIFY=NEVER", RcptTo(A, b"a@b.c", Notify.NEVER)),
    (b"RCPT TO:<a@b.c> NOTIFY=success,DELAY", RcptTo(A, b"a@b.c", Notify.SUCCESS | Notify.DELAY)),
    (b"RCPT TO:<a@b.c> NOTIFY=DELAY,DELAY", RcptTo(A, b"a@b.c", Notify.DELAY)),
    (b"RCPT TO:<a@b.c> ORCPT=rfc822;", RcptTo(A, b"a@b.c", dsn_original=b"rfc822;")),
    (b"RCPT TO:<a@b.c> ORCPT=rfc822;x+2By@d.e", RcptTo(A, b"a@b.c", dsn_original=b"rfc822;x+y@d.e")),
    (
        b"RCPT TO:<a@b.c> ORCPT=utf-8;\\x{E9}x@d.e",
        RcptTo(A, b"a@b.c", dsn_original="utf-8;éx@d.e".encode()),
    ),
    ("RCPT TO:<a@b.c> ORCPT=utf-8;é@d.e".encode(), RcptTo(A, b"a@b.c", dsn_original="utf-8;é@d.e".encode())),
    (b"DATA", Data()),
    (b"data ", Data()),
    (b"BDAT 0", Bdat(0, False)),
    (b"BDAT 10 last", Bdat(10, True)),
    (b"BDAT  7  LAST ", Bdat(7, True)),
    (b"RSET", Rset()),
    (b"NOOP", Noop()),
    (b"NOOP anything at all", Noop()),
    (b"VRFY a@b.c", Vrfy(A, b"a@b.c")),
    (b"VRFY <a@b.c>", Vrfy(A, b"<a@b.c>")),
    (b"VRFY a@b.c smtputf8", Vrfy(A, b"a@b.c", smtputf8=True)),
    (b"VRFY root", Vrfy(Address(b"root", b""), b"root")),
    (b"ETRN b.c", Etrn(b"b.c")),
    (b"HELP MAIL", Help()),
    (b"QUIT", Quit()),
    (b"quit now", Quit()),
    (b"STARTTLS", StartTls()),
    (b"AUTH PLAIN", Auth(b"PLAIN", None)),
    (b"auth plain AGEAYg==", Auth(b"plain", b"AGEAYg==")),
    (b"AUTH LOGIN =", Auth(b"LOGIN", b"=")),
]


@pytest.mark.parametrize(("line", "command"), GOOD, ids=[repr(row[0][:40]) for row in GOOD])
def test_good_commands(line: bytes, command: Request) -> None:
    """RFC 5321 §4.1 and the extensions, as lenient as Postfix."""
    assert parse_command(line) == command


BAD = [
    (b"", b"", 500, b"5.5.2 Error: bad syntax"),
    (b"FOO", b"UNKNOWN", 500, b"5.5.2 Error: command not recognized"),
    (b"MAILFROM:<a@b.c>", b"UNKNOWN", 500, b"5.5.2 Error: command not recognized"),
    (b"\xff\xfe", b"", 500, b"5.5.2 Error: bad UTF-8 syntax"),
    (b"HELO", b"HELO", 501, b"Syntax: HELO hostname"),
    (b"EHLO ", b"EHLO", 501, b"Syntax: EHLO hostname"),
    (b"MAIL", b"MAIL", 501, b"5.5.4 Syntax: MAIL FROM:<address>"),
    (b"MAIL TO:<a@b.c>", b"MAIL", 501, b"5.5.4 Syntax: MAIL FROM:<address>"),
    (b"MAIL FROM <a@b.c>", b"MAIL", 501, b"5.5.4 Syntax: MAIL FROM:<address>"),
    (b"MAIL FROM:", b"MAIL", 501, b"5.5.4 Syntax: MAIL FROM:<address>"),
    (b"MAIL FROM:<a@b.c", b"MAIL", 501, b"5.1.7 Bad sender address syntax"),
    (b"MAIL FROM:<a@b.c>x", b"MAIL", 501, b"5.1.7 Bad sender address syntax"),
    (b"MAIL FROM:<a b@c.d>", b"MAIL", 501, b"5.1.7 Bad sender address syntax"),
    (b"MAIL FROM:<a\x00@b.c>", b"MAIL", 501, b"5.1.7 Bad sender address syntax"),
    (b"MAIL FROM:<a@b.c> SIZE=x", b"MAIL", 501, b"5.5.4 Bad message size syntax"),
    (b"MAIL FROM:<a@b.c> SIZE=-1", b"MAIL", 501, b"5.5.4 Bad message size syntax"),
    (b"MAIL FROM:<a@b.c> SIZE=1_0", b"MAIL", 501, b"5.5.4 Bad message size syntax"),
    (b"MAIL FROM:<a@b.c> SIZE=" + b"1" * 41, b"MAIL", 501, b"5.5.4 Bad message size syntax"),
    (
        b"MAIL FROM:<a@b.c> SIZE=" + b"9" * 20,
        b"MAIL",
        552,
        b"5.3.4 Message size exceeds file system imposed limit",
    ),
    (b"MAIL FROM:<a@b.c> BODY=BINARYMIME", b"MAIL", 555, b"5.5.4 Unsupported option: BODY=BINARYMIME"),
    (b"MAIL FROM:<a@b.c> FOO=1", b"MAIL", 555, b"5.5.4 Unsupported option: FOO=1"),
    (b"MAIL FROM:<a@b.c> SIZE", b"MAIL", 555, b"5.5.4 Unsupported option: SIZE"),
    (b"MAIL FROM:<a@b.c> SMTPUTF8=1", b"MAIL", 555, b"5.5.4 Unsupported option: SMTPUTF8=1"),
    (b"MAIL FROM:<a@b.c> RET=x", b"MAIL", 501, b"5.5.4 Bad RET parameter syntax"),
    (b"MAIL FROM:<a@b.c> RET=FULL RET=HDRS", b"MAIL", 501, b"5.5.4 Bad RET parameter syntax"),
    (b"MAIL FROM:<a@b.c> ENVID=a+zz", b"MAIL", 501, b"5.5.4 Bad ENVID parameter syntax"),
    (b"MAIL FROM:<a@b.c> ENVID=a+00b", b"MAIL", 501, b"5.5.4 Bad ENVID parameter syntax"),
    (b"MAIL FROM:<a@b.c> ENVID=a+0Ab", b"MAIL", 501, b"5.5.4 Bad ENVID parameter syntax"),
    (b"RCPT", b"RCPT", 501, b"5.5.4 Syntax: RCPT TO:<address>"),
    (b"RCPT FROM:<a@b.c>", b"RCPT", 501, b"5.5.4 Syntax: RCPT TO:<address>"),
    (b"RCPT TO:<>", b"RCPT", 501, b"5.1.3 Bad recipient address syntax"),
    (b"RCPT TO:", b"RCPT", 501, b"5.5.4 Syntax: RCPT TO:<address>"),
    (b"RCPT TO:<a@b.c> NOTIFY=x", b"RCPT", 501, b"5.5.4 Error: Bad NOTIFY parameter syntax"),
    (b"RCPT TO:<a@b.c> NOTIFY=", b"RCPT", 501, b"5.5.4 Error: Bad NOTIFY parameter syntax"),
    (b"RCPT TO:<a@b.c> NOTIFY=NEVER,DELAY", b"RCPT", 501, b"5.5.4 Error: Bad NOTIFY parameter syntax"),
    (b"RCPT TO:<a@b.c> ORCPT=x", b"RCPT", 501, b"5.5.4 Error: Bad ORCPT parameter syntax"),
    (b"RCPT TO:<a@b.c> ORCPT=rfc822;a+00", b"RCPT", 501, b"5.5.4 Error: Bad ORCPT parameter syntax"),
    (b"RCPT TO:<a@b.c> ORCPT=utf-8;\\x{0A}", b"RCPT", 501, b"5.5.4 Error: Bad ORCPT parameter syntax"),
    (b"RCPT TO:<a@b.c> ORCPT=utf-8;\\x{D800}", b"RCPT", 501, b"5.5.4 Error: Bad ORCPT parameter syntax"),
    (b"RCPT TO:<a@b.c> ORCPT=utf-8;\xff", b"", 500, b"5.5.2 Error: bad UTF-8 syntax"),
    (b"RCPT TO:<a@b.c> SIZE=1", b"RCPT", 555, b"5.5.4 Unsupported option: SIZE=1"),
    (b"DATA now", b"DATA", 501, b"5.5.4 Syntax: DATA"),
    (b"BDAT", b"BDAT", 521, b"5.5.4 Syntax: BDAT count [LAST]"),
    (b"BDAT x", b"BDAT", 521, b"5.5.4 Syntax: BDAT count [LAST]"),
    (b"BDAT -1", b"BDAT", 521, b"5.5.4 Syntax: BDAT count [LAST]"),
    (b"BDAT 1 FIRST", b"BDAT", 521, b"5.5.4 Syntax: BDAT count [LAST]"),
    (b"BDAT " + b"9" * 16, b"BDAT", 521, b"5.5.4 Syntax: BDAT count [LAST]"),
    (b"RSET x", b"RSET", 501, b"5.5.4 Syntax: RSET"),
    (b"VRFY", b"VRFY", 501, b"5.5.4 Syntax: VRFY address [SMTPUTF8]"),
    (b"VRFY <>", b"VRFY", 501, b"5.1.3 Bad recipient address syntax"),
    (b"ETRN", b"ETRN", 500, b"Syntax: ETRN domain"),
    (b"STARTTLS x", b"STARTTLS", 501, b"5.5.4 Syntax: STARTTLS"),
    (b"AUTH", b"AUTH", 501, b"5.5.4 Syntax: AUTH mechanism"),
    (b"AUTH PLAIN a b", b"AUTH", 501, b"5.5.4 Syntax: AUTH mechanism"),
]


@pytest.mark.parametrize(("line", "verb", "code", "text"), BAD, ids=[repr(row[0][:40]) for row in BAD])
def test_bad_commands(line: bytes, verb: bytes, code: int, text: bytes) -> None:
    """Each is told what is wrong with it, in Postfix's words, and counted under its verb."""
    refused = parse_command(line)
    assert isinstance(refused, Refused)
    assert (refused.verb, refused.reply.code, refused.reply.text) == (verb, code, (text,))


@pytest.mark.parametrize(
    "line",
    [
        b"MAIL FROM:a@b.c",
        b"RCPT TO:a@b.c",
        b"RCPT TO:<@b.c>",
        b"RCPT TO:<a(c)@b.c>",
        b"RCPT TO:<some: a@b.c;>",
        b"RCPT TO:<<a@b.c>,>",
    ],
)
def test_strict_envelopes_have_angle_brackets(line: bytes) -> None:
    """strict_rfc821_envelopes; and local parts, and nothing beside an address."""
    refused = parse_command(line, Grammar(strict=True))
    assert isinstance(refused, Refused)
    assert refused.reply.code == 501


def test_without_smtputf8_enable() -> None:
    """RFC 6531 is not offered then: its options are unknown, and octets beyond ASCII are anybody's."""
    grammar = Grammar(smtputf8=False, names_smtputf8=False)
    refused = parse_command(b"MAIL FROM:<a@b.c> SMTPUTF8", grammar)
    assert isinstance(refused, Refused)
    assert refused.reply.text == (b"5.5.4 Unsupported option: SMTPUTF8",)
    refused = parse_command(b"VRFY", grammar)
    assert isinstance(refused, Refused)
    assert refused.reply.text == (b"5.5.4 Syntax: VRFY address",)
    assert parse_command(b"HELO \xff", grammar) == Helo(b"\xff")


@pytest.mark.parametrize(
    ("line", "is_taken_away"), [(b"VRFY", False), (b"VRFY", True), (b"VRFY SMTPUTF8", False)]
)
def test_vrfy_without_address(line: bytes, is_taken_away: bool) -> None:
    """What is named is what smtputf8_enable brings, also if EHLO does not offer it."""
    refused = parse_command(line, Grammar(smtputf8=not is_taken_away))
    assert isinstance(refused, Refused)
    assert refused.reply == Reply(501, (b"5.5.4 Syntax: VRFY address [SMTPUTF8]",))


@pytest.mark.parametrize(
    "line",
    [
        b"MAIL FROM:<a@b.c> RET=FULL",
        b"MAIL FROM:<a@b.c> ENVID=no+xtext",
        b"RCPT TO:<a@b.c> NOTIFY=NEVER",
        b"RCPT TO:<a@b.c> ORCPT=rfc822;a@b.c",
    ],
)
def test_without_dsn(line: bytes) -> None:
    """smtpd_discard_ehlo_keywords = dsn: a client that asks for it all the same is told."""
    refused = parse_command(line, Grammar(dsn=False))
    assert isinstance(refused, Refused)
    assert refused.reply == Reply(501, (b"5.7.1 DSN support is disabled",))


def test_without_chunking() -> None:
    """smtpd_discard_ehlo_keywords = chunking: nobody knows what follows, so 521 ends the session."""
    refused = parse_command(b"BDAT 3 LAST", Grammar(chunking=False))
    assert isinstance(refused, Refused)
    assert refused.reply == Reply(521, (b"5.5.1 Error: command not implemented",))


@given(st.binary(max_size=60))
def test_any_line_is_a_command_or_refused(line: bytes) -> None:
    """No line raises, and what is echoed is one line of a legal length."""
    for verb in (
        b"",
        b"MAIL FROM:<a@b.c> ",
        b"RCPT TO:<a@b.c> ORCPT=",
        b"MAIL FROM:",
        b"BDAT ",
        b"AUTH ",
        b"VRFY ",
    ):
        command = parse_command(verb + line)
        if isinstance(command, Refused):
            encoded = command.reply.encode()
            assert encoded.count(b"\n") == encoded.count(b"\r") == 1
            assert len(encoded) <= 512


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40))
def test_xtext_round_trip(text: str) -> None:
    """RFC 3461 §4: `+` and `=` and blanks are written in hex."""
    octets = text.encode()
    encoded = b"".join(b"+%02X" % octet if octet in b"+= " else bytes((octet,)) for octet in octets)
    assert decode_xtext(encoded) == octets


@given(st.binary(max_size=30))
def test_xtext_hides_no_controls(text: bytes) -> None:
    """What is decoded can stand in a queue file, a log and a bounce."""
    try:
        decoded = decode_xtext(text)
    except ValueError:
        return
    assert all(octet >= 0x20 and octet != 0x7F for octet in decoded)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"MAIL FROM:<a@b.c> XVERP", b"+="),
        (b"MAIL FROM:<a@b.c> XVERP=-=", b"-="),
        (b"MAIL FROM:<a@b.c> xverp", b"+="),
        (b"MAIL FROM:<a@b.c> XVERP=", b"501 5.5.4 Error: XVERP needs two characters from -=+"),
        (b"MAIL FROM:<a@b.c> XVERP=+", b"501 5.5.4 Error: XVERP needs two characters from -=+"),
        (b"MAIL FROM:<a@b.c> XVERP=+/", b"501 5.5.4 Error: XVERP needs two characters from -=+"),
        (b"MAIL FROM:<> XVERP", b"503 5.5.4 Error: XVERP requires non-null sender"),
    ],
)
def test_xverp(line: bytes, expected: bytes) -> None:
    """VERP_README: for clients that may; others hear of an option that is not supported."""
    command = parse_command(line, Grammar(verp=b"+="))
    if isinstance(command, Refused):
        assert b"%d %s" % (command.reply.code, command.reply.text[0]) == expected
    else:
        assert isinstance(command, MailFrom)
        assert command.verp == expected
    refused = parse_command(line, Grammar())
    assert isinstance(refused, Refused)
    assert refused.reply.code == 555


@pytest.mark.parametrize(
    ("line", "is_remembered"),
    [
        (b"MAIL FROM:<known@b.c> SIZE=5", True),
        (b"rcpt to:<known@b.c>", True),
        (b"DATA", True),
        (b"RSET", True),
        (b"MAIL FROM:<" + b"x" * 200 + b"@b.c>", False),
        (b"AUTH PLAIN AGEAc2VjcmV0", False),
        (b" AUTH PLAIN AGEAc2VjcmV0", False),
        (b"XFORWARD ADDR=192.0.2.1", False),
    ],
)
def test_what_was_said_before(line: bytes, is_remembered: bool) -> None:
    """Lines of mail transactions are parsed once, unless they are long; what may hold a password is not kept."""
    command = parse_command(bytes(line), Grammar(strict=True))
    again = parse_command(bytes(bytearray(line)), Grammar(strict=True))
    assert command == again
    assert (command is again) == is_remembered


def test_grammars_are_not_mixed_up() -> None:
    """A line that one client may say is refused to another."""
    line = b"MAIL FROM:<known@b.c> RET=HDRS"
    assert isinstance(parse_command(line, Grammar()), MailFrom)
    assert isinstance(parse_command(line, Grammar(dsn=False)), Refused)
    assert isinstance(parse_command(line, Grammar()), MailFrom)

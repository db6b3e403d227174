"""Log lines are an interface: fail2ban, pflogsumm and exporters read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.observability import events as e
from pillarbox.observability.log_lines import delay_text, printable, render

C = "client.test[192.0.2.7]"

LINES: list[tuple[e.Event, str, str]] = [
    (e.ClientConnected(C), "smtpd", f"connect from {C}"),
    (
        e.ClientDisconnected(C, (("ehlo", 1, 1), ("auth", 0, 1), ("rcpt", 1, 2))),
        "smtpd",
        f"disconnect from {C} ehlo=1 auth=0/1 rcpt=1/2 commands=2/4",
    ),
    (e.ClientDisconnected(C, ()), "smtpd", f"disconnect from {C} commands=0/0"),
    (e.ClientLost("lost connection", "RCPT", C), "smtpd", f"lost connection after RCPT from {C}"),
    (e.ClientLost("timeout", "DATA", C), "smtpd", f"timeout after DATA from {C}"),
    (
        e.ImproperPipelining("EHLO", C, b"MAIL FROM:<a\\b>\r\n\x81\x011"),
        "smtpd",
        f"improper command pipelining after EHLO from {C}: MAIL FROM:<a\\\\b>\\r\\n\\201\\0011",
    ),
    (e.NotSmtp(C, b"GET / HTTP/1.1"), "smtpd", f"warning: non-SMTP command from {C}: GET / HTTP/1.1"),
    (e.MessageBegun("4ABC", C), "smtpd", f"4ABC: client={C}"),
    (
        e.MessageBegun("4ABC", C, "PLAIN", "me", "x@y"),
        "smtpd",
        f"4ABC: client={C}, sasl_method=PLAIN, sasl_username=me, sasl_sender=x@y",
    ),
    (
        e.CommandRefused("", "RCPT", C, b"454 4.7.1 <x@y>: Relay access denied", b"", b"x@y", "ESMTP", b"h"),
        "smtpd",
        f"NOQUEUE: reject: RCPT from {C}: 454 4.7.1 <x@y>: Relay access denied; from=<> to=<x@y> proto=ESMTP helo=<h>",
    ),
    (
        e.CommandRefused("", "CONNECT", C, b"554 5.7.1 no", None, None, "SMTP", b""),
        "smtpd",
        f"NOQUEUE: reject: CONNECT from {C}: 554 5.7.1 no; proto=SMTP",
    ),
    (
        e.AuthenticationFailed(C, "PLAIN", "", ""),
        "smtpd",
        f"warning: {C}: SASL PLAIN authentication failed: (reason unavailable), sasl_username=(unavailable)",
    ),
    (
        e.TlsEstablished("from", C, "TLSv1.3", "TLS_AES_256_GCM_SHA384", 256),
        "smtpd",
        f"Anonymous TLS connection established from {C}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
    ),
    (e.MessageIdSeen("4ABC", b"<1@x>"), "cleanup", "4ABC: message-id=<1@x>"),
    (e.MessageActive("4ABC", b"a@b", 1234, 2), "qmgr", "4ABC: from=<a@b>, size=1234, nrcpt=2 (queue active)"),
    (e.MessageRemoved("4ABC"), "qmgr", "4ABC: removed"),
    (e.MessageExpired("4ABC", b""), "qmgr", "4ABC: from=<>, status=expired, returned to sender"),
    (
        e.MessageExpired("4ABC", b"a@b", is_forced=True),
        "qmgr",
        "4ABC: from=<a@b>, status=force-expired, returned to sender",
    ),
    (
        e.AttemptMade("virtual", "4ABC", b"a@b", b"a@b", "virtual", (0.1, 0.004, 0, 0.52), "2.0.0", "sent", "delivered to maildir"),
        "virtual",
        "4ABC: to=<a@b>, relay=virtual, delay=0.62, delays=0.1/0/0/0.52, dsn=2.0.0, status=sent (delivered to maildir)",
    ),
    (
        e.AttemptMade("error", "4ABC", b"a@b", b"o@b", "none", (12.3, 0, 0, 0), "5.1.1", "bounced", "no"),
        "error",
        "4ABC: to=<a@b>, orig_to=<o@b>, relay=none, delay=12, delays=12/0/0/0, dsn=5.1.1, status=bounced (no)",
    ),
    (
        e.BounceQueued("4ABC", "4ABD", "sender non-delivery notification"),
        "bounce",
        "4ABC: sender non-delivery notification: 4ABD",
    ),
    (
        e.LoggedIn("imap", "me", "PLAIN", "192.0.2.7", "192.0.2.1", 42, "TLS", "abc"),
        "dovecot",
        "imap-login: Info: Login: user=<me>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=42, TLS, session=<abc>",
    ),
    (
        e.PasswordRefused("passwd-file", "me", "192.0.2.7", "abc", "Password mismatch"),
        "dovecot",
        "auth: Info: passwd-file(me,192.0.2.7,<abc>): Password mismatch",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("event", "program", "text"),
    LINES,
    ids=[f"{number} {type(row[0]).__name__}" for number, row in enumerate(LINES)],
)
def test_lines_are_those_of_postfix_and_dovecot(event: e.Event, program: str, text: str) -> None:
    """To the letter."""
    assert render(event) == (program, text)


DELAYS = [
    (0, "0"),
    (0.004, "0"),
    (0.05, "0.05"),
    (0.123, "0.12"),
    (0.0049999, "0"),
    (0.005, "0.01"),
    (0.0995, "0.1"),
    (1.25, "1.3"),
    (9.96, "10"),
    (35.4, "35"),
    (35.5, "36"),
    (4000, "4000"),
    (-0.5, "0"),
]


@pytest.mark.parametrize(("seconds", "text"), DELAYS)
def test_delays_have_two_digits(seconds: float, text: str) -> None:
    """delay_logging_resolution_limit = 2, rounded as Postfix's format_tv() does."""
    assert delay_text(seconds) == text


FINE_DELAYS = [
    (0.001234, 6, "0.0012"),
    (0.000001, 6, "0.000001"),
    (0.0129, 6, "0.013"),
    (1.25, 6, "1.3"),
    (0.4, 0, "0"),
    (0.5, 0, "1"),
    (3.4, 0, "3"),
    (0.05, 1, "0.1"),
    (0.04, 1, "0"),
    (0.00049, 3, "0"),
    (0.0005, 3, "0.001"),
]


@pytest.mark.parametrize(("seconds", "digits", "text"), FINE_DELAYS)
def test_delays_with_other_resolutions(seconds: float, digits: int, text: str) -> None:
    """delay_logging_resolution_limit."""
    assert delay_text(seconds, digits) == text
    event = e.AttemptMade("smtp", "A1", b"r@x", b"r@x", "none", (seconds, 0, 0, 0), "4.0.0", "deferred", "no")
    rendered = render(event, digits=digits)
    assert rendered is not None
    assert f"delay={text}, delays={text}/0/0/0, dsn" in rendered[1]


UNQUOTED: list[tuple[e.Event, str]] = [
    (
        e.AttemptMade(
            "smtp", "A1", b'"a b"@x', b'"c\\"d"@x', "none", (0, 0, 0, 0), "4.0.0", "deferred", "no"
        ),
        'A1: to=<a b@x>, orig_to=<c"d@x>, relay=none',
    ),
    (e.MessagePickedUp("A1", 7, b'"a b"@x', ""), "A1: uid=7 from=<a b@x>"),
    (e.CommandRefused("", "RCPT", C, b"550 No", b'"a b"@x', b'"c', "ESMTP", b""), ' from=<a b@x> to=<"c>'),
]


@pytest.mark.parametrize(("event", "shown"), UNQUOTED)
def test_addresses_without_quotes(event: e.Event, shown: str) -> None:
    """info_log_address_format = internal; what is no address stays as it was said."""
    rendered = render(event, internal=True)
    assert rendered is not None
    assert shown in rendered[1]
    external = render(event)
    assert external is not None
    assert '"a b"@x' in external[1]


@given(st.binary(max_size=80))
def test_no_octets_break_a_line(octets: bytes) -> None:
    """Whatever a peer sends stays on its line, for every reader's idea of a line."""
    told: list[e.Event] = [
        e.NotSmtp(C, octets),
        e.ImproperPipelining("EHLO", C, octets),
        e.MessageIdSeen("4ABC", octets),
        e.CommandRefused("", "RCPT", C, b"550 " + octets, octets, octets, "ESMTP", octets),
        e.AuthenticationFailed(C, "PLAIN", "no", octets.decode("utf-8", "replace")),
    ]
    for event in told:
        rendered = render(event)
        assert rendered is not None
        assert len(rendered[1].splitlines()) == 1
        assert all(character >= " " and character != "\x7f" for character in rendered[1])


FORGED = [b"x> to=<a@b> proto=ESMTP helo=<y", b"x; from=<a>", b"a, status=sent"]


@pytest.mark.parametrize("helo", FORGED)
def test_a_greeting_is_one_field(helo: bytes) -> None:
    """A HELO name ends neither its field nor the list of them."""
    rendered = render(e.CommandRefused("", "RCPT", C, b"550 no", b"", b"a@b", "SMTP", helo))
    assert rendered is not None
    last = rendered[1].rpartition(" ")[2]
    assert last.startswith("helo=<")
    assert last.count("<") == last.count(">") == 1


@given(st.text(max_size=30))
def test_printable_keeps_what_is_printable(text: str) -> None:
    """Letters of any script stay; lengths do not change."""
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(a == b or b == "?" for a, b in zip(text, shown, strict=True))


@pytest.mark.parametrize(
    ("octets", "shown"),
    [(b"gr\xfc\xdfe", "gr??e"), (b"gr\xc3\xbc\xc3", "grü?"), (b"\xe2\x82 \xf0\x9f\x98", "?? ???")],
)
def test_octets_that_are_no_utf8_are_question_marks(octets: bytes, shown: str) -> None:
    """One for each, as in Postfix's log, whether they come as octets or as text that was made of them."""
    assert printable(octets) == printable(octets.decode("utf-8", "surrogateescape")) == shown

"""SMTP sessions from greeting to goodbye: replies, log lines, and what is in the queue afterwards."""

import gc
from pathlib import Path

import pytest

from fakes.smtp_conversation import CLIENT, converse
from fakes.smtp_words import DATA, HELLO, MAIL, QUIT, RCPT, TEXT, after_hello
from pillarbox.vocabulary.envelope import Notify


def test_a_message_is_in_the_queue_when_it_is_said_to_be(tmp_path: Path) -> None:
    """250 with a queue id; a file of that name with envelope, trace and content; Postfix's log lines."""
    done = converse(tmp_path / "q", [*DATA, QUIT])
    (queue_id,) = done.queued
    assert after_hello(done.replies) == [
        "250 2.1.0 Ok",
        "250 2.1.5 Ok",
        "354 End data with <CR><LF>.<CR><LF>",
        f"250 2.0.0 Ok: queued as {queue_id}",
        "221 2.0.0 Bye",
    ]
    assert done.incoming == [queue_id]
    message, lines = done.message()
    assert (message.sender, [r.address for r in message.recipients]) == (b"a@b.test", [b"me@box.test"])
    assert lines == [
        b"Received: from c.test (client.test [192.0.2.7])",
        b"\tby mx.test (Postfix) with ESMTP id " + queue_id.encode(),
        b"\tfor <me@box.test>; Fri, 15 Jan 2027 08:00:00 +0000 (UTC)",
        b"Subject: x",
        b"",
        b"body",
    ]
    assert done.lines == [
        f"connect from {CLIENT}",
        f"{queue_id}: client={CLIENT}",
        f"{queue_id}: message-id=<>",
        f"disconnect from {CLIENT} ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5",
    ]


def test_a_message_leaves_nothing_to_the_cycle_collector(tmp_path: Path) -> None:
    """Objects that refer to each other cost a tenth of smtpd's time, and now and then made everybody wait for 20 ms."""

    def garbage(messages: int) -> int:
        sent = [HELLO, *[MAIL + RCPT + b"DATA\r\n", TEXT] * messages, QUIT]
        gc.collect()
        gc.disable()
        try:
            done = converse(tmp_path / f"q{messages}", sent, settings={"always_add_missing_headers": "yes"})
            return gc.collect()
        finally:
            gc.enable()
            assert len(done.queued) == messages

    assert garbage(41) - garbage(1) < 40


def test_any_packets_make_the_same_message(tmp_path: Path) -> None:
    """A client may send each octet on its own; then nothing is pipelined, and nothing else changes."""
    octets = [bytes((octet,)) for octet in b"".join([*DATA, QUIT])]
    done = converse(tmp_path / "q", octets)
    assert after_hello(done.replies)[-1] == "221 2.0.0 Bye"
    assert done.message()[1][-3:] == [b"Subject: x", b"", b"body"]


def test_ehlo_offers_what_postfix_offers_in_its_order(tmp_path: Path) -> None:
    """smtpd_discard_ehlo_keywords and smtpd_tls_auth_only take away."""
    done = converse(tmp_path / "q", [HELLO, QUIT], tls=True)
    assert done.replies[:-1] == [
        "250-mx.test", "250-PIPELINING", "250-SIZE 10240000", "250-VRFY", "250-ETRN", "250-STARTTLS",
        "250-AUTH PLAIN LOGIN", "250-ENHANCEDSTATUSCODES", "250-8BITMIME", "250-DSN", "250-SMTPUTF8",
        "250 CHUNKING",
    ]  # fmt: skip
    less = {"smtpd_discard_ehlo_keywords": "chunking, silent-discard", "smtpd_tls_auth_only": "yes"}
    done = converse(tmp_path / "q", [HELLO, QUIT], tls=True, settings=less)
    assert "250-AUTH PLAIN LOGIN" not in done.replies
    assert done.replies[-2] == "250 SMTPUTF8"


RECIPIENTS = [
    ("a mailbox", "me@box.test", "250 2.1.5 Ok"),
    ("in any case", "ME@Box.Test", "250 2.1.5 Ok"),
    ("an alias", "info@box.test", "250 2.1.5 Ok"),
    ("an alias in an alias domain", "all@alias.test", "250 2.1.5 Ok"),
    ("a local user", "root@mx.test", "250 2.1.5 Ok"),
    ("postmaster without a domain", "postmaster", "250 2.1.5 Ok"),
    ("Postmaster", "Postmaster", "250 2.1.5 Ok"),
    ("a user without a domain", "root", "250 2.1.5 Ok"),
    (
        "nobody in a mailbox domain",
        "no@box.test",
        "550 5.1.1 <no@box.test>: Recipient address rejected: User unknown in virtual mailbox table",
    ),
    (
        "nobody in an alias domain",
        "no@alias.test",
        "550 5.1.1 <no@alias.test>: Recipient address rejected: User unknown in virtual alias table",
    ),
    (
        "nobody local",
        "no@mx.test",
        "550 5.1.1 <no@mx.test>: Recipient address rejected: User unknown in local recipient table",
    ),
    ("elsewhere", "x@elsewhere.test", "454 4.7.1 <x@elsewhere.test>: Relay access denied"),
    ("routed through us", "x%elsewhere.test@box.test", "454 4.7.1 <x%elsewhere.test@box.test>: Relay access denied"),
    ("a source route ends at its last stop", "@box.test:x@elsewhere.test", "454 4.7.1 <x@elsewhere.test>: Relay access denied"),
    ("two at signs", '"x@elsewhere.test"@box.test', '454 4.7.1 <x@elsewhere.test@box.test>: Relay access denied'),
    ("an address literal of another", "x@[192.0.2.99]", "454 4.7.1 <x@[192.0.2.99]>: Relay access denied"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("recipient", "reply"), [row[1:] for row in RECIPIENTS], ids=[row[0] for row in RECIPIENTS]
)
def test_a_stranger_reaches_those_we_know(recipient: str, reply: str, tmp_path: Path) -> None:
    """We are no open relay, and we bounce nothing that we can refuse."""
    rcpt = b"RCPT TO:<%s>\r\n" % recipient.encode()
    done = converse(tmp_path / "q", [HELLO, MAIL, rcpt, QUIT])
    assert after_hello(done.replies)[1] == reply
    if not reply.startswith("250"):
        shown = recipient.rpartition(":")[2]
        assert done.lines[1] == (
            f"NOQUEUE: reject: RCPT from {CLIENT}: {reply}; from=<a@b.test> to=<{shown}> proto=ESMTP helo=<c.test>"
        )
    assert done.incoming == []


ROUTED_TO_ERRORS = [  # recipient, reply to a stranger
    ("me@box.test", "550 5.7.1 <me@box.test>: Recipient address rejected: closed"),
    ("no@box.test", "550 5.7.1 <no@box.test>: Recipient address rejected: closed"),
    ("root@mx.test", "550 5.1.1 <root@mx.test>: Recipient address rejected: no code"),
    ("later@mx.test", "550 5.7.1 <later@mx.test>: Recipient address rejected: not now"),
    ("info@box.test", "250 2.1.5 Ok"),
    ("a@late.test", "450 4.3.2 <a@late.test>: Recipient address rejected: off"),
    ("a@hard.test", "450 4.1.1 <a@hard.test>: Recipient address rejected: never"),
    ('"no@box.test"@mx.test', "550 5.7.1 <no@box.test@mx.test>: Recipient address rejected: closed"),
]


@pytest.mark.parametrize(("recipient", "reply"), ROUTED_TO_ERRORS)
def test_who_is_routed_to_the_error_transport_is_refused(recipient: str, reply: str, tmp_path: Path) -> None:
    """In every class, before its tables are asked; but not who has an alias."""
    routes = "inline:{ { late.test = retry:4.3.2 off } { hard.test = retry:5.1.1 never } { box.test = error:5.7.1 closed } { mx.test = error:no code } { later@mx.test = error:4.7.1 not now } }"
    rcpt = f"RCPT TO:<{recipient}>\r\n".encode()
    settings = {"transport_maps": routes}
    done = converse(tmp_path / "q", [HELLO, MAIL, rcpt, QUIT], settings=settings, address="127.0.0.1")
    assert after_hello(done.replies)[1] == reply


def test_a_route_that_depends_on_the_sender(tmp_path: Path) -> None:
    """What it says counts at RCPT; a table that cannot be asked lets no recipient in that would only wait."""
    for table, reply in (
        (
            "inline:{ { s@b.test = error:5.7.1 closed } }",
            "550 5.7.1 <x@away.test>: Recipient address rejected: closed",
        ),
        ("fail:broken", "451 4.3.0 <x@away.test>: Temporary lookup failure"),
    ):
        done = converse(
            tmp_path / table[:4],
            [HELLO, b"MAIL FROM:<s@b.test>\r\n", b"RCPT TO:<x@away.test>\r\n", QUIT],
            settings={"sender_dependent_default_transport_maps": table},
            address="127.0.0.1",
        )
        assert after_hello(done.replies)[1] == reply


def test_a_sender_whose_tables_cannot_be_asked(tmp_path: Path) -> None:
    """He is named, not the recipient; the tables hear of where his address leads."""
    done = converse(
        tmp_path / "q",
        [HELLO, b"MAIL FROM:<Up%b.test@mx.test>\r\n", b"RCPT TO:<x@away.test>\r\n", QUIT],
        settings={"sender_canonical_maps": "fail:broken", "smtpd_reject_unlisted_sender": "yes"},
        address="127.0.0.1",
    )
    assert after_hello(done.replies)[1] == "451 4.3.0 <Up%b.test@mx.test>: Temporary lookup failure"
    assert any('fail:broken lookup error for "up@b.test"' in line for line in done.lines)


def test_who_stands_in_the_log_of_content_checks(tmp_path: Path) -> None:
    """Sender and recipient as they are queued, before aliases are expanded."""
    settings = {
        "header_checks": "regexp:{ {/^X:/ WARN seen} }",
        "canonical_maps": "inline:{ a@b.test=new@b.test, me@box.test=info@box.test }",
    }
    sent = [HELLO, MAIL, RCPT, b"DATA\r\n", b"X: y\r\n\r\nbody\r\n.\r\n", QUIT]
    done = converse(tmp_path / "q", sent, settings=settings)
    (line,) = (line for line in done.lines if "header X: y" in line)
    assert "; from=<new@b.test> to=<info@box.test> proto=ESMTP" in line


def test_an_address_is_looked_up_before_its_parameters_are_looked_at(tmp_path: Path) -> None:
    """The log has what tables could not say of it, completed as trivial-rewrite(8) is asked for it."""
    sent = [HELLO, b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d.test.> NOTIFY=\r\n", QUIT]
    settings = {"transport_maps": "fail:x", "append_dot_mydomain": "yes", "mydomain": "here.test"}
    done = converse(tmp_path / "q", sent, settings=settings, address="127.0.0.1")
    assert after_hello(done.replies)[1] == "501 5.5.4 Error: Bad NOTIFY parameter syntax"
    assert [line for line in done.lines if "lookup error" in line] == [
        'warning: fail:x lookup error for "*"',
        'warning: fail:x lookup error for "a@b.here.test"',
        'warning: fail:x lookup error for "c@d.test"',
    ]


def test_a_domain_without_a_dot_is_completed_before_it_is_judged(tmp_path: Path) -> None:
    """append_dot_mydomain: what is ours then is no relaying, and is known or not."""
    sent = [HELLO, MAIL, b"RCPT TO:<root@mx>\r\n", b"RCPT TO:<nobody@mx>\r\n", QUIT]
    settings = {
        "append_dot_mydomain": "yes",
        "mydomain": "test",
        "mydestination": "mx.test",
        "local_recipient_maps": "inline:{root=x}",
    }
    done = converse(tmp_path / "q", sent, settings=settings)
    assert after_hello(done.replies)[1:3] == [
        "250 2.1.5 Ok",
        "550 5.1.1 <nobody@mx>: Recipient address rejected: User unknown in local recipient table",
    ]


def test_whom_a_footer_names(tmp_path: Path) -> None:
    """The first recipient that was taken, at the end of the message too; what is refused is none."""
    sent = [HELLO, MAIL, b"RCPT TO:<x@away.test>\r\n", RCPT, b"RCPT TO:<y@away.test>\r\n"]
    sent += [
        b"RCPT TO:<z@box.test> NOTIFY=\r\n",
        b"DATA\r\n",
        b"X: y\r\n\r\nbody\r\n.\r\n",
        b"DATA\r\n",
        QUIT,
    ]
    settings = {
        "smtpd_reject_footer": "\\c [$sender, $recipient]",
        "smtpd_end_of_data_restrictions": "reject",
    }
    done = converse(tmp_path / "q", sent, settings=settings)
    replies = after_hello(done.replies)
    assert [reply.rpartition(" [")[2] for reply in replies if reply[0] in "45"] == [
        "a@b.test, ]",
        "a@b.test, me@box.test]",
        "a@b.test, me@box.test]",
        "a@b.test, me@box.test]",
        ", ]",
    ]


def test_restrictions_come_before_what_is_said_of_content(tmp_path: Path) -> None:
    """smtpd_end_of_data_restrictions are asked before cleanup(8) is heard; ids are logged in any case."""
    sent = [*DATA[:2], b"Message-Id: <m@x>\r\nSubject: gr\xfcn\r\n\r\nbody\r\n.\r\n", QUIT]
    settings = {"strict_7bit_headers": "yes"}
    table = "check_sender_access inline:{ {a@b.test = %s} }"
    for action, reply in (
        ("521 go", "521 5.7.1 <a@b.test>: Sender address rejected: go"),
        ("DISCARD unseen", "550 5.6.0 improper use of 8-bit data in message header"),
        ("DUNNO", "550 5.6.0 improper use of 8-bit data in message header"),
    ):
        restricted = settings | {"smtpd_end_of_data_restrictions": table % action}
        done = converse(tmp_path / action[:3], sent, settings=restricted)
        assert reply in done.replies
        assert [line.partition(": ")[2] for line in done.lines if "message-id" in line] == [
            "message-id=<m@x>"
        ]
        assert any(": discard: END-OF-MESSAGE" in line for line in done.lines) is (action == "DISCARD unseen")


def test_a_code_that_cannot_be_deferred(tmp_path: Path) -> None:
    """defer_unauth_destination takes a hundred off relay_domains_reject_code: what is left has to be a refusal."""
    settings = {
        "smtpd_relay_restrictions": "defer_unauth_destination",
        "relay_domains_reject_code": "450",
    }
    done = converse(
        tmp_path / "q", [HELLO, MAIL, b"RCPT TO:<x@away.test>\r\n", b"DATA\r\n", QUIT], settings=settings
    )
    assert after_hello(done.replies)[1:3] == [
        "450 4.7.1 Service unavailable",
        "554 5.5.1 Error: no valid recipients",
    ]
    warning = "warning: SMTP reply code configuration error: 350 4.7.1 <x@away.test>: Relay access denied"
    assert warning in done.lines


QUOTED = [  # tables, sender, what it says; the reply names the sender without quotes
    ("pcre:{ {/^(.*)@out/ REJECT not $$1} }", '""@out.test', 'not ""'),
    ("pcre:{ {/^(.*)@out/ REJECT not $$1} }", '"a b"@out.test', 'not "a b"'),
    ("pcre:{ {/^(a b)@out/ REJECT not $$1} }", '"a b"@out.test', "not a b"),
    ('inline:{ {"a b"@ = REJECT quoted} }', '"a b"@out.test', "quoted"),
    ('inline:{ {"a b"@out.test = REJECT without} }', '"a b+c"@out.test', "without"),
]


@pytest.mark.parametrize(("table", "sender", "text"), QUOTED)
def test_keys_of_access_tables_have_the_quotes_that_they_need(
    table: str, sender: str, text: str, tmp_path: Path
) -> None:
    """First; then tables are asked without, as mail_addr_find(3) does."""
    settings = {
        "smtpd_sender_restrictions": f"check_sender_access {table}",
        "recipient_delimiter": "+",
    }
    sent = [HELLO, b"MAIL FROM:<%s>\r\n" % sender.encode(), RCPT, QUIT]
    done = converse(tmp_path / "q", sent, settings=settings)
    assert after_hello(done.replies)[1].endswith(f": Sender address rejected: {text}")


def test_an_address_that_is_none_is_warned_of(tmp_path: Path) -> None:
    """As it was written."""
    sent = [HELLO, *(b"MAIL FROM:%s\r\n" % path for path in (b"<a@b..c>", b"-a@c", b"<a@-b> FOO"))]
    done = converse(tmp_path / "q", [*sent, MAIL, b"RCPT TO:<>\r\n", QUIT])
    assert done.replies.count("501 5.1.7 Bad sender address syntax") == 3
    assert [line for line in done.lines if "Illegal" in line] == [
        f"warning: Illegal address syntax from {CLIENT} in MAIL command: <a@b..c>",
        f"warning: Illegal address syntax from {CLIENT} in MAIL command: -a@c",
        f"warning: Illegal address syntax from {CLIENT} in MAIL command: <a@-b>",
        f"warning: Illegal address syntax from {CLIENT} in RCPT command: <>",
    ]


WARNINGS = [  # command, what the log is warned of
    (b"BDAT x", "NOQUEUE: malformed BDAT command syntax from {}: BDAT x"),
    (b"BDAT 0", "NOQUEUE: null BDAT request from {}"),
    (b"VRFY <a b@here.test>", "Illegal address syntax from {} in VRFY command: <a b@here.test>"),
]


@pytest.mark.parametrize(("command", "warning"), WARNINGS)
def test_commands_that_are_warned_of(command: bytes, warning: str, tmp_path: Path) -> None:
    """As smtpd(8) does."""
    done = converse(tmp_path / "q", [b"EHLO x\r\n", command + b"\r\n", b"QUIT\r\n"])
    assert "warning: " + warning.format("client.test[192.0.2.7]") in done.lines


def test_helo_makes_no_less_of_ehlo(tmp_path: Path) -> None:
    """The protocol of the log, of Received: and of filters stays what it was."""
    lines = b"EHLO x\r\n", b"HELO x\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<me@elsewhere.test>\r\n", b"QUIT\r\n"
    for sent, protocol in ((lines, "ESMTP"), (lines[1:], "SMTP")):
        done = converse(tmp_path / protocol, list(sent), address="198.51.100.1")
        assert any(f" proto={protocol} helo=<x>" in line for line in done.lines), done.lines


def test_mynetworks_and_users_may_relay(tmp_path: Path) -> None:
    """permit_mynetworks, permit_sasl_authenticated; the rest of the world may not."""
    rcpt = b"RCPT TO:<x@elsewhere.test>\r\n"
    near = converse(tmp_path / "a", [HELLO, MAIL, rcpt, QUIT], address="127.0.0.1")
    assert after_hello(near.replies)[1] == "250 2.1.5 Ok"
    login = b"AUTH PLAIN AG1lAHNlY3JldA==\r\n"
    user = converse(tmp_path / "b", [HELLO, login, MAIL, rcpt, b"DATA\r\n", TEXT, QUIT])
    assert after_hello(user.replies)[:3] == [
        "235 2.7.0 Authentication successful",
        "250 2.1.0 Ok",
        "250 2.1.5 Ok",
    ]
    assert user.lines[1] == f"{user.queued[0]}: client={CLIENT}, sasl_method=PLAIN, sasl_username=me"
    message, lines = user.message()
    assert message.attributes[b"sasl_username"] == b"me"
    assert b"with ESMTPA id" in lines[1]


def test_aliases_become_their_recipients(tmp_path: Path) -> None:
    """Each once, with what the client called them."""
    rcpt = b"RCPT TO:<all@alias.test> NOTIFY=NEVER ORCPT=rfc822;all+2Bx@alias.test\r\n" + RCPT
    done = converse(tmp_path / "q", [HELLO, MAIL + rcpt + b"DATA\r\n", TEXT, QUIT])
    message, lines = done.message()
    assert [(r.address, r.original, r.notify, r.dsn_original) for r in message.recipients] == [
        (b"me@box.test", b"all@alias.test", Notify.NEVER, b"rfc822;all+x@alias.test"),
        (b"you@box.test", b"all@alias.test", Notify.NEVER, b"rfc822;all+x@alias.test"),
        (b"me@box.test", b"me@box.test", Notify.DEFAULT, b"rfc822;me@box.test"),
    ]
    assert lines[1].endswith(b";"), "with two recipients neither may be in the trace"


AUTHENTICATION = [
    ("PLAIN at once", [b"AUTH PLAIN AG1lAHNlY3JldA==\r\n"], ["235 2.7.0 Authentication successful"]),
    ("PLAIN", [b"AUTH PLAIN\r\n", b"AG1lAHNlY3JldA==\r\n"], ["334 ", "235 2.7.0 Authentication successful"]),
    ("LOGIN", [b"auth login\r\n", b"bWU=\r\n", b"c2VjcmV0\r\n"],
     ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 2.7.0 Authentication successful"]),
    ("wrong", [b"AUTH PLAIN AG1lAHg=\r\n"], ["535 5.7.8 Error: authentication failed: (reason unavailable)"]),
    ("a reason", [b"AUTH PLAIN AGxvY2tlZAB4\r\n"], ["535 5.7.8 Error: authentication failed: Account is locked"]),
    ("database down", [b"AUTH PLAIN AGJyb2tlbgB4\r\n"], ["454 4.7.0 Temporary authentication failure: (reason unavailable)"]),
    ("no base64", [b"AUTH LOGIN\r\n", b"!\r\n"], ["334 VXNlcm5hbWU6", "535 5.7.8 Error: authentication failed: Invalid base64 data in continued response"]),
    ("no base64 at once", [b"AUTH PLAIN !\r\n"], ["535 5.7.8 Error: authentication failed: Invalid base64 data in initial response"]),
    ("given up", [b"AUTH LOGIN\r\n", b"*\r\n"], ["334 VXNlcm5hbWU6", "501 5.7.0 Authentication aborted"]),
    ("unknown mechanism", [b"AUTH FOO\r\n"], ["535 5.7.8 Error: authentication failed: Invalid authentication mechanism"]),
    ("no mechanism", [b"AUTH\r\n"], ["501 5.5.4 Syntax: AUTH mechanism"]),
    ("twice", [b"AUTH PLAIN AG1lAHNlY3JldA==\r\n", b"AUTH PLAIN AG1lAHNlY3JldA==\r\n"],
     ["235 2.7.0 Authentication successful", "503 5.5.1 Error: already authenticated"]),
    ("in a transaction", [MAIL, b"AUTH PLAIN AG1lAHNlY3JldA==\r\n"],
     ["250 2.1.0 Ok", "503 5.5.1 Error: MAIL transaction in progress"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "replies"), [row[1:] for row in AUTHENTICATION], ids=[row[0] for row in AUTHENTICATION]
)
def test_authentication(sent: list[bytes], replies: list[str], tmp_path: Path) -> None:
    """RFC 4954, in Postfix's words; the session goes on in every case."""
    done = converse(tmp_path / "q", [HELLO, *sent, b"NOOP\r\n", QUIT])
    assert after_hello(done.replies) == [*replies, "250 2.0.0 Ok", "221 2.0.0 Bye"]
    wrong = [line for line in done.lines if "authentication failed" in line]
    assert len(wrong) == sum(reply.startswith(("535", "454")) for reply in replies)


def test_a_failed_login_is_logged_for_fail2ban(tmp_path: Path) -> None:
    """Mechanism, reason and user, in Postfix's form."""
    done = converse(tmp_path / "q", [HELLO, b"AUTH PLAIN AG1lAHg=\r\n", QUIT])
    assert done.lines[1:] == [
        f"warning: {CLIENT}: SASL PLAIN authentication failed: (reason unavailable), sasl_username=me",
        f"disconnect from {CLIENT} ehlo=1 auth=0/1 quit=1 commands=2/3",
    ]


def test_a_response_without_end_ends_the_exchange(tmp_path: Path) -> None:
    """smtpd_sasl_response_limit; responses may be longer than command lines."""
    done = converse(tmp_path / "q", [HELLO, b"AUTH LOGIN\r\n", b"A" * 13000 + b"\r\n", QUIT])
    assert after_hello(done.replies) == [
        "334 VXNlcm5hbWU6",
        "500 5.5.6 SASL response limit exceeded",
        "221 2.0.0 Bye",
    ]
    done = converse(tmp_path / "q", [HELLO, b"AUTH LOGIN\r\n", b"AAAA" * 2000 + b"\r\n", b"*\r\n", QUIT])
    assert after_hello(done.replies)[1:] == [
        "334 UGFzc3dvcmQ6",
        "501 5.7.0 Authentication aborted",
        "221 2.0.0 Bye",
    ]


REFUSALS = [
    ("a domain beyond ASCII", "MAIL FROM:<a@ü.test>\r\n".encode(), "501 5.1.7 Bad sender address syntax"),
    ("a domain beyond ASCII with SMTPUTF8", "MAIL FROM:<a@ü.test> SMTPUTF8\r\n".encode(), "250 2.1.0 Ok"),
    ("ETRN", b"ETRN example.test\r\n", "459 <example.test>: service unavailable"),
    ("SIZE too large", b"MAIL FROM:<a@b.test> SIZE=10240001\r\n", "552 5.3.4 Message size exceeds fixed limit"),
    ("SIZE just right", b"MAIL FROM:<a@b.test> SIZE=10240000\r\n", "250 2.1.0 Ok"),
    ("not UTF-8", b"MAIL FROM:<\xff@b.test>\r\n", "500 5.5.2 Error: bad UTF-8 syntax"),
    ("VRFY of a user", b"VRFY me@box.test\r\n", "252 2.0.0 me@box.test"),
    ("VRFY of nobody", b"VRFY no@box.test\r\n",
     "550 5.1.1 <no@box.test>: Recipient address rejected: User unknown in virtual mailbox table"),
    ("HELP", b"HELP\r\n", "214 2.0.0 Commands: HELO EHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY ETRN QUIT HELP"),
    ("STARTTLS that is not there", b"STARTTLS\r\n", "502 5.5.1 Error: command not implemented"),
    ("an unknown command", b"FOO\r\n", "500 5.5.2 Error: command not recognized"),
    ("an endless line", b"NOOP " + b"x" * 5000 + b"\r\n", "500 5.5.2 mx.test Error: command too long"),
]  # fmt: skip


def test_etrn_without_anybody_to_ask(tmp_path: Path) -> None:
    """A site of fast_flush_domains or below one; the queue manager is not there."""
    sent = [HELLO, b"ETRN site.test\r\n", b"ETRN @below.SITE.test\r\n", b"ETRN other.test\r\n", QUIT]
    done = converse(tmp_path / "q", sent, settings={"fast_flush_domains": "site.test"})
    assert after_hello(done.replies) == [
        "458 Unable to queue messages",
        "458 Unable to queue messages",
        "459 <other.test>: service unavailable",
        "221 2.0.0 Bye",
    ]
    assert "warning: unable to talk to fast flush service" in done.lines
    assert f"warning: reject: ETRN other.test... from {CLIENT}" in done.lines


@pytest.mark.parametrize(("sent", "reply"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_one_command(sent: bytes, reply: str, tmp_path: Path) -> None:
    """Postfix's texts; the session goes on."""
    done = converse(tmp_path / "q", [HELLO, sent, b"NOOP\r\n", QUIT])
    assert after_hello(done.replies) == [reply, "250 2.0.0 Ok", "221 2.0.0 Bye"]


def test_tls_forgets_what_was_said_in_clear_text(tmp_path: Path) -> None:
    """RFC 3207 §4.2: buffered commands, HELO and login are gone; STARTTLS is not offered again."""
    settings = {"smtpd_forbid_unauth_pipelining": "no"}
    sent = [HELLO, b"AUTH PLAIN AG1lAHNlY3JldA==\r\n", b"STARTTLS\r\nMAIL FROM:<injected@b.test>\r\n",
            HELLO, MAIL + b"RCPT TO:<x@elsewhere.test>\r\n", b"STARTTLS\r\n"]  # fmt: skip
    done = converse(tmp_path / "q", [*sent, b"RSET\r\n", b"STARTTLS\r\n", QUIT], tls=True, settings=settings)
    said = after_hello(done.replies)
    assert said == [
        "235 2.7.0 Authentication successful",
        "220 2.0.0 Ready to start TLS",
        "250 2.1.0 Ok",
        "454 4.7.1 <x@elsewhere.test>: Relay access denied",
        "554 5.5.1 Error: TLS already active",
        "250 2.0.0 Ok",
        "554 5.5.1 Error: TLS already active",
        "221 2.0.0 Bye",
    ]
    assert done.replies.count("250-STARTTLS") == 1


def test_tls_that_is_required(tmp_path: Path) -> None:
    """smtpd_tls_security_level = encrypt: no mail and no password before TLS."""
    sent = [HELLO, MAIL, b"AUTH PLAIN AG1lAHNlY3JldA==\r\n", b"STARTTLS\r\n", HELLO, MAIL, QUIT]
    done = converse(tmp_path / "q", sent, tls=True, settings={"smtpd_tls_security_level": "encrypt"})
    assert after_hello(done.replies) == [
        "530 5.7.0 Must issue a STARTTLS command first",
        "530 5.7.0 Must issue a STARTTLS command first",
        "220 2.0.0 Ready to start TLS",
        "250 2.1.0 Ok",
        "221 2.0.0 Bye",
    ]


@pytest.mark.parametrize(
    ("settings", "offered", "reply"),
    [
        ({"smtpd_tls_security_level": "none"}, False, "502 5.5.1 Error: command not implemented"),
        ({"smtpd_tls_security_level": "may"}, False, "454 4.7.0 TLS not available due to local problem"),
        ({"smtpd_tls_security_level": "encrypt"}, True, "454 4.7.0 TLS not available due to local problem"),
        (
            {"smtpd_tls_security_level": "encrypt", "smtpd_discard_ehlo_keywords": "starttls"},
            False,
            "502 5.5.1 Error: command not implemented",
        ),
    ],
)
def test_without_a_certificate(tmp_path: Path, settings: dict[str, str], offered: bool, reply: str) -> None:
    """STARTTLS gets 454 (RFC 3207 §4); it is offered only where the client can do nothing without it."""
    done = converse(tmp_path / "q", [HELLO, b"STARTTLS\r\n", QUIT], settings=settings)
    assert after_hello(done.replies) == [reply, "221 2.0.0 Bye"]
    assert ("250-STARTTLS" in done.replies) is offered


def test_a_handshake_that_fails(tmp_path: Path) -> None:
    """It is logged, and the session is over."""
    done = converse(tmp_path / "q", [HELLO, b"STARTTLS\r\n", QUIT], tls=True, tls_fails=True)
    assert done.replies[-1] == "220 2.0.0 Ready to start TLS"
    assert done.lines[-4:] == [
        f"SSL_accept error from {CLIENT}: -1",
        "warning: TLS library problem: error:0A0000C1:SSL routines::no shared cipher:",
        f"lost connection after STARTTLS from {CLIENT}",
        f"disconnect from {CLIENT} ehlo=1 starttls=0/1 commands=1/2",
    ]


def test_bare_newlines(tmp_path: Path) -> None:
    """smtpd_forbid_bare_newline: normalize takes the message without its smuggled end, reject refuses it."""
    smuggled = b"a\r\n\n.\nMAIL FROM:<evil@b.test>\r\n.\r\n"
    sent = [HELLO, MAIL + RCPT + b"DATA\r\n", smuggled, QUIT]
    done = converse(tmp_path / "a", sent)
    assert done.message()[1][-3:] == [b"a", b"", b"MAIL FROM:<evil@b.test>"]
    done = converse(tmp_path / "b", sent, settings={"smtpd_forbid_bare_newline": "reject"})
    assert done.replies[-2:] == ["550 5.5.2 mx.test Error: bare <LF> received", "221 2.0.0 Bye"]
    assert done.incoming == []
    done = converse(
        tmp_path / "c", [HELLO, b"NOOP\n", QUIT], settings={"smtpd_forbid_bare_newline": "reject"}
    )
    assert done.replies[-1] == "550 5.5.2 mx.test Error: bare <LF> received"


CHUNKS = [
    ("one", [b"BDAT 5 LAST\r\nab\r\nc"], ["250 2.0.0 Ok: 7 bytes queued as {id}"]),
    ("two", [b"BDAT 4\r\nab\r\n", b"BDAT 3 LAST\r\nc\r\n"],
     ["250 2.0.0 Ok: 4 bytes", "250 2.0.0 Ok: 7 bytes queued as {id}"]),
    ("pipelined", [b"BDAT 4\r\nab\r\nBDAT 0 LAST\r\n"], ["250 2.0.0 Ok: 4 bytes", "250 2.0.0 Ok: 4 bytes queued as {id}"]),
    ("DATA between", [b"BDAT 4\r\nab\r\n", b"DATA\r\n", b"BDAT 0 LAST\r\n"],
     ["250 2.0.0 Ok: 4 bytes", "503 5.5.1 Error: DATA after BDAT", "250 2.0.0 Ok: 4 bytes queued as {id}"]),
    ("MAIL between", [b"BDAT 4\r\nab\r\n", MAIL, b"BDAT 0 LAST\r\n"],
     ["250 2.0.0 Ok: 4 bytes", "503 5.5.1 Error: nested MAIL command", "250 2.0.0 Ok: 4 bytes queued as {id}"]),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "replies"), [row[1:] for row in CHUNKS], ids=[row[0] for row in CHUNKS])
def test_chunks(sent: list[bytes], replies: list[str], tmp_path: Path) -> None:
    """RFC 3030."""
    done = converse(tmp_path / "q", [HELLO, MAIL + RCPT, *sent, QUIT])
    said = after_hello(done.replies)[2:-1]
    assert said == [reply.format(id=done.queued[0]) for reply in replies]


def test_a_chunk_that_is_refused_ends_the_transaction(tmp_path: Path) -> None:
    """A chunk too many: the following ones are thrown away, and DATA finds no recipients."""
    sent = [
        HELLO,
        MAIL + RCPT,
        b"BDAT 1200\r\n" + b"x" * 1200,
        b"BDAT 5 LAST\r\nDATA\r\nDATA\r\n",
        b"DATA\r\n",
        QUIT,
    ]
    settings = {"message_size_limit": "1000", "smtpd_forbid_unauth_pipelining": "no"}
    done = converse(tmp_path / "q", sent, settings=settings)
    assert after_hello(done.replies)[2:] == [
        "552 5.3.4 Chunk exceeds message size limit",
        "551 5.0.0 Discarded 5 bytes after earlier error",
        "500 5.5.2 Error: bad syntax",
        "503 5.5.1 Error: need RCPT command",
        "503 5.5.1 Error: need RCPT command",
        "221 2.0.0 Bye",
    ]
    assert done.incoming == []


GREETINGS = [b"EHLO a!b\r\n", b"HELO a!b\r\n"]


@pytest.mark.parametrize("greeting", GREETINGS)
def test_a_refused_greeting_changes_nothing(greeting: bytes, tmp_path: Path) -> None:
    """EHLO resets (RFC 5321 §4.1.4), but not one that is refused: the transaction goes on, as with Postfix."""
    settings = {"smtpd_helo_restrictions": "reject_invalid_helo_hostname", "smtpd_delay_reject": "no"}
    sent = [HELLO, MAIL + RCPT, greeting, RCPT, b"DATA\r\n", *DATA[1:], QUIT]
    done = converse(tmp_path / "q", sent, settings=settings)
    assert after_hello(done.replies)[2:5] == [
        "501 5.5.2 <a!b>: Helo command rejected: Invalid name",
        "250 2.1.5 Ok",
        "354 End data with <CR><LF>.<CR><LF>",
    ]
    assert done.incoming == done.queued


@pytest.mark.parametrize("stage", ["data", "end_of_data"])
def test_a_table_may_send_a_message_elsewhere_until_its_end(tmp_path: Path, stage: str) -> None:
    """access(5) REDIRECT and BCC: also when the envelope has been written by then."""
    settings = {
        f"smtpd_{stage}_restrictions": "check_sender_access inline:{ { a@b.test=REDIRECT all@alias.test } }"
    }
    done = converse(tmp_path / "q", [*DATA, QUIT], settings=settings)
    message = done.message()[0]
    assert [recipient.address for recipient in message.recipients] == [b"me@box.test"]
    assert message.redirect == b"all@alias.test"
    copied = {f"smtpd_{stage}_restrictions": "check_sender_access inline:{ { a@b.test=BCC root@mx.test } }"}
    done = converse(tmp_path / "c", [*DATA, QUIT], settings=copied)
    assert [(r.address, r.notify) for r in done.message()[0].recipients] == [
        (b"me@box.test", Notify.DEFAULT), (b"root@mx.test", Notify.NEVER),
    ]  # fmt: skip


ROUTES = [
    # sender, reply to DATA
    (
        "a@out.test.",
        "550 5.7.1 <a@out.test.>: Sender address rejected: no",
    ),  # a final dot is none of its domain's
    ("out.test!a", "550 5.7.1 <out.test!a>: Sender address rejected: no"),
    ("a%out.test@mx.test", "550 5.7.1 <a%out.test@mx.test>: Sender address rejected: no"),
    ("mx.test!a", "354 End data with <CR><LF>.<CR><LF>"),
    ("out.test!a@b.test", "354 End data with <CR><LF>.<CR><LF>"),  # not ours to look into
]


@pytest.mark.parametrize(("sender", "reply"), ROUTES, ids=[row[0] for row in ROUTES])
def test_tables_of_senders_are_asked_for_where_an_address_leads(
    sender: str, reply: str, tmp_path: Path
) -> None:
    """access(5), as trivial-rewrite(8) has it: a table that refuses a domain is not passed by another spelling."""
    settings = {"smtpd_data_restrictions": "check_sender_access inline:{ { out.test=550 no } }"}
    start = b"MAIL FROM:<%s>\r\n" % sender.encode() + RCPT + b"DATA\r\n"
    done = converse(tmp_path / "q", [HELLO, start, QUIT], settings=settings)
    assert after_hello(done.replies)[2] == reply


def test_a_message_too_long_to_be_copied_is_to_come_again(tmp_path: Path) -> None:
    """Its envelope is on disk by the time the table speaks: 451, and nothing in the queue."""
    settings = {
        "smtpd_end_of_data_restrictions": "check_sender_access inline:{ { a@b.test=BCC root@mx.test } }"
    }
    long = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 200_000 + b".\r\n"
    done = converse(tmp_path / "q", [*DATA[:2], long, QUIT], settings=settings)
    assert after_hello(done.replies)[-2] == "451 4.3.0 Error: queue file write error"
    assert done.incoming == []


def test_a_client_that_is_hidden(tmp_path: Path) -> None:
    """smtpd_hide_client_session: nothing of the client in Received:, and its lines in the log are as ever."""
    done = converse(
        tmp_path / "q",
        [HELLO, MAIL, RCPT, b"DATA\r\n", b"x\r\n.\r\n", QUIT],
        settings={"smtpd_hide_client_session": "yes"},
    )
    header = done.message()[1][:2]
    assert header[0] == b"Received: by mx.test (Postfix) id %s" % done.queued[0].encode()
    assert header[1].startswith(b"\tfor <me@box.test>; ")
    assert done.lines[0] == "connect from client.test[192.0.2.7]"


REQUIRETLS = [
    # settings, whether under TLS, whether it is offered and kept
    ({}, True, True),
    ({}, False, False),
    ({"requiretls_enable": "no"}, True, False),
    ({"smtpd_discard_ehlo_keywords": "requiretls"}, True, False),
]


@pytest.mark.parametrize(("settings", "encrypted", "offered"), REQUIRETLS)
def test_a_sender_that_needs_tls(
    tmp_path: Path, settings: dict[str, str], encrypted: bool, offered: bool
) -> None:
    """RFC 8689 §2: offered under TLS alone; the wish goes into the queue file where Postfix 3.11 has it."""
    said = [
        *([HELLO, b"STARTTLS\r\n"] if encrypted else []),
        HELLO,
        b"MAIL FROM:<a@b.test> requiretls=1\r\n",
        b"MAIL FROM:<a@b.test> SIZE=9 requiretls\r\n",
        *([RCPT + b"DATA\r\n", TEXT] if offered else []),
        QUIT,
    ]
    settings = {"smtpd_tls_security_level": "may", **settings}
    done = converse(tmp_path / "q", said, tls=True, settings=settings)
    assert ("250 REQUIRETLS" in done.replies) is offered
    assert "555 5.5.4 Unsupported option: requiretls=1" in done.replies
    assert ("555 5.5.4 Unsupported option: requiretls" in done.replies) is not offered
    if offered:
        assert done.message()[0].send_options == 32


@pytest.mark.parametrize(("settings", "option"), [({}, 16), ({"tls_required_enable": "no"}, 0)])
def test_a_sender_that_needs_no_tls(tmp_path: Path, settings: dict[str, str], option: int) -> None:
    """RFC 8689 §5: TLS-Required: no goes into the queue file as Postfix 3.10 has it."""
    said = [
        b"EHLO c.test\r\n",
        b"MAIL FROM:<a@b.test>\r\nRCPT TO:<me@box.test>\r\nDATA\r\n",
        b"TLS-Required: No\r\nSubject: x\r\n\r\nx\r\n.\r\n",
        b"QUIT\r\n",
    ]
    message, lines = converse(tmp_path / "queue", said, settings=settings).message()
    assert message.send_options == option
    assert b"TLS-Required: No" in lines


def test_a_proxy_tells_who_comes(tmp_path: Path) -> None:
    """XCLIENT: an address alone leaves the name; the disconnect line counts as Postfix's does."""
    settings = {"smtpd_authorized_xclient_hosts": "192.0.2.7"}
    done = converse(tmp_path / "q", [HELLO, b"XCLIENT ADDR=198.51.100.9\r\n", HELLO, QUIT], settings=settings)
    assert done.lines == [
        f"connect from {CLIENT}",
        "disconnect from client.test[198.51.100.9] ehlo=2 xclient=0/1 quit=1 commands=3/4",
    ]


def test_a_proxy_does_not_know_who_comes(tmp_path: Path) -> None:
    """An address that XCLIENT does not tell is `unknown`, and nobody's of mynetworks."""
    settings = {"smtpd_authorized_xclient_hosts": "192.0.2.7", "mynetworks": "0.0.0.0/0"}
    said = [HELLO, b"XCLIENT NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE]\r\n", HELLO, b"XCLIENT NAME=x\r\n", QUIT]
    done = converse(tmp_path / "q", said, settings=settings)
    assert done.lines[-1] == "disconnect from unknown[unknown] ehlo=2 xclient=0/2 quit=1 commands=3/5"


def test_xforward_is_for_one_message(tmp_path: Path) -> None:
    """What the first command does not tell is unknown; the next message is the client's own again."""
    settings = {"smtpd_authorized_xforward_hosts": "192.0.2.7"}
    said = [HELLO, b"XFORWARD ADDR=198.51.100.9\r\n", b"XFORWARD IDENT=abc\r\n", *DATA[1:], *DATA[1:], QUIT]
    done = converse(tmp_path / "q", said, settings=settings)
    clients = [line.partition(": ")[2] for line in done.lines if "client=" in line]
    assert clients == [
        f"client={CLIENT}, orig_queue_id=abc, orig_client=unknown[198.51.100.9]",
        f"client={CLIENT}",
    ]

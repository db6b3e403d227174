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


def test_bare_newlines(tmp_path: Path) -> None:
    """smtpd_forbid_bare_newline: normalize takes the message without its smuggled end, reject refuses it."""
    smuggled = b"a\r\n\n.\nMAIL FROM:<evil@b.test>\r\n.\r\n"
    sent = [HELLO, MAIL + RCPT + b"DATA\r\n", smuggled, QUIT]
    done = converse(tmp_path / "a", sent)
    assert done.message()[1][-3:] == [b"a", b"", b"MAIL FROM:<evil@b.test>"]
    done = converse(tmp_path / "b", sent, settings={"smtpd_forbid_bare_newline": "reject"})
    assert done.replies[-2:] == ["550 5.5.2 mx.test Error: bare <LF> received", "221 2.0.0 Bye"]
    assert done.incoming == []
    done = converse(tmp_path / "d", sent[:-1], settings={"smtpd_forbid_bare_newline": "reject"})
    assert not [line for line in done.lines if "lost connection" in line]
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


@pytest.mark.parametrize(
    ("said", "client", "sender"),
    [
        (b"XFORWARD SOURCE=REMOTE\r\n", "127.0.0.1", b"From: a"),
        (b"XFORWARD SOURCE=local\r\n", "192.0.2.7", b"From: a@mx.test"),
        (b"XFORWARD SOURCE=[UNAVAILABLE]\r\n", "192.0.2.7", b"From: a@mx.test"),
        (b"NOOP\r\n", "127.0.0.1", b"From: a@mx.test"),
        (b"XFORWARD SOURCE=LOCAL\r\nRSET\r\n", "192.0.2.7", b"From: a"),
    ],
)
def test_a_filter_says_whose_header_is_completed(
    tmp_path: Path, said: bytes, client: str, sender: bytes
) -> None:
    """XFORWARD SOURCE goes before local_header_rewrite_clients, of which a filter on this host would be one."""
    settings = {
        "smtpd_authorized_xforward_hosts": "192.0.2.7, 127.0.0.1",
        "local_header_rewrite_clients": "permit_mynetworks",
        "append_dot_mydomain": "no",
        "myorigin": "mx.test",
    }
    text = b"From: a\r\n\r\nbody\r\n.\r\n"
    done = converse(
        tmp_path / "q",
        [HELLO, said, MAIL + RCPT + b"DATA\r\n", text, QUIT],
        settings=settings,
        address=client,
    )
    assert sender in done.message()[1]


@pytest.mark.parametrize("delay_reject", ["yes", "no"])
def test_what_is_decreed_at_mail_is_done(tmp_path: Path, delay_reject: str) -> None:
    """smtpd_delay_reject = no, as behind a filter: the sender's table has been asked before there is a recipient."""
    settings = {
        "smtpd_delay_reject": delay_reject,
        "smtpd_sender_restrictions": "check_sender_access inline:{ { a@b.test=PREPEND X-Put: a } }",
    }
    done = converse(tmp_path / "q", [*DATA, QUIT], settings=settings)
    assert done.message()[1][0] == b"X-Put: a"


_AT_END = "check_sender_access inline:{ { a@b.test=REJECT at the end } }"


@pytest.mark.parametrize(
    ("settings", "reply"),
    [
        ({}, "451 4.3.0 Error: queue file write error"),
        (
            {"smtpd_end_of_data_restrictions": _AT_END},
            "554 5.7.1 <a@b.test>: Sender address rejected: at the end",
        ),
        ({"message_size_limit": "5"}, "552 5.3.4 Error: message file too big"),
        (
            {"message_size_limit": "5", "smtpd_end_of_data_restrictions": _AT_END},
            "552 5.3.4 Error: message file too big",
        ),
    ],
)
def test_what_smtpd_finds_comes_before_what_cleanup_finds(
    tmp_path: Path, settings: dict[str, str], reply: str
) -> None:
    """Addresses that cannot be mapped are told of if nothing else is wrong with the message."""
    settings = {"sender_canonical_maps": "fail:unwell", **settings}
    done = converse(tmp_path / "q", [*DATA, QUIT], settings=settings)
    assert after_hello(done.replies)[3] == reply
    assert done.incoming == []


def test_a_table_that_cannot_answer_at_the_end(tmp_path: Path) -> None:
    """The client hears which address could not be looked at, as at RCPT."""
    settings = {
        "smtpd_end_of_data_restrictions": "check_sender_access inline:{ { x@y.test=REJECT } }",
        "sender_dependent_relayhost_maps": "inline:{ { a@b.test = x.test } }, fail:unwell",
    }
    done = converse(tmp_path / "q", [*DATA, QUIT], settings=settings)
    assert after_hello(done.replies)[3] == "451 4.3.0 <a@b.test>: Temporary lookup failure"

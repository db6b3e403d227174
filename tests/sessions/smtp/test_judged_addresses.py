"""Which senders and recipients an SMTP session takes, and what it says and logs of the others."""

from pathlib import Path

import pytest

from fakes.smtp_conversation import CLIENT, converse
from fakes.smtp_words import HELLO, MAIL, QUIT, RCPT, TEXT, after_hello
from pillarbox.vocabulary.envelope import Notify

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


ROUTED_ON = [
    # recipient, allow_untrusted_routing, whether it is taken
    ("x@elsewhere.test", "no", True),
    ("x%third.test@elsewhere.test", "no", False),
    ("third.test!x@elsewhere.test", "no", False),
    ('"x@third.test"@elsewhere.test', "no", False),
    ("x%third.test@elsewhere.test", "yes", True),
]


@pytest.mark.parametrize(("recipient", "trusted", "taken"), ROUTED_ON)
def test_a_table_permits_no_route_to_another_site(
    recipient: str, trusted: str, taken: bool, tmp_path: Path
) -> None:
    """What check_recipient_access says OK to may be a relay's domain: the relay would pass the mail on."""
    settings = {
        "allow_untrusted_routing": trusted,
        "smtpd_relay_restrictions": "check_recipient_access inline:{ elsewhere.test=OK }, reject",
    }
    rcpt = b"RCPT TO:<%s>\r\n" % recipient.encode()
    done = converse(tmp_path / "q", [HELLO, MAIL, rcpt, QUIT], settings=settings)
    assert after_hello(done.replies)[1].startswith("250" if taken else "554 5.7.1")


def test_a_senders_domain_of_two_classes_is_told_of(tmp_path: Path) -> None:
    """Though nobody has to know which of them it is."""
    settings = {"virtual_alias_domains": "box.test", "mynetworks": "192.0.2.7"}
    sent = [HELLO, b"MAIL FROM:<x@box.test>\r\n", b"RCPT TO:<x@elsewhere.test>\r\n", QUIT]
    done = converse(tmp_path / "q", sent, settings=settings)
    line = "warning: do not list domain box.test in BOTH virtual_alias_domains and virtual_mailbox_domains"
    assert [one for one in done.lines if "BOTH" in one] == [line]


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

"""Restrictions that ask the DNS, in whole conversations over zones in memory."""

from pathlib import Path

import pytest

from fakes.smtp_conversation import CLIENT, converse
from fakes.zones import Zones
from pillarbox.access.block_lists import Zone, parse_zone
from pillarbox.net.dns.records import Mx, RecordType

A, MX, NS, TXT = RecordType.A, RecordType.MX, RecordType.NS, RecordType.TXT
ZONES: Zones = {
    "good.test": {MX: [Mx(10, "mx.good.test")], NS: ["ns.evil.test"]},
    "host.test": {A: ["192.0.2.1"]},
    "null.test": {MX: [Mx(0, "")]},
    "empty.test": {TXT: [b"nothing here"]},
    "mx.good.test": {A: ["192.0.2.66"]},
    "two.test": {MX: [Mx(20, "known.test"), Mx(10, "mx.good.test")]},
    "7.2.0.192.bl.test": {A: ["127.0.0.4"], TXT: [b"a spammer"]},
    "7.2.0.192.two.test": {A: ["127.0.0.4"], TXT: [b"odd \x01 text", b"more"]},
    "192.0.2.1.dbl.test": {A: ["127.0.1.255"]},
    "b.1.dbl.test": {A: ["127.0.1.255"]},
    "good.test.dbl.test": {A: ["127.0.1.2"]},
    "client.test.wl.test": {A: ["127.0.0.1"]},
    "7.2.0.192.dnswl.test": {A: ["127.0.9.1"]},
}

CASES = [  # name, restriction, HELO, sender, recipient, reply to RCPT
    ("a sender domain with MX", "reject_unknown_sender_domain", "x", "a@good.test", "me@box.test", "250 2.1.5 Ok"),
    ("a sender domain with an address", "reject_unknown_sender_domain", "x", "a@host.test", "me@box.test", "250 2.1.5 Ok"),
    ("a sender domain that is not there", "reject_unknown_sender_domain", "x", "a@none.test", "me@box.test",
     "450 4.1.8 <a@none.test>: Sender address rejected: Domain not found"),
    ("a sender domain without servers", "reject_unknown_sender_domain", "x", "a@empty.test", "me@box.test",
     "450 4.1.8 <a@empty.test>: Sender address rejected: Domain not found"),
    ("a sender domain with a null MX", "reject_unknown_sender_domain", "x", "a@null.test", "me@box.test",
     "550 5.7.27 <a@null.test>: Sender address rejected: Domain null.test does not accept mail (nullMX)"),
    ("a DNS that fails", "reject_unknown_sender_domain", "x", "a@fails.test", "me@box.test",
     "450 4.1.8 <a@fails.test>: Sender address rejected: Domain not found"),
    ("our own domain", "reject_unknown_sender_domain", "x", "a@box.test", "me@box.test", "250 2.1.5 Ok"),
    ("the null sender", "reject_unknown_sender_domain", "x", "", "me@box.test", "250 2.1.5 Ok"),
    ("a recipient domain that is not there", "reject_unknown_recipient_domain", "x", "", "x@none.test",
     "450 4.1.2 <x@none.test>: Recipient address rejected: Domain not found"),
    ("a recipient domain with a null MX", "reject_unknown_recipient_domain", "x", "", "x@null.test",
     "556 5.1.10 <x@null.test>: Recipient address rejected: Domain null.test does not accept mail (nullMX)"),
    ("a HELO name with an address", "reject_unknown_helo_hostname", "host.test", "", "me@box.test", "250 2.1.5 Ok"),
    ("a HELO name that is not there", "reject_unknown_helo_hostname", "none.test", "", "me@box.test",
     "450 4.7.1 <none.test>: Helo command rejected: Host not found"),
    ("a HELO name that nobody can find", "reject_unknown_helo_hostname", "fails.test", "", "me@box.test",
     "450 4.7.1 <fails.test>: Helo command rejected: Host not found"),
    ("a block list", "reject_rbl_client bl.test", "x", "", "me@box.test",
     "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using bl.test; a spammer"),
    ("a block list's code", "reject_rbl_client bl.test=127.0.0.[2..4;9]", "x", "", "me@box.test",
     "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using bl.test; a spammer"),
    ("another code", "reject_rbl_client bl.test=127.0.0.2", "x", "", "me@box.test", "250 2.1.5 Ok"),
    ("a block list that fails", "reject_rbl_client broken.test", "x", "", "me@box.test", "250 2.1.5 Ok"),
    ("a list of domains", "reject_rhsbl_sender dbl.test", "x", "a@good.test", "me@box.test",
     "554 5.7.1 Service unavailable; Sender address [a@good.test] blocked using dbl.test"),
    ("a list of HELO names", "reject_rhsbl_helo dbl.test", "good.test", "", "me@box.test",
     "554 5.7.1 Service unavailable; Helo command [good.test] blocked using dbl.test"),
    ("an allow list of names", "permit_rhswl_client wl.test, reject", "x", "", "me@box.test", "250 2.1.5 Ok"),
    ("an allow list of addresses", "permit_dnswl_client dnswl.test, reject", "x", "", "me@box.test", "250 2.1.5 Ok"),
    ("an allow list without the client", "permit_dnswl_client wl.test, reject", "x", "a@b.test", "me@box.test",
     "554 5.7.1 <me@box.test>: Recipient address rejected: Access denied"),
    ("an allow list that fails", "permit_dnswl_client broken.test, reject", "x", "a@b.test", "me@box.test",
     "450 4.7.1 <192.0.2.7>: Client host rejected: Service unavailable"),
    ("an allow list for a recipient elsewhere", "permit_dnswl_client dnswl.test, reject", "x", "a@b.test", "x@null.test",
     "554 5.7.1 <x@null.test>: Recipient address rejected: Access denied"),
    ("an allow list of names for one elsewhere", "permit_rhswl_client wl.test, reject", "x", "a@b.test", "x@null.test",
     "554 5.7.1 <x@null.test>: Recipient address rejected: Access denied"),
    ("an address in a list of domains", "reject_rhsbl_helo dbl.test", "192.0.2.1", "", "me@box.test", "250 2.1.5 Ok"),
    ("a domain that ends in a number", "reject_rhsbl_sender dbl.test", "x", "a@b.1", "me@box.test", "250 2.1.5 Ok"),
    ("two reasons", "reject_rbl_client two.test", "x", "", "me@box.test",
     "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using two.test; odd   text / more"),
    ("a HELO name with a final dot", "reject_unknown_helo_hostname", "host.test.", "", "me@box.test",
     "450 4.7.1 <host.test.>: Helo command rejected: Host not found"),
    ("a client's name that is not known to be its own", "check_reverse_client_hostname_access static:OK, reject", "x", "", "me@box.test",
     "451 4.3.5 Server configuration error"),
    ("a mail server's address", "check_sender_mx_access inline:{ { 192.0.2.66=REJECT your server } }", "x", "a@good.test", "me@box.test",
     "554 5.7.1 <a@good.test>: Sender address rejected: your server"),
    ("a mail server that is permitted", "check_sender_mx_access inline:{ 192.0.2=OK }, reject", "x", "a@good.test", "me@box.test",
     "451 4.3.5 Server configuration error"),
    ("a name server", "check_sender_ns_access inline:{ { evil.test=REJECT your name server } }", "x", "a@good.test", "me@box.test",
     "554 5.7.1 <a@good.test>: Sender address rejected: your name server"),
    ("the name server of a parent", "check_sender_ns_access inline:{ { evil.test=REJECT your name server } }", "x", "a@sub.good.test", "me@box.test",
     "554 5.7.1 <a@sub.good.test>: Sender address rejected: your name server"),
    ("a literal is its own mail server", "check_sender_mx_access inline:{ { 192.0.2.66=REJECT your server } }", "x", "a@[192.0.2.66]", "me@box.test",
     "554 5.7.1 <a@[192.0.2.66]>: Sender address rejected: your server"),
    ("a literal has no name server", "check_sender_ns_access inline:{ { 192.0.2.66=REJECT your server } }", "x", "a@[192.0.2.66]", "me@box.test",
     "250 2.1.5 Ok"),
    ("a literal as HELO name", "check_helo_a_access inline:{ { 2001:db8::1=REJECT your address } }", "[IPv6:2001:db8::1]", "", "me@box.test",
     "554 5.7.1 <[IPv6:2001:db8::1]>: Helo command rejected: your address"),
    ("a sender that is only a domain", "check_sender_mx_access inline:{ { 192.0.2.66=REJECT your server } }", "x", "good.test", "me@box.test",
     "554 5.7.1 <good.test>: Sender address rejected: your server"),
    ("a null MX is no server", "check_sender_mx_access inline:{ { null.test=REJECT your server } }", "x", "a@null.test", "me@box.test", "250 2.1.5 Ok"),
    ("servers in the order of the answer", "check_sender_mx_access inline:{ { known.test=REJECT first } { good.test=REJECT second } }", "x", "a@two.test", "me@box.test",
     "554 5.7.1 <a@two.test>: Sender address rejected: first"),
    ("an address in /etc/hosts", "check_sender_mx_access inline:{ { 192.0.2.77=REJECT your server } }", "x", "a@two.test", "me@box.test",
     "554 5.7.1 <a@two.test>: Sender address rejected: your server"),
    ("a table of servers that fails", "check_sender_mx_access fail:x", "x", "a@good.test", "me@box.test",
     "451 4.3.5 <a@good.test>: Sender address rejected: Server configuration error"),
    ("an address", "check_helo_a_access inline:{ { 192.0.2.1=REJECT your address } }", "host.test", "", "me@box.test",
     "554 5.7.1 <host.test>: Helo command rejected: your address"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("restriction", "helo", "sender", "recipient", "reply"),
    [row[1:] for row in CASES],
    ids=[row[0] for row in CASES],
)
def test_what_the_dns_says(
    restriction: str, helo: str, sender: str, recipient: str, reply: str, tmp_path: Path
) -> None:
    """postconf(5); what cannot be found out is deferred, and lists nobody."""
    sent = f"EHLO {helo}\r\n", f"MAIL FROM:<{sender}>\r\n", f"RCPT TO:<{recipient}>\r\n", "QUIT\r\n"
    settings = {
        "smtpd_recipient_restrictions": restriction,
        "smtpd_relay_restrictions": "permit_mynetworks, defer_unauth_destination"
        if recipient.endswith("box.test")
        else "permit_mynetworks, check_recipient_access inline:{ null.test=OK, none.test=OK }, defer_unauth_destination",
    }
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.77 known.test\n")
    done = converse(
        tmp_path / "q",
        [line.encode() for line in sent],
        settings=settings,
        zones=ZONES,
        hosts=str(hosts),
        failing=("fails.test", "7.2.0.192.broken.test"),
    )
    assert done.replies[-2] == reply
    if not reply.startswith("250"):
        assert any(
            line.startswith(f"NOQUEUE: reject: RCPT from {CLIENT}: {reply};") for line in done.lines
        ), done.lines


def test_a_list_is_asked_once_in_a_session(tmp_path: Path) -> None:
    """What it said, or that it does not answer, counts for all recipients, and for each pattern of answers."""
    recipients = b"RCPT TO:<me@box.test>\r\n" * 3
    restrictions = "reject_rbl_client broken.test, reject_rbl_client bl.test=127.0.0.9, reject_rbl_client bl.test=127.0.0.4"
    done = converse(
        tmp_path / "q",
        [b"EHLO x\r\n", b"MAIL FROM:<>\r\n" + recipients, b"QUIT\r\n"],
        settings={"smtpd_recipient_restrictions": restrictions},
        zones=ZONES,
        failing=("7.2.0.192.broken.test",),
    )
    refusal = "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using bl.test; a spammer"
    assert done.replies[-4:-1] == [refusal] * 3
    assert sum("broken.test: RBL lookup error" in line for line in done.lines) == 1


TEMPORARY = [
    # restriction, parameter
    ("reject_unknown_sender_domain", "unknown_address_tempfail_action"),
    ("reject_unknown_helo_hostname", "unknown_helo_hostname_tempfail_action"),
    ("reject_unknown_sender_domain", "reject_tempfail_action"),
    ("reject_unknown_helo_hostname", "reject_tempfail_action"),
]


@pytest.mark.parametrize(("restriction", "parameter"), TEMPORARY)
@pytest.mark.parametrize(("action", "code"), [("defer_if_permit", "554 5.7.1"), ("defer", "450 4.")])
def test_what_nobody_can_find_out(
    tmp_path: Path, restriction: str, parameter: str, action: str, code: str
) -> None:
    """Deferred at once, or only if nothing refuses."""
    sent = b"EHLO fails.test\r\n", b"MAIL FROM:<a@fails.test>\r\n", b"RCPT TO:<me@box.test>\r\n", b"QUIT\r\n"
    settings = {"smtpd_recipient_restrictions": f"{restriction}, reject", parameter: action}
    done = converse(tmp_path / "q", list(sent), settings=settings, zones=ZONES, failing=("fails.test",))
    assert done.replies[-2].startswith(code)


RBL_REPLIES = [  # name, restriction, default_rbl_reply, rbl_reply_maps, reply
    ("another text", "reject_rbl_client bl.test", "550 5.7.9 $rbl_class $rbl_what by $rbl_domain: $rbl_reason, $rbl_txt", "",
     "550 5.7.9 Client host 192.0.2.7 by bl.test: a spammer, a spammer"),
    ("without an enhanced code", "reject_rbl_client bl.test", "450 come again", "", "450 4.7.1 come again"),
    ("only a code", "reject_rbl_client bl.test", "$rbl_code ", "", "554 5.7.1 Service unavailable"),
    ("what is known of the session", "reject_rbl_client bl.test", "550 $helo_name $sender $sender_name $sender_domain $recipient_name", "",
     "550 5.7.1 x a@good.test a good.test me"),
    ("no code", "reject_rbl_client bl.test", "go away", "", "450 4.7.1 Service unavailable"),
    ("a name that there is not", "reject_rbl_client bl.test", "550 a${mail_version}b", "", "550 5.7.1 ab"),
    ("by a table", "reject_rbl_client bl.test", "", "inline:{ {bl.test=550 by $$rbl_domain} }", "550 5.7.1 by bl.test"),
    ("by a table, with the codes", "reject_rbl_client bl.test=127.0.0.[2..4;9]", "450 x", "inline:{ {bl.test=550 no}, {bl.test\\=127.0.0.2=550 no} }", "450 4.7.1 x"),
    ("of a sender", "reject_rhsbl_sender dbl.test", "550 5.1.2 $rbl_class", "", "550 5.1.8 Sender address"),
    ("of a client", "reject_rbl_client bl.test", "550 5.1.2 $rbl_class", "", "550 5.0.0 Client host"),
    ("a table that fails", "reject_rbl_client bl.test", "550 x", "fail:x", "451 4.3.5 Server configuration error"),
    ("a table that does not know", "reject_rbl_client bl.test", "550 x", "inline:{ {other.test=550 y} }", "550 5.7.1 x"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("restriction", "default", "tables", "reply"),
    [row[1:] for row in RBL_REPLIES],
    ids=[row[0] for row in RBL_REPLIES],
)
def test_what_clients_in_block_lists_are_told(
    restriction: str, default: str, tables: str, reply: str, tmp_path: Path
) -> None:
    """default_rbl_reply and rbl_reply_maps."""
    sent = b"EHLO x\r\n", b"MAIL FROM:<a@good.test>\r\n", b"RCPT TO:<me@box.test>\r\n", b"QUIT\r\n"
    settings = {
        "smtpd_recipient_restrictions": restriction,
        "default_rbl_reply": default,
        "rbl_reply_maps": tables,
    }
    done = converse(tmp_path / "q", list(sent), settings=settings, zones=ZONES)
    assert done.replies[-2] == reply


ZONE_TEXTS = [
    ("bl.test", Zone("bl.test", text="bl.test")),
    ("bl.test=127.0.0.2", Zone("bl.test", tuple(map(frozenset, ([127], [0], [0], [2]))), "bl.test=127.0.0.2")),
    ("bl.test=127.0.[0;1].[2..4;9]", Zone("bl.test", tuple(map(frozenset, ([127], [0], [0, 1], [2, 3, 4, 9]))), "bl.test=127.0.[0;1].[2..4;9]")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "zone"), ZONE_TEXTS, ids=[row[0] for row in ZONE_TEXTS])
def test_zones(text: str, zone: Zone) -> None:
    """`zone=pattern`, as postscreen_dnsbl_sites and reject_rbl_client have it."""
    assert parse_zone(text) == zone


@pytest.mark.parametrize(
    "text", ["", "x=1", "x=1.2.3", "x=1.2.3.x", "x=1.2.3.[4..2]", "x=1.2.3.300", "x=1.2.3.4.5", "x=[1.2.3.4"]
)
def test_what_is_no_zone(text: str) -> None:
    """A pattern that is misread would let everybody in, or nobody."""
    with pytest.raises(ValueError, match=r"."):
        parse_zone(text)


def test_names_of_clients(tmp_path: Path) -> None:
    """reject_unknown_client_hostname and its kin look at the name that was found at connect."""
    for word, status, text in (
        ("reject_unknown_client_hostname", "4.7.25", "cannot find your hostname"),
        ("reject_unknown_reverse_client_hostname", "4.7.1", "cannot find your reverse hostname"),
    ):
        settings = {"smtpd_client_restrictions": word}
        sent = [b"EHLO x\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<me@box.test>\r\n"]
        done = converse(tmp_path / word, sent, settings=settings, name="unknown")
        assert done.replies[-1] == f"450 {status} Client host rejected: {text}, [192.0.2.7]"
        assert converse(tmp_path / word, sent, settings=settings).replies[-1] == "250 2.1.5 Ok"

"""The same scripted servers for Debian's Postfix and for us: the same lines in the log, the same words on the wire.

Each scenario has a domain and servers of its own.  Both products, each on its host, are given the same message; what
they log, what they say to the servers and what they return to the sender is compared, with queue ids, times, process
ids and delays taken out.  Differences stand in outbound_differences.txt, each with its reason.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.network import address
from fakes.outbound_world import Scenario, Server, World, read_differences
from fakes.scripted_server import BREAK_TLS, DROP

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

_MAIN_CF: Final = """\
notify_classes =
smtp_tls_security_level = may
smtp_tls_loglevel = 0
smtp_randomize_addresses = no
smtp_line_length_limit = 998
smtp_connection_cache_on_demand = no
recipient_delimiter = +
smtpd_reject_unlisted_recipient = no
transport_maps = inline:{
  { mapped.test = error:5.7.9 the domain is not served }
  { .mapped.test = retry:4.7.8 the subdomain is not served yet }
  { carol@person.test = error:carol does not live here }
  { dave+work@person.test = error:5.7.1 dave is not at work }
  { gone.test = discard:nobody wants it }
  { other.test = :[mx0.accepted.test] }
  { ports.test = smtp:[mx0.accepted.test]:25 }
  { byname.test = relay:accepted.test }
  { nowhere.test = nosuch:x }
  { same.test = : }
  }
smtp_send_xforward_command = yes
best_mx_transport = discard:it is ours
smtp_header_checks = regexp:{
  { /^X-Check: ignore/ IGNORE }
  { /^X-Check: prepend/ PREPEND X-Before: yes }
  { /^X-Check: replace (.*)/ REPLACE X-Replaced: $$1 }
  { /^X-Check: warn/ WARN look here }
  { /^X-Check: info/ INFO }
  { /^X-Check: strip/ STRIP it goes }
  { /^X-Check: dunno/ DUNNO }
  { /^X-Check: reject/ REJECT not here }
  }
smtp_mime_header_checks = regexp:{ { /^Content-Description: x/ REPLACE Content-Description: y } }
smtp_nested_header_checks = regexp:{ { /^Subject: nested/ PREPEND X-Nested: 1 } }
smtp_body_checks = regexp:{ { /^secret/ REPLACE hidden } { /^drop/ IGNORE } { /^note/ WARN noted } }
smtp_reply_filter = regexp:{ { /^550 5\\.7\\.1 rewrite me(.*)/ 450 4.7.1 later$$1 } }
smtp_delivery_status_filter = regexp:{ { /^5(\\.7\\.2 .*filter me.*)/ 4$$1 } { /^4(\\.7\\.3 .*filter me.*)/ 5$$1 } }
relocated_maps = inline:{ { eve@person.test = eve@elsewhere.test } }
sender_dependent_relayhost_maps = inline:{ { relayed@sender.test = [mx0.helo.test] } }
"""


def greylisted(_: bytes) -> bytes:
    """Always the first time."""
    return b"450 4.2.0 <bob@greylist.test>: Recipient address rejected: Greylisted"


def by_recipient(line: bytes) -> bytes:
    """bob is known, carol is not, dave is busy."""
    if b"carol" in line:
        return b"550 5.1.1 No such user"
    return b"452 4.2.2 Mailbox full" if b"dave" in line else b"250 2.1.5 Ok"


PLAIN: Final = b"250 mx.peer.test"
SCENARIOS: tuple[Scenario, ...] = (
    Scenario(name="accepted"),
    Scenario(name="nopipelining", servers=(Server({"EHLO": b"250-mx.peer.test\r\n250 8BITMIME"}),)),
    Scenario(name="helo", servers=(Server({"EHLO": b"502 5.5.1 No", "MAIL": b"250 Ok"}),)),
    Scenario(name="greylist", servers=(Server({"RCPT": greylisted}),)),
    Scenario(
        name="unknown",
        servers=(
            Server(
                {"RCPT": b"550-5.1.1 The address does not exist.\r\n550 5.1.1 Read https://example.test/"}
            ),
        ),
    ),
    Scenario(name="nodsncode", servers=(Server({"RCPT": b"550 no such user"}),)),
    Scenario(name="mixed", servers=(Server({"RCPT": by_recipient}),), recipients=("bob", "carol", "dave")),
    Scenario(name="badsender", servers=(Server({"MAIL": b"553 5.1.8 Sender not welcome"}),)),
    Scenario(name="softsender", servers=(Server({"MAIL": b"451 4.3.0 Later"}),)),
    Scenario(name="data", servers=(Server({"DATA": b"554 5.5.1 No data please"}),)),
    Scenario(name="strangedata", servers=(Server({"DATA": b"250 2.0.0 Thank you"}),)),
    Scenario(name="content", servers=(Server({".": b"554 5.7.1 Spam"}),)),
    Scenario(name="contentsoft", servers=(Server({".": b"451 4.3.2 Try later"}),)),
    Scenario(name="greeting421", servers=(Server({"greeting": b"421 4.3.2 Busy"}),)),
    Scenario(name="greeting554", servers=(Server({"greeting": b"554 5.7.1 Go away"}),)),
    Scenario(name="ehlo421", servers=(Server({"EHLO": b"421 4.7.0 Too many connections"}),)),
    Scenario(name="dropgreeting", servers=(Server({"greeting": DROP}),)),
    Scenario(name="dropehlo", servers=(Server({"EHLO": DROP}),)),
    Scenario(name="dropmail", servers=(Server({"MAIL": DROP}),)),
    Scenario(name="droprcpt", servers=(Server({"RCPT": DROP}),)),
    Scenario(name="dropdata", servers=(Server({"DATA": DROP}),)),
    Scenario(name="dropend", servers=(Server({".": DROP}),)),
    Scenario(name="refused", servers=(Server(None),)),
    Scenario(name="nextmx", servers=(Server(None, 10), Server({}, 20))),
    Scenario(name="softmx", servers=(Server({"RCPT": b"450 4.2.1 Not here"}, 10), Server({}, 20))),
    Scenario(name="hardmx", servers=(Server({"RCPT": b"550 5.1.1 Unknown"}, 10), Server({}, 20))),
    Scenario(name="brokenmx", servers=(Server({"DATA": DROP}, 10), Server({}, 20))),
    Scenario(name="greetingmx", servers=(Server({"greeting": b"554 5.7.1 No"}, 10), Server({}, 20))),
    Scenario(name="nullmx", servers=(), records="@ IN MX 0 .\n"),
    Scenario(name="nomx", servers=(), records="@ IN TXT hello\n"),
    Scenario(name="mxnowhere", servers=(), records="@ IN MX 10 gone.mxnowhere.test.\n"),
    Scenario(name="small", servers=(Server({"EHLO": b"250-mx.peer.test\r\n250 SIZE 10"}),)),
    Scenario(
        name="brokentls",
        servers=(Server({"EHLO": b"250-mx.peer.test\r\n250 STARTTLS", "STARTTLS": BREAK_TLS}),),
    ),
    Scenario(
        name="refusedtls",
        servers=(Server({"EHLO": b"250-mx.peer.test\r\n250 STARTTLS", "STARTTLS": b"454 4.7.0 Not now"}),),
    ),
    Scenario(
        name="dsn", parameters=(" RET=HDRS ENVID=e+2B1", " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bob@x.test")
    ),
    Scenario(
        name="dsnfailed",
        servers=(Server({"RCPT": b"550 5.1.1 Unknown"}),),
        parameters=(" RET=HDRS ENVID=e+2B1", " NOTIFY=FAILURE ORCPT=rfc822;b+2Bob@x.test"),
    ),
    Scenario(
        name="never", servers=(Server({"RCPT": b"550 5.1.1 Unknown"}),), parameters=("", " NOTIFY=NEVER")
    ),
    Scenario(name="toomany", servers=(Server({"RCPT": b"552 5.5.3 Too many recipients"}),)),
    Scenario(
        name="eight",
        message=b"Subject: h\r\nMessage-Id: <1@sender.test>\r\nDate: Tue, 1 Dec 2026 00:00:00 +0000\r\nFrom: alice@sender.test\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n",
        parameters=(" BODY=8BITMIME", ""),
    ),
    Scenario(
        name="longline",
        message=b"Subject: h\r\nMessage-Id: <1@sender.test>\r\nDate: Tue, 1 Dec 2026 00:00:00 +0000\r\nFrom: alice@sender.test\r\n\r\n"
        + b"x" * 2500
        + b"\r\n",
    ),
)


_FROM: Final = (
    b"Message-Id: <1@sender.test>\r\nDate: Tue, 1 Dec 2026 00:00:00 +0000\r\nFrom: alice@sender.test\r\n"
)
_PARTS: Final = _FROM + (
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=out\r\n"
    b"Content-Transfer-Encoding: 8bit\r\nSubject: parts\r\n\r\npre\r\n--out\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nContent-Description: x\r\n\r\n"
    b"Gr\xc3\xbc\xc3\x9fe = \t\r\n"
    + b"\xc3\xa4 " * 40
    + b"\r\n\r\n"
    + b"=" * 30
    + b"\r\n.dot\r\nsecret\r\n--out\r\n"
    b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--out\r\n"
    b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"Subject: nested\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: BINARY\r\n\r\n\xc3\xa4 inside \r\n"
    b"drop this\r\nnote this\r\n--out\r\n\r\nplain part \r\n--out--\r\nafter \r\n"
)
_NO_EIGHT: Final = (Server({"EHLO": b"250-mx.peer.test\r\n250 PIPELINING"}),)
SCENARIOS += (
    Scenario(
        name="checks",
        message=_FROM
        + b"".join(
            b"X-Check: %s line\r\n\tfolded\r\n" % word
            for word in (b"ignore", b"prepend", b"replace", b"warn", b"info", b"strip", b"dunno", b"reject")
        )
        + b"Subject: x\r\n\r\nsecret word\r\ndrop this\r\nnote that\r\nnot secret\r\n",
    ),
    Scenario(name="parts", message=_PARTS, parameters=(" BODY=8BITMIME", "")),
    Scenario(name="partsto7", servers=_NO_EIGHT, message=_PARTS, parameters=(" BODY=8BITMIME", "")),
    Scenario(
        name="textto7",
        servers=_NO_EIGHT,
        message=_FROM
        + b"Content-Transfer-Encoding: 8bit (really)\r\nSubject: x\r\n\r\nplain line\r\n\r\nends in blank \r\n"
        + b"x" * 72
        + b" \r\n"
        + b"\xe4" * 100
        + b"\r\na=b\tc\x01\x7f\r\n.\r\n",
        parameters=(" BODY=8BITMIME", ""),
    ),
    Scenario(
        name="unknownto7",
        servers=_NO_EIGHT,
        message=_FROM + b"Subject: \xc3\xa4\r\n\r\nno field tells of \xc3\xa4\r\n",
    ),
    Scenario(
        name="sevento7",
        servers=_NO_EIGHT,
        message=_FROM + b"Content-Transfer-Encoding: 8bit\r\n\r\n7-bit = only\r\n",
        parameters=(" BODY=7BIT", ""),
    ),
    *(
        Scenario(
            name=f"encoding{at}",
            message=_FROM + b"Content-Transfer-Encoding: %s\r\n\r\nx\r\n" % value,
            parameters=(parameter, ""),
        )
        for at, (value, parameter) in enumerate(
            (
                (b"8bit", ""),
                (b"8BIT", " BODY=7BIT"),
                (b"8bit ", " BODY=7BIT"),
                (b"7bit", ""),
                (b"binary", ""),
                (b"base64", ""),
                (b"quoted-printable", " BODY=8BITMIME"),
                (b"8bit (comment)", ""),
            )
        )
    ),
    *(
        Scenario(
            name=f"xforward{at}", servers=(Server({"EHLO": b"250-mx.peer.test\r\n250%s" % offer, **replies}),)
        )
        for at, (offer, replies) in enumerate(
            (
                (
                    b"-PIPELINING\r\n250 XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT",
                    {"XFORWARD": b"250 2.0.0 Ok"},
                ),
                (b" XFORWARD NAME ADDR PROTO HELO", {"XFORWARD": b"250 2.0.0 Ok"}),
                (
                    b"-PIPELINING\r\n250 XFORWARD ADDR HELO",
                    {"XFORWARD": b"550 5.7.0 Error: insufficient authorization"},
                ),
                (b" XFORWARD FOO", {"XFORWARD": b"250 2.0.0 Ok"}),
            )
        )
    ),
    Scenario(
        name="bestmx",
        servers=(),
        records=f"@ IN MX 10 us\n@ IN MX 20 other\nus IN A {address(2)}\nus IN A {address(3)}\nother IN A {address(19)}\n",
    ),
    Scenario(name="replyfilter", servers=(Server({"RCPT": b"550 5.7.1 rewrite me, please"}),)),
    Scenario(name="charset", servers=(Server({"RCPT": b"550 5.7.1 rewrite me, S\xfc\xdfer"}),)),
    Scenario(
        name="controls", servers=(Server({"RCPT": b"550 5.1.1 gr\xfc\xdfe\tfrom\x07 K\xc3\xb6ln\x7f"}),)
    ),
    Scenario(name="statussofter", servers=(Server({"RCPT": b"550 5.7.2 filter me"}),)),
    Scenario(name="statusharder", servers=(Server({"RCPT": b"450 4.7.3 filter me"}),)),
    Scenario(name="mapped"),
    Scenario(name="below.mapped"),
    Scenario(name="person"),
    *(
        Scenario(name=f"person.{user}", at="person", servers=(), recipients=(user,))
        for user in ("carol", "carol+x", "dave+work", "eve")
    ),
    Scenario(name="gone"),
    Scenario(name="other", servers=()),
    Scenario(name="ports", servers=()),
    Scenario(name="byname", servers=()),
    Scenario(name="same"),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The hosts, once for all scenarios."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    made = World(directory, SCENARIOS, _MAIN_CF)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_same_as_postfix(world: World, scenario: Scenario) -> None:
    """Log lines, words on the wire, notices."""
    known = read_differences(Path(__file__).parent / "outbound_differences.txt")
    for part, theirs, ours in zip(("log", "wire", "notice"), *world.play(scenario), strict=True):
        if f"{scenario.name}:{part}" in known:
            assert theirs != ours, f"{scenario.name}:{part} is on the list of differences, and there is none"
        else:
            assert theirs == ours, f"{theirs}\n--- and ours:\n{ours}"

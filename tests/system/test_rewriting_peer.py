"""The same addresses through Debian's Postfix and through us: envelopes and headers that come out equal.

Both hosts send everything to one server, which notes what it is told.  Each configuration is loaded once; the
messages of its rows are sent through both, and what the server heard is compared: MAIL and RCPT with their
parameters, headers (unfolded), and what the log says of recipients.
"""

import difflib
import re
import shlex
import smtplib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import pytest

from fakes.directories import let_others_in
from fakes.host import PACKAGED, Host
from fakes.mail_system import until
from fakes.network import Network, _ip, address
from fakes.pillarbox_host import INSTALLED, install
from fakes.postfix_services import MASTER_CF
from fakes.postfix_texts import normal_line
from fakes.scripted_server import ScriptedServer

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

LOG: Final = "/var/log/mail.log"

_MAIN_CF: Final = """\
compatibility_level = 3.6
myhostname = mail.here.test
mydomain = here.test
myorigin = here.test
mydestination = mail.here.test, here.test
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
biff = no
maillog_file = /var/log/mail.log
notify_classes =
relayhost = [10.53.0.20]
local_transport = smtp:[10.53.0.20]
virtual_transport = smtp:[10.53.0.20]
smtp_tls_security_level =
smtp_connection_cache_on_demand = no
smtpd_peername_lookup = no
recipient_delimiter = +
smtpd_banner = $myhostname ESMTP {number}
virtual_alias_domains = alias.test
virtual_mailbox_domains = box.test
virtual_mailbox_maps = static:x
virtual_mailbox_base = /home
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
"""


class Row(msgspec.Struct, frozen=True):
    """A message: `headers` are lines, recipients may have parameters behind a blank."""

    name: str
    sender: str
    recipients: tuple[str, ...]
    headers: str = "From: someone@elsewhere.test\nTo: other@elsewhere.test\n"
    local: bool = False  # by sendmail(1)


CANONICAL: Final = """\
canonical_maps = inline:{
  { old@here.test = new@here.test }
  { Mixed.Case@here.test = new@here.test }
  { bare = renamed }
  { @gone.test = @here.test }
  { one@chain.test = two@chain.test }
  { two@chain.test = three@chain.test }
  { self@here.test = self@here.test }
  { many@here.test = first@here.test, second@here.test }
  { nodomain@here.test = just.a.name }
  { circle1@here.test = circle2@here.test }
  { circle2@here.test = circle1@here.test }
  }
sender_canonical_maps = inline:{ { sender@here.test = public@here.test } { bare@here.test = frombare@here.test } }
recipient_canonical_maps = inline:{ { rcpt@here.test = box@here.test } { sender@here.test = asrcpt@here.test } }
masquerade_domains = !keep.masq.test masq.test other.masq.test
masquerade_exceptions = root, daemon
virtual_alias_maps = inline:{
  { list@alias.test = a@box.test, list2@alias.test b@out.test }
  { list2@alias.test = c@box.test d@box.test }
  { both@box.test = both@box.test }
  { two1@alias.test = same@box.test }
  { two2@alias.test = same@box.test }
  { @whole.test = @box.test }
  { user@part.test = @box.test }
  { new@here.test = fromcanonical@box.test }
  }
"""

RULES: Final = (
    Row("plain", "x@out.test", ("y@out.test",)),
    Row("sender", "old@here.test", ("y@out.test",), "From: old@here.test\nTo: y@out.test\n"),
    Row("recipient", "x@out.test", ("old@here.test",), "From: x@out.test\nTo: Old <old@here.test>\n"),
    Row("extension", "old+ext@here.test", ("old+more@here.test",), "From: old+h@here.test\nTo: old+i@here.test\n"),
    Row("case", "OLD@Here.Test", ("mixed.case@HERE.test",), "From: OLD@HERE.test\nTo: MIXED.CASE@here.test\n"),
    Row("bare", "bare@here.test", ("bare@here.test", "bare+x@mail.here.test"), "From: bare\nTo: bare@mail.here.test\n"),
    Row("notours", "bare@out.test", ("bare@out.test",), "From: bare@out.test\nTo: bare@out.test\n"),
    Row("domain", "me@gone.test", ("you+x@gone.test",), "From: me@gone.test\nTo: you+x@gone.test\n"),
    Row("chain", "one@chain.test", ("one@chain.test",), "From: one@chain.test\nTo: two@chain.test\n"),
    Row("self", "self@here.test", ("self@here.test",), "From: self+x@here.test\nTo: self@here.test\n"),
    Row("many", "many@here.test", ("many@here.test",), "From: many@here.test\nTo: many@here.test\n"),
    Row("nodomain", "nodomain@here.test", ("nodomain@here.test",), "From: nodomain@here.test\nTo: nodomain\n"),
    Row("circle", "x@out.test", ("circle1@here.test",)),
    Row("circleheader", "x@out.test", ("y@out.test",), "From: circle1@here.test\nTo: x@out.test\n"),
    Row("classes", "sender@here.test", ("sender@here.test",), "From: sender@here.test\nTo: sender@here.test\n"),
    Row("recipientmap", "rcpt@here.test", ("rcpt@here.test",), "From: rcpt@here.test\nTo: rcpt@here.test\n"),
    Row(
        "lists",
        "x@out.test",
        ("y@out.test",),
        'From: "Old, Man" <old@here.test> (a comment)\nReply-To: old@here.test, bare\n'
        "To: old@here.test, Group: one@chain.test, b@out.test;,\n\tbare (the bare one)\nCc: <@route.test:old@here.test>\n"
        "Sender: sender@here.test\nErrors-To: old@here.test\nDisposition-Notification-To: old@here.test\n"
        "X-Other: old@here.test\nResent-From: old@here.test\nResent-To: rcpt@here.test\nResent-Cc: old@here.test\n",
    ),
    Row("quoted", '"a b"@gone.test', ('"c d"@gone.test',), 'From: "a b"@gone.test\nTo: "c\\"d"@gone.test\n'),
    Row(
        "masquerade",
        "u@deep.host.masq.test",
        ("u@deep.host.masq.test",),
        "From: u@deep.host.masq.test\nTo: u@HOST.masq.test\nReply-To: u@masq.test\n",
    ),
    Row("masqkeep", "u@a.keep.masq.test", ("y@out.test",), "From: u@a.keep.masq.test\nTo: u@keep.masq.test\n"),
    Row("masqexcept", "root@a.masq.test", ("y@out.test",), "From: Root@a.masq.test\nTo: daemon@b.masq.test\n"),
    Row("virtual", "x@out.test", ("list@alias.test",)),
    Row("virtualext", "x@out.test", ("list+ext@alias.test", "user+e@part.test", "user+e@whole.test")),
    Row("virtualself", "x@out.test", ("both@box.test", "both@box.test")),
    Row("virtualtwice", "x@out.test", ("two1@alias.test", "two2@alias.test", "same@box.test", "same@box.test")),
    Row("virtualcanonical", "x@out.test", ("old@here.test",)),
    Row("dsn", "x@out.test", ("list@alias.test NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;l@x.test", "y@out.test NOTIFY=NEVER")),
    Row("null", "", ("old@here.test",), "From: MAILER-DAEMON\nTo: old@here.test\n"),
    Row("daemon", "mailer-daemon@here.test", ("y@out.test",)),
    Row("nothing", "x@out.test", ("y@out.test",), "Subject: no addresses\n"),
    Row("sendmail", "old", ("bare", "old@here.test"), "From: old\nTo: bare, old@here.test\n", local=True),
)  # fmt: skip
REMOTE: Final = """\
local_header_rewrite_clients =
canonical_maps = inline:{ { old@here.test = new@here.test } { user@domain.invalid = found@here.test } }
masquerade_domains = masq.test
"""
CLASSES: Final = """\
canonical_maps = inline:{ { old@here.test = new@here.test } }
canonical_classes = header_recipient, envelope_sender
sender_canonical_maps = inline:{ { sender@here.test = public@here.test } }
sender_canonical_classes = header_sender
recipient_canonical_maps = regexp:{{/^(.*)@Rcpt\\.test$$/ $$1@here.test}}
recipient_canonical_classes = envelope_recipient
masquerade_domains = masq.test
masquerade_classes = envelope_recipient, header_sender
propagate_unmatched_extensions =
virtual_alias_maps = inline:{ { user@alias.test = box@box.test } { sw@alias.test = @box.test } }
enable_original_recipient = no
local_header_rewrite_clients = check_address_map inline:{{127.0.0.1=ok}}
append_dot_mydomain = yes
append_at_myorigin = no
always_bcc = archive
sender_bcc_maps = inline:{ { old@here.test = oldcopy@here.test } { new@here.test = newcopy@here.test } { @bcc.test = all@here.test } }
recipient_bcc_maps = inline:{ { user@alias.test = usercopy@alias.test } { y@out.test = ycopy@box.test } }
"""
LIMITS: Final = """\
virtual_alias_maps = inline:{
  { wide@alias.test = a@box.test, b@box.test, c@box.test, d@box.test }
  { fits@alias.test = a@box.test, b@box.test, c@box.test }
  { deep@alias.test = deep1@alias.test }
  { deep1@alias.test = deep2@alias.test }
  { deep2@alias.test = deep3@alias.test }
  { deep3@alias.test = deep4@box.test }
  { long@alias.test = abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz@box.test }
  }
virtual_alias_expansion_limit = 3
virtual_alias_recursion_limit = 3
virtual_alias_address_length_limit = 40
remote_header_rewrite_domain = domain.invalid
local_header_rewrite_clients = permit_sasl_authenticated
canonical_maps = inline:{ { old@here.test = new@here.test } { user@domain.invalid = found@here.test } }, pipemap:{inline:{x@fail.test=1},fail:broken}
"""

GENERIC: Final = """\
smtp_generic_maps = inline:{ { me = me+here@provider.test } { old@here.test = new@provider.test, more@x.test }
  { @masq.test = @provider.test } { next@here.test = old@here.test } }
propagate_unmatched_extensions = generic
canonical_maps = inline:{ { canonical@here.test = me@here.test } }
"""

FILTERED: Final = """\
content_filter = smtp:[10.53.0.21]
canonical_maps = inline:{ { old@here.test = new@here.test } }
header_checks = regexp:{ { /^X-Filter: other/ FILTER smtp:[10.53.0.20] } { /^X-Filter: bad/ FILTER nowhere }
  { /^X-Filter: domain/ FILTER smtp: } }
default_filter_nexthop = [10.53.0.20]
smtpd_recipient_restrictions = check_recipient_access inline:{
  { other@here.test = FILTER smtp:[10.53.0.20] } { both@here.test = FILTER smtp:[10.53.0.20]:25 } }
smtpd_end_of_data_restrictions = check_sender_access inline:{ { end@here.test = FILTER smtp:[10.53.0.20]:25 } }
local_recipient_maps = inline:{ { old = x } { other = x } { both = x } }
"""
BACK: Final = """\
receive_override_options = no_address_mappings, no_header_body_checks, no_unknown_recipient_checks, no_milters
canonical_maps = inline:{ { old@here.test = new@here.test } }
virtual_alias_maps = inline:{ { a@alias.test = b@box.test } }
always_bcc = all@here.test
masquerade_domains = masq.test
header_checks = regexp:{ { /^X-Check: reject/ REJECT no } }
body_checks = regexp:{ { /^body/ REJECT no } }
local_recipient_maps = inline:{ { old = x } }
"""

ODD: Final = (
    Row("nulldomain", "x@out.test", ("user@",), "From: user@\nTo: other@\n", local=True),
    Row("minus", "x@out.test", ("-user@out.test",), "From: -user@out.test\n", local=True),
    Row("minussender", "-x@out.test", ("user@out.test",), local=True),
    Row("number", "x@out.test", ("user@192.0.2.1",), local=True),
    Row("ownnumber", "x@out.test", ("user@10.53.0.2", "user@[10.53.0.2]"), local=True),
    Row(
        "route",
        "x@out.test",
        ("user%out.test@here.test", "out.test!user@here.test", "user@out.test@here.test"),
        local=True,
    ),
    Row("quotedroute", "x@out.test", ('"user@out.test"@here.test', '"us er"@here.test'), local=True),
    Row(
        "baddomains",
        "x@out.test",
        ("user@-x", "user@a..b", "user@out.test.", "user@[x", "user@[10.0.0.300]"),
        local=True,
    ),
    Row("dots", "x@out.test", (".user@out.test", "u..ser@out.test", "user.@out.test"), local=True),
)
RESOLVING: Final = """\
allow_min_user = yes
resolve_null_domain = yes
resolve_numeric_domain = yes
resolve_dequoted_address = no
"""

ROUTING: Final = """\
maximal_queue_lifetime = 0
bounce_queue_lifetime = 0
transport_maps = inline:{
  { err1.test = error:mail for *.err1.test is not deliverable }
  { err2.test = error: 5.7.9 closed }
  { err3.test = error:4.7.1 temporary in error }
  { err4.test = error }
  { err5.test = error: }
  { err7.test = error:2.0.0 fine }
  { retry1.test = retry:4.4.1 server away }
  { retry2.test = retry:5.1.1 hard in retry }
  { retry3.test = retry: }
  { disc1.test = discard:silently gone }
  { disc2.test = discard: }
  { disc3.test = discard:5.7.1 with a code }
  { nexthop.test = :[10.53.0.21] }
  { both.test = : }
  { upper.test = SMTP:[10.53.0.21] }
  { nosuch.test = nosuch:foo }
  { .parent.test = smtp:[10.53.0.21] }
  { user@addr.test = smtp:[10.53.0.21] }
  { user+ext@addr.test = error:with its extension }
  { addr.test = error:others }
  { port.test = smtp:[10.53.0.21]:25 }
  { name.test = smtp:[10.53.0.21]:smtp }
  { more.test = smtp:[10.53.0.21] extra }
  { two.test = smtp:[10.53.0.20]:26, [10.53.0.21] }
  { unix.test = lmtp:unix:/nonexistent }
  { alias.test = smtp:[10.53.0.21] }
  { here.test = smtp:[10.53.0.21] }
  { moved.test = error:not where it is }
  }
sender_dependent_relayhost_maps = inline:{ { relay@here.test = [10.53.0.21] } { @relayed.test = [10.53.0.21]:25 }
  { dunno@relayed.test = DUNNO } { <> = [10.53.0.21] } { tagged@x.test = [10.53.0.21] } }
sender_dependent_default_transport_maps = inline:{ { trans@here.test = smtp:[10.53.0.21] }
  { fail@here.test = error:5.7.1 not you } { @retrying.test = retry:4.0.0 later } { bare@here.test = smtp }
  { dunno@here.test = dunno } }
relocated_maps = inline:{ { gone@here.test = new@elsewhere.test } { gone@out.test = "5.1.9 nowhere" }
  { @moved.test = all@elsewhere.test } { list@alias.test = list@elsewhere.test } }
virtual_alias_maps = inline:{ { toerr@alias.test = x@err1.test } { togone@alias.test = gone+ext@here.test } }
"""

CONFIGURATIONS: Final = {
    "routing": (
        ROUTING,
        tuple(
            Row(f"to{at}", "x@out.test", (recipient,), local=True)
            for at, recipient in enumerate(
                (
                    *(f"u@err{number}.test" for number in (1, 2, 3, 4, 5, 7)),
                    *(f"u@retry{number}.test" for number in range(1, 4)),
                    *(f"u@disc{number}.test" for number in range(1, 4)),
                    *(f"u@{name}.test" for name in "nexthop both upper nosuch parent a.parent a.b.parent addr port "
                      "name more two unix alias moved".split()),
                    "user@addr.test", "user+ext@addr.test", "user+x@addr.test", "USER@ADDR.TEST", "u@here.test", "u@box.test",
                    "gone@here.test", "gone+ext@here.test", "gone@mail.here.test", "gone@out.test", "toerr@alias.test",
                    "togone@alias.test", "list@alias.test", "gone", "u@ERR1.test", "u@err1.test.",
                )
            )
        )
        + tuple(
            Row(f"from{at}", sender, ("u@out.test",), local=True)
            for at, sender in enumerate(
                ("relay@here.test", "any@relayed.test", "dunno@relayed.test", "", "tagged+x@x.test", "trans@here.test",
                 "trans+x@here.test", "fail@here.test", "any@retrying.test", "bare@here.test", "dunno@here.test",
                 "RELAY@HERE.TEST", "trans")
            )
        ),
    ),
    "odd": ("", ODD),
    "resolving": (RESOLVING, ODD),
    "rules": (CANONICAL, RULES),
    "remote": (
        REMOTE,
        (
            Row("headers", "old@here.test", ("old@here.test",), "From: old\nTo: old@here.test, u@h.masq.test\n"),
            Row("local", "old", ("old",), "From: old\nTo: old, u@h.masq.test\n", local=True),
        ),
    ),
    "classes": (
        CLASSES,
        (
            Row("sender", "old@here.test", ("old@here.test",), "From: old@here.test\nTo: old@here.test\n"),
            Row("own", "sender@here.test", ("Mixed.Case@rcpt.test",), "From: sender@here.test\nTo: M@rcpt.test\n"),
            Row("masq", "u@h.masq.test", ("u@h.masq.test",), "From: u@h.masq.test\nTo: u@h.masq.test\n"),
            Row("ext", "x@out.test", ("user+e@alias.test", "sw+e@alias.test"), "From: short@host\nTo: nohost\n"),
            Row("copies", "z+e@bcc.test", ("y+e@out.test", "other@out.test", "y@out.test")),
            Row("same", "x@out.test", ("user@alias.test", "box@box.test", "ycopy@box.test")),
            Row("nullcopies", "", ("y@out.test",)),
            Row("sendmail", "old", ("y@out.test",), "From: old\nTo: y@out.test\n", local=True),
        ),
    ),
    "generic": (
        GENERIC,
        (
            Row("plain", "me@here.test", ("old@here.test",), "From: Me <me@here.test>\nTo: old@here.test, x@masq.test\n"),
            Row("once", "next@here.test", ("me+ext@here.test",), "From: next@here.test\nCc: me+a@mail.here.test\n"),
            Row("canonical", "canonical@here.test", ("x@masq.test",), "From: canonical@here.test\nTo: u+v@masq.test\n"),
            Row("null", "", ("me@here.test",), "From: other@elsewhere.test\nX-Mail: me@here.test\n"),
        ),
    ),
    "filtered": (
        FILTERED,
        (
            Row("plain", "x@out.test", ("y@out.test", "old@here.test"), "From: old@here.test\n"),
            Row("null", "", ("y@out.test",)),
            Row("header", "x@out.test", ("y@out.test",), "From: x@out.test\nX-Filter: other\n"),
            Row("bad", "x@out.test", ("y@out.test",), "From: x@out.test\nX-Filter: bad\n"),
            Row("nexthop", "x@out.test", ("y@out.test",), "From: x@out.test\nX-Filter: domain\n"),
            Row("access", "x@out.test", ("other@here.test", "y@out.test")),
            Row("headerwins", "x@out.test", ("both@here.test",), "From: x@out.test\nX-Filter: other\n"),
            Row("endwins", "end@here.test", ("y@out.test",), "From: x@out.test\nX-Filter: other\n"),
            Row("sendmail", "old", ("y@out.test",), "From: old\nX-Filter: no\n", local=True),
        ),
    ),
    "back": (
        BACK,
        (
            Row("plain", "u@h.masq.test", ("old@here.test", "a@alias.test", "nobody@here.test")),
            Row("headers", "old@here.test", ("y@out.test",), "From: old\nTo: old@here.test\nX-Check: reject\n"),
            Row("sendmail", "old", ("old@here.test",), "From: old\nX-Check: reject\n", local=True),
        ),
    ),
    "limits": (
        LIMITS,
        (
            Row("wide", "x@out.test", ("wide@alias.test",)),
            Row("fits", "x@out.test", ("fits@alias.test",)),
            Row("deep", "x@out.test", ("deep@alias.test",)),
            Row("deepenough", "x@out.test", ("deep2@alias.test",)),
            Row("long", "x@out.test", ("long@alias.test",)),
            Row("fault", "x@fail.test", ("y@out.test",)),
            Row("faultheader", "x@out.test", ("y@out.test",), "From: x@fail.test\nTo: y@out.test\n"),
            Row("invalid", "x@out.test", ("y@out.test",), "From: user\nTo: other, user@host\nSender: old@here.test\n"),
        ),
    ),
}  # fmt: skip


class World:
    """Both hosts and the server that hears everything."""

    def __init__(self, directory: Path) -> None:
        self.network = Network(directory, {"here.test": f"@ IN A {address(2)}\n"})
        _ip(f"address add {address(20)}/32 dev internet")
        _ip(f"address add {address(21)}/32 dev internet")
        self.servers = [ScriptedServer(address(number), 25) for number in (20, 21)]
        self._number = 0
        self.hosts = [self._host(2, PACKAGED), self._host(3, INSTALLED)]

    def _host(self, number: int, path: str) -> Host:
        host = self.network.host("mail.here.test", number, path=path)
        if path == PACKAGED:
            host.output("cp /usr/share/postfix/main.cf.dist /etc/postfix/main.cf; touch /etc/postfix/main.cf")
        else:
            install(host)
        host.write("/etc/postfix/main.cf", _MAIN_CF.format(number=0))
        host.write("/etc/postfix/master.cf", MASTER_CF)
        if path == PACKAGED:
            host.output("/usr/lib/postfix/configure-instance.sh -")
        host.output("postfix start")
        host.until_answers(25)
        return host

    def load(self, settings: str) -> None:
        """Another configuration for both."""
        self._number += 1
        for host in self.hosts:
            host.write("/etc/postfix/main.cf", _MAIN_CF.format(number=self._number) + settings)
            host.output("postfix reload")
            self._until_loaded(host)

    def _until_loaded(self, host: Host) -> None:
        until(
            lambda: self._banner(host).endswith(b" %d" % self._number),
            what=lambda: host.file(LOG).read_text()[-2000:],
        )

    def _banner(self, host: Host) -> bytes:
        with host.connect(25) as sock, sock.makefile("rb") as file:
            sock.settimeout(5)
            try:
                banner = file.readline().strip()
            except TimeoutError:
                return b""
        return banner

    def end(self) -> None:
        """Everything goes."""
        for server in self.servers:
            server.close()
        self.network.end()

    def play(self, host: Host, rows: Sequence[Row]) -> dict[str, str]:
        """What becomes of the messages, by the rows' names."""
        for server in self.servers:
            server.conversations.clear()
            server.messages.clear()
        before = len(host.file(LOG).read_text())

        def log() -> str:
            return host.file(LOG).read_text()[before:]

        replies = {row.name: self._submit(host, row) for row in rows}
        accepted = [row.name for row in rows if replies[row.name].startswith("250")]
        until(
            lambda: (
                len(set(re.findall(r"qmgr\[\d+\]: (\w+): removed", log())) & set(_ids(rows, log()).values()))
                >= len(accepted)
            ),
            what=log,
        )
        until(lambda: not any(server.open for server in self.servers), what="the servers are left")
        text, ids = log(), _ids(rows, log())
        return {row.name: self._result(replies[row.name], row.name, ids[row.name], text) for row in rows}

    def _result(self, reply: str, name: str, queue_id: str, log: str) -> str:
        lines = [line for line in log.split("\n") if f" {queue_id}: " in line and _counts(line)]
        conversations = [said for server in self.servers for said in server.conversations]
        said = next((said for said in conversations if _is_of(name, said)), [])
        envelope = [
            re.sub(r" SIZE=\d+| ENVID=\w+", "", line.decode())
            for line in said
            if line[:5] in (b"MAIL ", b"RCPT ")
        ]
        headers = [
            _headers(message)
            for server in self.servers
            for message in server.messages
            if b"\nX-Row: %s\r" % name.encode() in message
        ]
        return "\n".join([_text(reply), *sorted(map(_log_line, lines)), *sorted(envelope), *headers])

    def _submit(self, host: Host, row: Row) -> str:
        message = f"{row.headers}X-Row: {row.name}\n\nbody\n"
        if row.local:
            host.output(
                f"/usr/sbin/sendmail -V {row.name} -f '{row.sender}' -- {shlex.join(row.recipients)}",
                content=message,
            )
            return "250 sendmail"
        client = smtplib.SMTP(local_hostname="client.test")
        client.sock = host.connect(25)
        client.file = None
        client.getreply()
        client.ehlo()
        client.docmd("MAIL", f"FROM:<{row.sender}> ENVID={row.name}")
        replies = []
        for recipient in row.recipients:
            text, _, parameters = recipient.partition(" NOTIFY")
            parameters = f" NOTIFY{parameters}" if parameters else ""
            replies.append(client.docmd("RCPT", f"TO:<{text}>{parameters}"))
        assert all(code == 250 for code, _ in replies), replies
        code, last = client.docmd("DATA")
        if code == 354:
            client.send(message.replace("\n", "\r\n").encode() + b".\r\n")
            code, last = client.getreply()
        client.docmd("QUIT")
        client.close()
        return f"{code} {last.decode()}"


def _ids(rows: Sequence[Row], log: str) -> dict[str, str]:
    """Queue ids: one comes after the other, by SMTP and from local users."""
    by_smtp = iter(re.findall(r"smtpd\[\d+\]: (\w+): client=", log))
    local = iter(re.findall(r"pickup\[\d+\]: (\w+): uid=", log))
    return {row.name: next(local if row.local else by_smtp, "none yet") for row in rows}


def _is_of(name: str, said: list[bytes]) -> bool:
    return any(re.search(rb" ENVID=%s\b" % name.encode(), line) for line in said)


def _counts(line: str) -> bool:
    return (
        " to=<" in line or "warning" in line or ("from=<" in line and ("qmgr" in line or ": filter:" in line))
    )


def _text(line: str) -> str:
    return re.sub(r"queued as \w+", "queued as ID", line)


def _log_line(line: str) -> str:
    line = re.sub(
        r"warning: (?:table lookup problem: fail:broken: .*|pipemap:.* lookup error for .*)",
        "warning: TABLE",
        line,
    )
    line = normal_line(line).partition(": ")[2]  # who says it does not count
    return re.sub(r"size=\d+", "size=N", line)


def _headers(message: bytes) -> str:
    header = message.decode().partition("\r\n\r\n")[0]
    unfolded = re.sub(r"\r\n[ \t]+", " ", header).split("\r\n")
    normal = []
    for line in unfolded:
        line = re.sub(r"\s*,\s*", ", ", re.sub(r"[ \t]+", " ", line).replace(" (", "("))
        line = re.sub(r"<\d{14}\.\w+@", "<ID@", line)
        line = re.sub(r"\bid \w+", "id ID", line)
        line = re.sub(r'boundary="\w+\.\d*', 'boundary="ID.', line)
        line = re.sub(r"userid \d+", "userid N", line)
        normal.append(re.sub(r"\w{3}, +\d+ \w{3} 20\d\d \d\d:\d\d:\d\d \+0000 ?\(UTC\)", "DATE", line))
    return "\n".join(normal)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The hosts, once for all configurations."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    made = World(directory)
    try:
        yield made
    finally:
        made.end()


def differences() -> dict[str, str]:
    """configuration.row → reason."""
    text = (Path(__file__).parent / "rewriting_differences.txt").read_text()
    rows = [line.split("\t") for line in text.split("\n") if line and not line.startswith("#")]
    return {row[0]: row[2] for row in rows}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_same_addresses_as_from_postfix(world: World, name: str, subtests: pytest.Subtests) -> None:
    """Envelope, headers, log."""
    settings, rows = CONFIGURATIONS[name]
    known = differences()
    world.load(settings)
    theirs, ours = (world.play(host, rows) for host in world.hosts)
    for row in rows:
        with subtests.test(row.name):
            expected, found = theirs[row.name], ours[row.name]
            if f"{name}.{row.name}" in known:
                assert expected != found, (
                    f"{name}.{row.name} is on the list of differences, and there is none"
                )
            else:
                assert expected == found, "\n".join(difflib.ndiff(expected.split("\n"), found.split("\n")))

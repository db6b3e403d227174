"""The cases of test_rewriting_peer.py: configurations with messages, and messages that cannot be delivered."""

from typing import Final

import msgspec


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

REDIRECTED: Final = """\
canonical_maps = inline:{ { old@here.test = new@here.test } }
recipient_canonical_maps = inline:{ { rcpt@here.test = box@box.test } }
virtual_alias_maps = inline:{ { one@alias.test = other@box.test } { two@alias.test = a@box.test b@out.test } { list@alias.test = c@box.test d@out.test } }
header_checks = regexp:{ { /^X-To: (.*)$$/ REDIRECT $$1 } { /^X-No:/ REJECT no }
  { /^X-Filter:/ FILTER error:5.7.1 filtered } }
transport_maps = inline:{ { err1.test = error:5.1.1 no such user here } }
smtpd_recipient_restrictions = check_recipient_access inline:{
  { away@out.test = REDIRECT someone@out.test } { owner@out.test = REDIRECT old@here.test } { listed@out.test = REDIRECT two@alias.test }
  { failing@out.test = REDIRECT u@err1.test } }
"""
NO_ORIGIN: Final = """\
append_at_myorigin = no
smtpd_reject_unlisted_recipient = no
append_dot_mydomain = yes
notify_classes = bounce, 2bounce
maximal_queue_lifetime = 0
bounce_queue_lifetime = 0
transport_maps = inline:{ { err1.test = error:5.1.1 no such user here } }
canonical_maps = inline:{ { old = new } { sub@here.test = bare } }
virtual_alias_maps = inline:{ { two@alias.test = a b@err1.test } }
"""

CONFIGURATIONS: Final = {
    "noorigin": (
        NO_ORIGIN,
        (
            Row("bounce", "old", ("u@err1.test",), "From: old\nTo: other\n", local=True),
            Row("other", "other", ("u@err1.test", "bare@err1.test"), "From: other\nTo: bare\n", local=True),
            Row("smtp", "x@out.test", ("u@err1.test",), "From: other\nTo: bare\n"),
            Row("aliased", "x@out.test", ("bare", "two@alias.test"), "From: other\nTo: bare\n", local=True),
            Row("host", "u@host", ("u@err1.test",), "From: u@host\nTo: bare\nCc: bare@host\n", local=True),
            Row("nobody", "", ("u@err1.test",), "From: <>\n", local=True),
            Row("none", "other", ("u@err1.test",), "Subject: nothing\n", local=True),
        ),
    ),
    "redirected": (
        REDIRECTED,
        (
            Row("access", "x@out.test", ("away@out.test",)),
            Row("several", "x@out.test", ("y@out.test", "away@out.test", "z@out.test")),
            Row("mapped", "x@out.test", ("rcpt@here.test", "owner@out.test")),
            Row("aliased", "x@out.test", ("two@alias.test", "away@out.test")),
            Row("listed", "x@out.test", ("list@alias.test", "listed@out.test")),
            Row("dsn", "x@out.test", ("y@out.test NOTIFY=SUCCESS ORCPT=rfc822;l@x.test", "away@out.test NOTIFY=NEVER")),
            Row("dsnfirst", "x@out.test", ("away@out.test NOTIFY=SUCCESS", "y@out.test")),
            Row("fails", "x@out.test", ("y@out.test NOTIFY=FAILURE ORCPT=rfc822;l@x.test", "failing@out.test")),
            Row("header", "x@out.test", ("y@out.test", "z@out.test"), "From: x@out.test\nX-To: someone@out.test\n"),
            Row("headeralias", "x@out.test", ("rcpt@here.test",), "From: x@out.test\nX-To: one@alias.test\n"),
            Row("headerbare", "x@out.test", ("y@out.test",), "From: x@out.test\nX-To: old\n"),
            Row("headercanonical", "x@out.test", ("y@out.test",), "From: x@out.test\nX-To: old@here.test\n"),
            Row("same", "x@out.test", ("y@out.test",), "From: x@out.test\nX-To: y@out.test\n"),
            Row("both", "x@out.test", ("away@out.test",), "From: x@out.test\nX-To: y@out.test\n"),
            Row("twice", "x@out.test", ("away@out.test",), "From: x@out.test\nX-To: y@out.test\nX-To: z@out.test\n"),
            Row("filtered", "x@out.test", ("y@out.test",), "From: x@out.test\nX-Filter: x\nX-To: z@out.test\n"),
            Row("rejected", "x@out.test", ("y@out.test",), "From: x@out.test\nX-To: z@out.test\nX-No: x\n"),
            Row("rejectedfirst", "x@out.test", ("y@out.test",), "From: x@out.test\nX-No: x\nX-To: z@out.test\n"),
            Row("sendmail", "old", ("y@out.test", "old@here.test"), "From: old\nX-To: someone@out.test\n", local=True),
            Row("sendmailcanonical", "old", ("rcpt@here.test", "old@here.test"), "From: old\nX-To: old@here.test\n", local=True),
        ),
    ),
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


REPORTING: Final = """\
smtpd_reject_unlisted_recipient = no
transport_maps = inline:{ { bad.test = error:5.1.1 no such user here } { worse.test = error:5.7.1 a reason that goes on and on for far more than one line of a report would hold, until there is no more to be said of it }
  { eight.test = error:5.7.1 gr\u00fcn } { b\u00fccher.test = error:5.1.2 no such domain } }
bounce_size_limit = 2000
enable_threaded_bounces = yes
notify_classes = 2bounce
2bounce_notice_recipient = boss@out.test
smtpd_authorized_verp_clients = 0.0.0.0/0
"""


class Failing(msgspec.Struct, frozen=True):
    """A message that cannot be delivered; parameters stand behind the addresses."""

    name: str
    sender: str = "x@out.test"
    recipients: tuple[str, ...] = ("u@bad.test",)
    options: str = ""  # of MAIL
    message: str = "Subject: plain\nMessage-Id: <id@out.test>\n\nbody\n"


REPORTED: Final = (
    Failing("plain"),
    Failing("headers", options="RET=HDRS"),
    Failing("full", options="RET=FULL"),
    Failing("big", message="Subject: big\n\n" + "line of the body\n" * 300),
    Failing("bigfull", options="RET=FULL", message="Subject: big\n\n" + "line of the body\n" * 300),
    Failing("bigheader", message="Subject: big\n" + "X-Line: of the header\n" * 300 + "\nbody\n"),
    Failing("two", recipients=("u@bad.test", "v@bad.test", "w@worse.test")),
    Failing("never", recipients=("u@bad.test NOTIFY=NEVER", "v@bad.test")),
    Failing("onlysuccess", recipients=("u@bad.test NOTIFY=SUCCESS", "v@bad.test NOTIFY=FAILURE")),
    Failing("original", recipients=("u@bad.test ORCPT=rfc822;other+2Bx@where.test", "v@bad.test ORCPT=x400;some+20thing")),
    Failing("envelope", options="ENVID=an+20id+2B1"),
    Failing("quoted", '"a b"@out.test', ('"c d"@bad.test',)),
    Failing("eight", recipients=("u@eight.test",)),
    Failing("eightbody", options="BODY=8BITMIME", message="Subject: x\n\ngr\u00fcn\n"),
    Failing("eightunsaid", message="Subject: gr\u00fcn\n\ngr\u00fcn\n"),
    Failing("mime", message='MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n--b\n\npart\n--b--\n'),
    Failing("threaded", message="Subject: x\nReferences: <1@x> <2@x>\nIn-Reply-To: <2@x>\nMessage-ID: <3@x>\n\nbody\n"),
    Failing("folded", message="Subject: x\n\ty\nMessage-ID:\n <3@x> (comment)\nReferences:\n\t<1@x>\n <2@x>\n\nbody\n"),
    Failing("commented", message="Subject: x\nMessage-ID: <3@x> (comment)\n\nbody\n"),
    Failing("foldedid", message="Subject: x\nMessage-ID:\n <3@x>\n\nbody\n"),
    Failing("oddid", message="Subject: x\nMessage-ID: foo bar\n\nbody\n"),
    Failing("bareid", message="Subject: x\nMessage-ID: foo@bar\n\nbody\n"),
    Failing("twoids", message="Subject: x\nMessage-ID: <1@x>\nMessage-ID: <2@x>\n\nbody\n"),
    Failing("longid", message="Subject: x\nMessage-ID: <" + "a" * 900 + "@x>\n\nbody\n"),
    Failing("emptyid", message="Subject: x\nMessage-ID:\n\nbody\n"),
    Failing("noid", message="Subject: x\n\nbody\n"),
    Failing("nothing", message="\n"),
    Failing("dots", message="Subject: x\n\n.\n..\n.x\nFrom me\n"),
    Failing("utf8sender", "gr\u00fcn@out.test", options="SMTPUTF8"),
    Failing("utf8recipient", recipients=("gr\u00fcn@bad.test",), options="SMTPUTF8"),
    Failing("utf8domain", recipients=("u@b\u00fccher.test",), options="SMTPUTF8"),
    Failing("utf8header", options="SMTPUTF8", message="Subject: gr\u00fcn\nFrom: \u00fc@out.test\n\nbody\n"),
    Failing("utf8original", recipients=("u@bad.test ORCPT=utf-8;gr\\x{FC}n@bad.test",), options="SMTPUTF8"),
    Failing("utf8headers", "gr\u00fcn@out.test", ("\u00fc@bad.test", "v@bad.test"), options="SMTPUTF8 RET=HDRS"),
    Failing("null", ""),
    Failing("daemon", "double-bounce@here.test"),
    Failing("verp", "list@out.test", ("u@bad.test", "v+x@bad.test"), options="XVERP"),
    Failing("verpmarks", "list@out.test", ("u@bad.test",), options="XVERP=-="),
)  # fmt: skip

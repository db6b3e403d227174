"""The cases of test_cleanup_parameters_peer.py: values of a parameter of cleanup(8), and messages that show it."""

from collections.abc import Mapping
from typing import Final

import msgspec

from fakes.held_mail import Letter

SETTINGS: Final = {
    "mynetworks": "127.0.0.0/8",
    "myorigin": "here.test",
    "mydomain": "here.test",
    "virtual_mailbox_domains": "box.test",
    "virtual_alias_domains": "alias.test",
    "virtual_mailbox_maps": "static:Maildir/",
    "virtual_alias_maps": "",
    "recipient_delimiter": "+",
    "smtpd_relay_restrictions": "permit_mynetworks, reject",
    "smtpd_recipient_restrictions": "check_recipient_access static:HOLD",
    "smtpd_reject_unlisted_recipient": "no",
    "smtpd_error_sleep_time": "0",
    "smtpd_peername_lookup": "no",
    "message_size_limit": "1000000",
    "header_size_limit": "102400",
    "remote_header_rewrite_domain": "remote.test",
    "default_transport": "error:5.4.4 no route",
}
"""Of both servers."""


class Case(msgspec.Struct, frozen=True):
    """A service of cleanup(8), an smtpd(8) that uses it, and what is sent there."""

    name: str
    settings: Mapping[str, str]
    letters: tuple[Letter, ...] = (Letter(),)
    server: Mapping[str, str] = {}

    @property
    def cleanup(self) -> str:
        """Its lines of master.cf."""
        lines = [f"cleanup-{self.name} unix n - n - 0 cleanup"]
        return (
            "\n".join([*lines, *(f"  -o {{ {name} = {value} }}" for name, value in self.settings.items())])
            + "\n"
        )

    @property
    def service(self) -> Mapping[str, str]:
        """Settings of the smtpd(8)."""
        return {"cleanup_service_name": f"cleanup-{self.name}", **self.server}


def message(*fields: str, body: str = "body\n") -> bytes:
    """Header fields and a body; lines end in CRLF."""
    return ("\n".join(fields) + "\n\n" + body).replace("\n", "\r\n").encode("utf-8", "surrogateescape")


ADDRESSED: Final = message(
    "From: me@a.masq.test",
    "Sender: root@a.masq.test",
    "Reply-To: rp@b.masq.test, x@masq.test",
    "To: You <you@a.masq.test>, old@here.test",
    "Cc: old+ext@here.test",
    "Bcc: blind@here.test",
    "Errors-To: errors@a.masq.test",
    "Return-Receipt-To: receipt@a.masq.test",
    "Disposition-Notification-To: dnt@a.masq.test",
    "Resent-From: rf@a.masq.test",
    "Resent-To: rt@a.masq.test",
    "Mail-Followup-To: mft@a.masq.test",
)
LOCAL: Final = {"local_header_rewrite_clients": "permit_mynetworks"}
REMOTE: Final = {"local_header_rewrite_clients": ""}
MASQ: Final = {"masquerade_domains": "masq.test"}
OLD: Final = "inline:{ old@here.test=new@here.test, me@a.masq.test=changed@here.test }"
MASQUERADED: Final = (
    Letter(sender="me@a.masq.test", recipients=("you@a.masq.test", "old@here.test"), message=ADDRESSED),
    Letter(sender="root@a.masq.test", recipients=("root@a.masq.test",), message=ADDRESSED),
)


def nested(depth: int, *, length: int = 3) -> bytes:
    """Multiparts in one another."""
    head = "MIME-Version: 1.0\n"
    text, end = "", ""
    for level in range(depth):
        boundary = f"b{level}" + "x" * (length - 2)
        text += f'Content-Type: multipart/mixed; boundary="{boundary}"\n\n--{boundary}\n'
        end = f"--{boundary}--\n{end}"
    return (
        (head + text + "Content-Type: text/plain\nX-Inner: yes\n\nbody\n" + end)
        .replace("\n", "\r\n")
        .encode()
    )


def in_message(*fields: str) -> bytes:
    """A message in a message."""
    return message(
        "Subject: outer",
        "MIME-Version: 1.0",
        "Content-Type: message/rfc822",
        body="\n".join(fields) + "\n\nbody\n",
    )


PARTS: Final = message(
    "Subject: outer",
    "MIME-Version: 1.0",
    "Content-Type: multipart/mixed; boundary=bb",
    "X-Mark: primary",
    body="preamble\n--bb\nContent-Type: text/plain; name=evil.exe\nX-Mark: part\n\nbad body\n--bb\n"
    "Content-Type: message/rfc822\n\nSubject: inner\nX-Mark: nested\nReceived: inner\n\nbad inner\n--bb--\nbad end\n",
)
LONG_PARTS: Final = message(
    "Subject: outer",
    "MIME-Version: 1.0",
    "Content-Type: multipart/mixed; boundary=bb",
    body="--bb\nContent-Type: text/plain;\n name=abcdef;\n x-more=long\nX-Fold: "
    + "f" * 29
    + "\n\tg\n\th\n\nbody\n"
    "--bb\nContent-Type: message/rfc822\n\nX-Long: "
    + "l" * 2100
    + "\nX-Pre: "
    + "p" * 40
    + "\n\nbody\n--bb--\n",
)
MARKS: Final = "regexp:{{/^X-Mark: (.*)/ REPLACE X-Seen: $$1}, {/^Content-Type:.*exe/ WARN exe}}"
EIGHT: Final = "h\udcc3\udca4\udcff"
RECEIVED: Final = tuple(f"Received: from h{number}.test" for number in range(4))
ALIASES: Final = (
    "inline:{ { wide@alias.test = a1@box.test, a2@box.test, a3@box.test }, { fits@alias.test = a1@box.test, a2@box.test }, "
    "{ deep@alias.test = d1@alias.test }, { d1@alias.test = d2@alias.test }, { d2@alias.test = d3@alias.test }, "
    "{ d3@alias.test = end@box.test }, { long@alias.test = verylonglocalpart@box.test }, "
    "{ nothing@alias.test = }, { two@alias.test = wide@alias.test, y@out.test } }"
)
WASHED: Final = message("Subject: \x01one Q", "X-Q: Q", "From: Qx@out.test", body="a\x01b Q\nQ\n\x02\n")

ODD: Final = tuple(
    text.replace(b"\n", b"\r\n")
    for text in (
        b"From me Mon\nSubject: x\n\nb\n", b">From me\nSubject: x\n\nb\n", b"Subject : x\nTo\t: a\n\nb\n", b"Subject: x\nno field\nTo: a\n\nb\n",
        b" leading\nSubject: x\n\nb\n", b"Subject: x\n \n\t\nTo: a\n\nb\n", b"Subject:\n\nb\n", b": x\n\nb\n", b"X\xe9: y\n\nb\n", b"X: a\n\nb\0c\n",
        b"Subject: " + b"s" * 3000 + b"\n\n" + b"b" * 5000 + b"\n", b"Subject: x\n\n" + b"b" * 2048 + b"\n" + b"c" * 2049 + b"\n",
        b"Subject: x\n\n.\n..\n.x\n", b"Subject: x\n\n\n\n", b"Message-Id: <a@b>\nMessage-Id: <c@d>\n\n",
        b"Message-Id:\n <a@b> (c)\n\n", b"Resent-Message-Id: <r@b>\nResent-Date: d\nResent-From: f\nResent-To: t\n\n", b"From:\nTo:\nDate:\nMessage-Id:\n\nb\n",
        b"To: a@b.test,\n c@d.test,,\n\t<e@f.test>;\nCc: g:h@i.test;\n\n", b'From: "A, B" <a@b.test> c@d.test (x (y) z)\nTo: <@r1,@r2:u@x.test>\n\n',
        b"From: a b c@d.test\nTo: open <a@b.test\nCc: a@b@c.test\nReply-To: <<a@b.test>>\n\n", b"To: =?utf-8?q?a?= <a@b>, b%c@d, e!f@g, h@[1.2.3.4]\nFrom: h@i.test.\n\n",
        b"Content-Type: multipart/mixed; boundary=b\nContent-Type: text/plain\n\n--b\nX: y\n\nz\n--b--\n", b"TLS-Required: no\nSubject: x\n\nb\n",
        b"Sender: root\nErrors-To: a\nReturn-Receipt-To: b\nDisposition-Notification-To: c\nMail-Followup-To: d\nMail-Reply-To: e\nApparently-To: f\n\n",
    )
)  # fmt: skip

CASES: Final = (
    Case("plain", {}, (Letter(), Letter(sender=""), Letter(message=b"\r\n"), Letter(message=b""), Letter(message=b"no header\r\n"))),
    Case("odd-local", {}, tuple(Letter(message=text) for text in ODD), LOCAL),
    Case("odd-remote", {}, tuple(Letter(message=text) for text in ODD), REMOTE),
    Case(
        "access",
        {"header_checks": "regexp:{{/^X-Access/ WARN seen}}"},
        tuple(Letter(sender=f"{word}@out.test", recipients=("y@out.test", "z@out.test")) for word in ("redirect", "filter", "prepend", "hold", "ok", "warn")),
        {
            "smtpd_sender_restrictions": "check_sender_access inline:{ { redirect@out.test = REDIRECT r@s.test }, "
            "{ filter@out.test = FILTER smtp:other }, { prepend@out.test = PREPEND X-Access: yes }, { hold@out.test = HOLD }, "
            "{ ok@out.test = OK }, { warn@out.test = WARN careful } }",
        },
    ),
    Case("verp", {}, tuple(Letter(options=options) for options in ("XVERP", "XVERP=-=", "XVERP=+= RET=HDRS ENVID=a+2Bb")), {"smtpd_authorized_verp_clients": "127.0.0.1"}),
    Case(
        "dsn",
        {"virtual_alias_maps": ALIASES},
        tuple(
            Letter(recipients=(f"{name}> {options}",), options="RET=FULL ENVID=q")
            for name in ("y@out.test", "fits@alias.test")
            for options in ("NOTIFY=NEVER", "NOTIFY=SUCCESS,FAILURE", "NOTIFY=DELAY ORCPT=rfc822;a+2Bb@x.test", "ORCPT=utf-8;a@x.test", "ORCPT=x400;a")
        ),
    ),
    Case("no-rewriting", {"virtual_alias_maps": ALIASES}, (Letter(sender="a", recipients=("b", "c@host", "d%e@f", "g!h", '"i j"@k.test', "l@[127.0.0.1]", "m@n.test.")),)),
    # copies
    Case("always-bcc", {"always_bcc": "copy@here.test"}, (Letter(), Letter(sender=""), Letter(recipients=("copy@here.test",)))),
    Case("always-bcc-bare", {"always_bcc": "copy"}),
    Case("always-bcc-odd", {"always_bcc": "copy@"}),
    Case("always-bcc-list", {"always_bcc": "one@here.test, two@here.test"}),
    Case("always-bcc-null", {"always_bcc": "<>"}),
    Case("always-bcc-alias", {"always_bcc": "fits@alias.test", "virtual_alias_maps": ALIASES}),
    Case("always-bcc-canonical", {"always_bcc": "old@here.test", "canonical_maps": OLD}),
    Case(
        "sender-bcc",
        {"sender_bcc_maps": "inline:{ x@out.test=one@here.test, { @two.test=two }, { n@two.test = }, {me=mine}, { <> = null@here.test } }"},
        tuple(Letter(sender=who) for who in ("x@out.test", "x+e@out.test", "X@OUT.TEST", "y@two.test", "n@two.test", "me@here.test", "", "no@out.test")),
    ),
    Case(
        "recipient-bcc",
        {"recipient_bcc_maps": "inline:{ y@out.test=one@here.test, @two.test=two, me=mine, { s@out.test=a@b.test, c@d.test } }", "always_bcc": "one@here.test"},
        (
            Letter(recipients=("y@out.test", "y+e@out.test", "Y@OUT.TEST", "z@two.test", "me@here.test", "s@out.test")),
            Letter(recipients=("s@out.test> NOTIFY=SUCCESS ORCPT=rfc822;s@x.test",)),
        ),
    ),
    Case("bcc-fails", {"recipient_bcc_maps": "fail:x"}),
    Case("sender-bcc-fails", {"sender_bcc_maps": "fail:x"}),
    # canonical mapping
    *(
        Case(
            f"canonical-{word.replace('_', '-') or 'none'}",
            {"canonical_maps": OLD, "canonical_classes": word},
            (Letter(sender="old@here.test", recipients=("old@here.test",), message=ADDRESSED),),
            LOCAL,
        )
        for word in ("envelope_sender", "envelope_recipient", "header_sender", "header_recipient")
    ),
    *(
        Case(
            f"sender-canonical-{word.replace('_', '-')}",
            {"sender_canonical_maps": OLD, "sender_canonical_classes": word},
            (Letter(sender="old@here.test", recipients=("old@here.test",), message=ADDRESSED),),
            LOCAL,
        )
        for word in ("envelope_sender", "header_sender")
    ),
    *(
        Case(
            f"recipient-canonical-{word.replace('_', '-')}",
            {"recipient_canonical_maps": OLD, "recipient_canonical_classes": word},
            (Letter(sender="old@here.test", recipients=("old@here.test",), message=ADDRESSED),),
            LOCAL,
        )
        for word in ("envelope_recipient", "header_recipient")
    ),
    Case("canonical-fails", {"canonical_maps": "fail:x"}),
    Case("canonical-fails-header", {"sender_canonical_maps": "fail:x", "sender_canonical_classes": "header_sender"}, server=LOCAL),
    Case("virtual-fails", {"virtual_alias_maps": "fail:x"}),
    # masquerading
    Case("masquerade", MASQ, MASQUERADED, LOCAL),
    Case("masquerade-exceptions", {**MASQ, "masquerade_exceptions": "root, inline:{ me=x }"}, MASQUERADED, LOCAL),
    Case("masquerade-but", {**MASQ, "masquerade_exceptions": "!root, static:all"}, MASQUERADED, LOCAL),
    Case("masquerade-own", {"masquerade_domains": "!a.masq.test masq.test"}, MASQUERADED, LOCAL),
    Case("masquerade-deep", {"masquerade_domains": "a.masq.test masq.test"}, (Letter(sender="u@x.a.masq.test"), *MASQUERADED), LOCAL),
    Case("masquerade-dot", {"masquerade_domains": ".masq.test"}, MASQUERADED, LOCAL),
    Case("masquerade-exceptions-fail", {**MASQ, "masquerade_exceptions": "fail:x"}, MASQUERADED, LOCAL),
    Case("masquerade-exceptions-asked", {"masquerade_domains": "other.test", "masquerade_exceptions": "fail:x", "masquerade_classes": "envelope_recipient"}, (Letter(), Letter(recipients=("user",)))),
    Case("masquerade-exceptions-quoted", {**MASQ, "masquerade_classes": "envelope_recipient", "masquerade_exceptions": 'regexp:{{/^"me too"$$/ x}, {/^and me$$/ x}}'}, (Letter(recipients=('"me too"@a.masq.test', '"and me"@a.masq.test')),)),
    *(
        Case(f"masquerade-{word.replace('_', '-')}", {**MASQ, "masquerade_classes": word}, MASQUERADED[:1], LOCAL)
        for word in ("envelope_sender", "envelope_recipient", "header_sender", "header_recipient")
    ),
    # extensions and originals
    *(
        Case(
            f"unmatched-{word or 'none'}",
            {"canonical_maps": OLD, "virtual_alias_maps": "inline:{ fits@alias.test=a1@box.test }", "propagate_unmatched_extensions": word},
            (Letter(sender="old+s@here.test", recipients=("old+e@here.test", "fits+e@alias.test")),),
        )
        for word in ("canonical", "virtual", "")
    ),
    Case("no-original", {"enable_original_recipient": "no", "canonical_maps": OLD}, (Letter(recipients=("old@here.test", "old+x@here.test> ORCPT=rfc822;o@x.test")),)),
    Case("empty-address", {"empty_address_recipient": "nobody@here.test"}, (Letter(sender="", message=message("From: <>", "To: <>")),)),
    # headers
    Case("undisclosed", {"undisclosed_recipients_header": "To: undisclosed-recipients:;"}, (Letter(message=message("Subject: x")), Letter(), Letter(message=message("Cc: a@b.test")), Letter(message=message("Bcc: a@b.test")), Letter(message=message("Resent-To: a@b.test")), Letter(message=message("To:")))),
    Case("missing", {"always_add_missing_headers": "yes"}, (Letter(message=message("Subject: x")), Letter(sender="", message=message("Subject: x")), Letter(message=message("Resent-To: a@b.test"))), REMOTE),
    Case("missing-local", {}, (Letter(message=message("Subject: x")), Letter(message=message("Resent-From: a@b.test")), Letter(message=message("From: a", "Date: x", "Message-Id: y"))), LOCAL),
    Case("missing-remote", {}, (Letter(message=message("Subject: x")),), REMOTE),
    Case("dropped", {"message_drop_headers": "x-drop, Subject, content-length"}, (Letter(message=message("Subject: x", "X-Drop: y", " folded", "Bcc: b@c.test", "Return-Path: <r@s.test>", "Content-Length: 9", "x-drops: no", "X-Drop : z")),)),
    Case("dropped-none", {"message_drop_headers": ""}, (Letter(message=message("Bcc: b@c.test", "Resent-Bcc: r@s.test", "Return-Path: <r@s.test>", "Content-Length: 9")),)),
    Case("hops", {"hopcount_limit": "4"}, (Letter(message=message(*RECEIVED[:2], "Subject: two")), Letter(message=message(*RECEIVED[:3], "Subject: three")), Letter(message=message(*RECEIVED, "Subject: four")))),
    Case("header-size", {"header_size_limit": "60"}, (Letter(message=message("Subject: " + "s" * 40, "X-Long: " + "l" * 80, "X-Fold: " + "f" * 30, "\t" + "g" * 30, "\th", "To: a@b.test")),)),
    Case("header-size-checked", {"header_size_limit": "40", "header_checks": "regexp:{{/^X.*END$$/ WARN end}, {/^X/ WARN x}}"}, (Letter(message=message("X-Long: " + "l" * 60 + "END", "X-A: END")),)),
    Case("header-size-of-parts", {"header_size_limit": "40", "mime_header_checks": "regexp:{{/^/ WARN part}}", "nested_header_checks": "regexp:{{/^X-Pre/ PREPEND X-Before: y}, {/^/ WARN nested}}"}, (Letter(message=LONG_PARTS),)),
    Case("text-left-out", {"body_checks": "regexp:{{/^left/ IGNORE}, {/^more/ PREPEND X-No: field}}"}, tuple(Letter(message=b"Subject: x\r\n" + text) for text in (b"left out\r\n", b"more\r\n\r\nbody\r\n", b"left out\r\n\r\nbody\r\n"))),
    *(
        Case(f"tokens-{limit}", {"header_address_token_limit": str(limit)}, (Letter(message=message("To: " + ", ".join(f"u{n}@a.masq.test" for n in range(5)), "From: Some One <me@a.masq.test> (and more)", "Cc: a, b")),), LOCAL)
        for limit in (1, 4, 9, 12)
    ),
    # content
    Case("reject-characters", {"message_reject_characters": r"\001\002"}, (Letter(message=WASHED), Letter(message=message("Subject: x", body="ok\n\x02\n")), Letter())),
    Case("strip-characters", {"message_strip_characters": r"\001Q"}, (Letter(message=WASHED),)),
    Case("strip-octets", {"message_strip_characters": r"\303"}, (Letter(message=message("Subject: \xfc\xe9\u0103", body="\xfc\u4e43\n")),)),
    Case("reject-octets", {"message_reject_characters": r"\233"}, tuple(Letter(message=message("Subject: x", body=text)) for text in ("\xdb\n", "\xe9\n", "\xa9\n"))),
    Case("strip-then-reject", {"message_strip_characters": "Q", "message_reject_characters": r"Q\002"}, (Letter(message=WASHED),)),
    Case("strip-escapes", {"message_strip_characters": r"\x\\"}, (Letter(message=message("Subject: a\tb x n t \\ z", body="tx\\n\ta\n")),)),
    Case("boundary-length", {"mime_boundary_length_limit": "8", "mime_header_checks": MARKS}, (Letter(message=nested(1, length=6)), Letter(message=nested(1, length=8)), Letter(message=nested(1, length=9)), Letter(message=nested(1, length=20)), Letter(message=nested(2, length=12)))),
    Case("nesting", {"mime_nesting_limit": "2", "mime_header_checks": "regexp:{{/^X-Inner/ WARN seen}}"}, tuple(Letter(message=nested(depth)) for depth in (1, 2, 3, 4))),
    Case("nesting-zero", {"mime_nesting_limit": "1"}, (Letter(message=nested(1)), Letter(message=nested(2)), Letter(message=in_message("Subject: x")))),
    Case("no-mime", {"disable_mime_input_processing": "yes", "header_checks": MARKS, "mime_header_checks": "regexp:{{/^X-Mark/ WARN mime}}", "body_checks": "regexp:{{/^(X-Mark|bad)/ WARN body}}"}, (Letter(message=PARTS), Letter(message=message("Subject: " + EIGHT, body=EIGHT + "\n")))),
    # checks
    Case("checks", {"header_checks": MARKS}, (Letter(message=PARTS),)),
    Case("mime-checks", {"header_checks": "regexp:{{/^X-Mark/ WARN header}}", "mime_header_checks": MARKS}, (Letter(message=PARTS),)),
    Case("nested-checks", {"header_checks": "regexp:{{/^X-Mark/ WARN header}}", "nested_header_checks": MARKS}, (Letter(message=PARTS),)),
    Case("no-mime-checks", {"header_checks": "regexp:{{/^(X-Mark|Subject)/ WARN header}}", "mime_header_checks": "", "nested_header_checks": ""}, (Letter(message=PARTS),)),
    Case("body-checks", {"body_checks": "regexp:{{/^bad body/ REPLACE good body}, {/^bad inner/ IGNORE}, {/^(bad|pre)/ WARN bad}, {/^X-Mark/ WARN mark}, {/^--bb/ PREPEND before}}"}, (Letter(message=PARTS),)),
    Case("body-size", {"body_checks": "regexp:{{/^a/ WARN a}, {/^x*END/ WARN end}}", "body_checks_size_limit": "30"}, (Letter(message=message("Subject: x", body="a1 56789\na2 56789\na3 56789\na4 56789\na5 56789\n")), Letter(message=message("Subject: x", body="x" * 40 + "END\na\n")), Letter(message=PARTS))),
    Case("body-size-zero", {"body_checks": "regexp:{{/^a/ WARN a}}", "body_checks_size_limit": "0"}, (Letter(message=message("Subject: x", body="a\na\n")),)),
    Case("checks-fail", {"header_checks": "fail:x"}),
    Case("body-checks-fail", {"body_checks": "fail:x"}),
    Case(
        "check-actions",
        {
            "header_checks": "regexp:{{/^X-Do: (.*)/ $$1}, {/^Subject: strip/ STRIP}, {/^Subject: pass/ PASS}, {/^Subject: dunno/ DUNNO}, {/^Subject: ok/ OK}, {/^Subject: delay/ DELAY 1h}, {/^Subject: nosuch/ NOSUCH}, {/^Subject: empty/ REPLACE}}",
        },
        tuple(
            Letter(message=message(line, "X-After: y"))
            for line in (
                "Subject: strip", "Subject: pass", "Subject: dunno", "Subject: ok", "Subject: delay", "Subject: nosuch", "Subject: empty",
                "X-Do: PREPEND X-New: a", "X-Do: PREPEND no field", "X-Do: REPLACE no field", "X-Do: REPLACE", "X-Do: PREPEND", "X-Do: REJECT",
                "X-Do: REJECT 4.7.1 later", "X-Do: REJECT text", "X-Do: 550 5.1.1 no", "X-Do: 450 no", "X-Do: ignore", "X-Do: warn", "X-Do: info text",
                "X-Do: FILTER smtp:other", "X-Do: FILTER", "X-Do: FILTER smtp", "X-Do: REDIRECT r@s.test", "X-Do: REDIRECT", "X-Do: BCC b@c.test",
                "X-Do: BCC", "X-Do: HOLD text", "X-Do: DISCARD text", "X-Do: DEFER", "X-Do: 42", "X-Do: strip why",
            )
        ),
    ),
    *(
        Case(name.replace("_", "-"), {name: "yes"}, tuple(Letter(message=text) for text in (
            message("Subject: " + EIGHT),
            message("Subject: x", body=EIGHT + "\n"),
            message("Subject: x", "Content-Transfer-Encoding: 8bit", body=EIGHT + "\n"),
            message("MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "Content-Transfer-Encoding: base64", body="--b\n\nx\n--b--\n"),
            message("MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", body="--b\n\n" + EIGHT + "\n--b\nContent-Transfer-Encoding: 8bit\n\n" + EIGHT + "\n--b--\n"),
            message("MIME-Version: 1.0", "Content-Type: message/rfc822", "Content-Transfer-Encoding: quoted-printable", body="Subject: y\n\nx\n"),
            message("MIME-Version: 1.0", "Content-Type: message/partial", "Content-Transfer-Encoding: 8bit", body="Subject: y\n\nx\n"),
            message("MIME-Version: 1.0", "Content-Type: text/plain", "Content-Transfer-Encoding: bogus", body="x\n"),
        )))
        for name in ("strict_7bit_headers", "strict_8bitmime", "strict_8bitmime_body", "strict_mime_encoding_domain")
    ),
    *(
        Case(f"detect-8bit-{value}", {"detect_8bit_encoding_header": value}, tuple(Letter(message=text, options=options) for text in (
            message("MIME-Version: 1.0", "Content-Transfer-Encoding: 8bit", body=EIGHT + "\n"),
            message("MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", body="--b\nContent-Transfer-Encoding: 8bit\n\nx\n--b--\n"),
            message("Subject: x"),
        ) for options in ("", "BODY=8BITMIME", "BODY=7BIT")))
        for value in ("yes", "no")
    ),
    # limits
    Case("duplicates", {"duplicate_filter_limit": "2"}, (Letter(recipients=("a@out.test", "b@out.test", "a@out.test", "c@out.test", "c@out.test", "a@out.test")),)),
    Case("duplicates-all", {"duplicate_filter_limit": "0"}, (Letter(recipients=("a@out.test", "b@out.test", "A@out.test", "a@OUT.test", "b@out.test> ORCPT=rfc822;z@out.test")),)),
    Case("expansion", {"virtual_alias_expansion_limit": "2", "virtual_alias_maps": ALIASES}, tuple(Letter(recipients=(f"{name}@alias.test",)) for name in ("wide", "fits", "two", "nothing"))),
    Case("recursion", {"virtual_alias_recursion_limit": "3", "virtual_alias_maps": ALIASES}, tuple(Letter(recipients=(f"{name}@alias.test",)) for name in ("deep", "d1", "d2", "d3"))),
    Case("address-length", {"virtual_alias_address_length_limit": "20", "virtual_alias_maps": ALIASES}, tuple(Letter(recipients=(name,)) for name in ("long@alias.test", "d3@alias.test", "averylongaddressindeed@out.test"))),
    Case("old-virtual", {"virtual_maps": ALIASES, "virtual_alias_maps": "$virtual_maps"}, (Letter(recipients=("fits@alias.test",)),)),
    Case("size", {"message_size_limit": "2000"}, (Letter(message=message("Subject: x", body="x" * 1000 + "\n")), Letter(message=message("Subject: x", body="x" * 3000 + "\n")))),
    Case("delay-warning", {"delay_warning_time": "4h"}, (Letter(), Letter(recipients=("y@out.test> NOTIFY=NEVER",)))),
    Case("soft-bounce", {"soft_bounce": "yes", "header_checks": "regexp:{{/^Subject: x/ REJECT no}}"}),
    # rewriting of headers
    Case("remote-domain", {}, (Letter(message=message("From: a", "To: b@host, c@d.test", "Reply-To: <>")),), REMOTE),
    Case("remote-none", {"remote_header_rewrite_domain": ""}, (Letter(message=message("From: a", "To: b@host, c@d.test", "Reply-To: <>")),), REMOTE),
    Case("local", {}, (Letter(message=message("From: a", "To: b@host, c@d.test", "Reply-To: <>", "X-To: q", "Return-Receipt-To: x")),), LOCAL),
    *(
        Case(f"clients-{at}", {}, (Letter(message=message("From: a")),), {"local_header_rewrite_clients": value})
        for at, value in enumerate(("permit_inet_interfaces", "permit_sasl_authenticated", "check_address_map inline:{ 127.0.0.1=x }", "cidr:{{ 127.0.0.0/8 x }}", "permit_tls_clientcerts, permit_mynetworks", "static:x", "permit_tls_all_clientcerts"))
    ),
    # what smtpd(8) says that cleanup(8) shall leave out
    *(
        Case(
            f"override-{word.replace('_', '-') or 'none'}",
            {"canonical_maps": OLD, **MASQ, "virtual_alias_maps": ALIASES, "always_bcc": "copy@here.test", "header_checks": "regexp:{{/^X-Mark/ WARN x}}"},
            (Letter(sender="me@a.masq.test", recipients=("old@here.test", "fits@alias.test"), message=ADDRESSED), Letter(message=PARTS)),
            {**LOCAL, "receive_override_options": word},
        )
        for word in ("no_address_mappings", "no_header_body_checks", "no_milters", "")
    ),
    *(
        Case(f"filter-{at}", {}, (Letter(),), {"content_filter": value})
        for at, value in enumerate(("smtp:[127.0.0.1]:10024", "smtp", "smtp:", "nosuch:x"))
    ),
    Case("utf8", {}, tuple(Letter(message=text, options=options) for text in (message("Subject: ü", body="ü\n"), message("Subject: x")) for options in ("SMTPUTF8", "SMTPUTF8 BODY=8BITMIME", ""))),
    Case("utf8-all", {"smtputf8_autodetect_classes": "all"}, tuple(Letter(message=text) for text in (message("Subject: ü"), message("Subject: x", body="ü\n"), message("From: ü@x.test")))),
    Case("utf8-off", {"smtputf8_enable": "no"}, (Letter(message=message("Subject: ü")),)),
)  # fmt: skip

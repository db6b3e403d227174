"""Random servers and services for the way out: capabilities, replies that contradict, settings of smtp(8), messages.

DESCRIPTION
    `RandomOutbound` makes one `Case` after another of one source of chance, and of a maker of TLS contexts.
"""

import base64
import random
import ssl
from collections.abc import Callable, Mapping
from typing import Final

from fakes.outbound_cases import Case
from fakes.outbound_world import Server
from fakes.scripted_server import AND_CLOSE, BREAK_TLS, DROP

_KEYWORDS: Final = (
    "PIPELINING", "SIZE 1000000", "SIZE", "SIZE 10", "SIZE 0", "8BITMIME", "DSN", "ENHANCEDSTATUSCODES", "ETRN", "VRFY",
    "CHUNKING", "SMTPUTF8", "AUTH PLAIN LOGIN", "AUTH=LOGIN", "AUTH CRAM-MD5", "AUTH", "STARTTLS", "HELP", "X-ODD a=b",
    "XFORWARD NAME ADDR PROTO HELO SOURCE", "pipelining", "dsn 1", "size 1x", "8bitmime foo",
)  # fmt: skip
_TEXTS: Final = (
    "no", "5.7.1 refused", "4.2.0 later", "2.1.0 fine", "5.1.1 unknown", "4.7.0 slow down", "", "5.7 half a code", "9.9.9 odd",
    "5.1.1", "text with <angle@x.test> address", "5.5.0 " + "long " * 60, "4.4.2 timeout", "2.0.0", "5.2.2 full", "   spaced",
    "5.1000.1 big", "S\xfcd", "tab\there", "5.1.1\ttab", "4.1.1-x", "filter me",
)  # fmt: skip
_CODES: Final = {
    "greeting": (
        "220",
        "220",
        "421",
        "450",
        "550",
        "554",
        "521",
        "250",
        "354",
        "120",
        "220-x",
        "xyz",
        "2",
        "22",
    ),
    "EHLO": ("500", "502", "421", "450", "550", "504", "220", "354", "25", "hello"),
    "HELO": ("250", "421", "450", "550", "521"),
    "MAIL": ("421", "450", "452", "451", "550", "552", "553", "521", "250", "251", "354", "150", "abc"),
    "RCPT": ("421", "450", "452", "550", "552", "553", "521", "250", "251", "252", "354", "600"),
    "DATA": ("421", "450", "451", "550", "554", "250", "354", "503", "521", "35"),
    ".": ("421", "450", "451", "550", "552", "554", "250", "354", "200", "299", "x50"),
    "RSET": ("250", "421", "500"),
    "QUIT": ("221", "250", "421", "500"),
    "STARTTLS": ("220", "454", "501", "502", "421", "250", "550"),
    "AUTH": ("235", "535", "454", "334", "334", "421", "504", "530", "534", "250"),
    "334": ("235", "535", "334", "454", "501", "421"),
    "XFORWARD": ("250", "550", "421", "501", "451"),
}
_FILTERS: Final = (
    "/^550 (.*)/ 450 $$1", "/^450 (.*)/ 550 $$1", "/^250(.)8BITMIME/ 250$${1}X-NO", "/^421/ 450 4.9.9 gone", "/^354 .*/ 250 what",
    "/filter/ 554 5.9.9 filtered", "/^2(..) .*/ 2$$1 2.5.5 hidden", "/^5/ nonsense", "/^(...)-/ $$1 ended early",
)  # fmt: skip
_STATUS_FILTERS: Final = (
    "/^5(.*)/ 4$$1", "/^4(.*)/ 5$$1", "/^2(.*)/ 5$$1", "/^4\\.4\\.\\d (.*)/ 5.4.9 $$1", "/^5\\.1\\.1 .*/ 5.7.7 hidden text", "/^[45]/ bad",
)  # fmt: skip
_HEADERS: Final = (
    b"X-Check: replace me\r\n", b"X-Check: ignore\r\n", b"X-Check: prepend\r\n", b"X-Check: warn\r\n", b"Bcc: hidden@x.test\r\n",
    b"To: bob@example.test,\r\n alice@sender.test (comment)\r\n", b"Resent-From: r@sender.test\r\n", b"X-Long: " + b"w " * 700 + b"\r\n",
    b"Reply-To: alice@sender.test\r\n", b"Return-Path: <x@y.test>\r\n", b"Content-Length: 5\r\n", b"Cc: \"q, r\" <alice@sender.test>\r\n",
)  # fmt: skip
_MIME: Final = (
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n",
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n",
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n",
    b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n",
    b"Content-Transfer-Encoding: 8bit\r\n",
    b"",
)  # fmt: skip
_BODIES: Final = (
    b"Hello.\r\n", b"", b".\r\n..\r\n", b"x" * 1200 + b"\r\n", b"x" * 997 + b".y\r\n", b"Gr\xc3\xbc\xc3\x9fe \r\n", b"From here\r\n",
    b"--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa4 = x\r\n--b\r\n\r\nplain\r\n--b--\r\nafter\r\n",
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: nested\r\nX-Check: nested\r\n\r\nin \xe4\r\n--b--\r\n", b"secret\r\n", b"a\tb \r\n",
)  # fmt: skip


class RandomOutbound:
    """Cases made of one source of chance."""

    def __init__(self, seed: int, tls: Callable[[str], ssl.SSLContext]) -> None:
        """`tls` gives a context with a certificate for a name."""
        self._chance = random.Random(seed)
        self._tls = tls

    def _maybe(self, likely: float) -> bool:
        return self._chance.random() < likely

    def _reply(self, stage: str) -> bytes:
        pick = self._chance.choice
        code = pick(_CODES[stage])
        if self._maybe(0.1):
            return DROP
        text = pick(_TEXTS)
        if stage in {"AUTH", "334"} and code == "334":
            text = pick(
                (base64.b64encode(b"<1@x>").decode(), "", "VXNlcm5hbWU6", "not base64!", "UGFzc3dvcmQ6")
            )
        lines = [f"{code} {text}"]
        if self._maybe(0.2) and code.isdigit() and len(code) == 3:
            first = pick(("first line", "4.3.3 other", "5.5.5 one", ""))
            between = pick((f"{code}-{first}", f"{code}-{first}", "999-odd", "no code here", "250-other"))
            lines.insert(0, between)
        if self._maybe(0.05):
            lines = [code]
        end = AND_CLOSE if code == "421" or len(code) != 3 or not code.isdigit() or self._maybe(0.07) else b""
        return "\r\n".join(lines).encode("latin-1") + end

    def _by_recipient(self) -> Callable[[bytes], bytes]:
        replies = {name: self._reply("RCPT") for name in (b"bob", b"carol", b"dave")}

        def answer(line: bytes) -> bytes:
            return next((reply for name, reply in replies.items() if name in line), b"250 2.1.5 Ok")

        return answer

    def _server(self, name: str, preference: int, *, lmtp: bool) -> Server:
        if self._maybe(0.06):
            return Server(None, preference)
        chance = self._chance
        hello = "LHLO" if lmtp else "EHLO"
        keywords = chance.sample(_KEYWORDS, chance.randrange(9))
        lines = ["mx.peer.test", *keywords]
        replies: dict[str, bytes | Callable[[bytes], bytes]] = {
            hello: "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"]).encode(),
            "XFORWARD": b"250 ok",
        }
        for stage in chance.sample(sorted(_CODES), chance.choice((0, 1, 1, 2))):
            if stage == "EHLO":
                stage = hello
                if self._maybe(0.5):
                    continue
            replies[stage] = self._reply("EHLO" if stage == hello else stage)
        if self._maybe(0.2):
            replies["RCPT"] = self._by_recipient()
        if self._maybe(0.1):
            replies["greeting"] = chance.choice(
                (b"220 *****", b"220 mx SMTP", b"220-mx\r\n220 esmtp", b"220", b"220 02**2***", b"220 mail.sender.test ESMTP", b"\r\n220 x", b"220 mx\n250 y")
            )  # fmt: skip
        if self._maybe(0.05):
            replies["STARTTLS"] = BREAK_TLS
        if self._maybe(0.05):
            replies[hello] = b"250-Mail.sender.test\r\n250 PIPELINING"
        context = self._tls(name) if any(word == "STARTTLS" for word in keywords) else None
        if context is None and "STARTTLS" in keywords:
            replies["STARTTLS"] = b"454 4.7.0 no"
        return Server(replies, preference, tls=context, lmtp=lmtp, port=24 if lmtp else 25)

    def _settings(self, name: str) -> Mapping[str, str]:
        chance = self._chance
        pick = chance.choice
        yes_no = ("yes", "no")
        choices: dict[str, tuple[str, ...]] = {
            "skip_5xx_greeting": yes_no,
            "skip_quit_response": yes_no,
            "discard_ehlo_keywords": (
                "pipelining",
                "dsn",
                "silent-discard, size, dsn",
                "8bitmime",
                "starttls",
                "auth",
                "smtputf8",
            ),
            "generic_maps": (
                f"inline:{{{{alice@sender.test=out@isp.test}},{{@{name}.test=@else.test}}}}",
                "inline:{alice=a,{@sender.test=@isp.test}}",
            ),
            "header_checks": (
                "regexp:{{/^X-Check: r/ REPLACE X-Was: r},{/^X-Check: i/ IGNORE},{/^X-Check: p/ PREPEND X-P: 1},{/^X-Check: w/ WARN}}",
            ),
            "tls_ciphers": ("high", "low", "odd"),
            "tls_mandatory_protocols": ("TLSv1.3", "!TLSv1.3", ">=TLSv1.3", "SSLv2"),
            "tls_protocols": ("!TLSv1.3", "<=TLSv1.2"),
            "tls_loglevel": ("0", "2"),
            "tls_CAfile": ("/etc/postfix/top.crt", "/nowhere"),
            "tls_secure_cert_match": ("nexthop", "dot-nexthop", f"mx0.{name}.test"),
            "tls_verify_cert_match": ("nexthop", f"mx0.{name}.test"),
            "tls_servername": ("hostname", "nexthop", "x.test"),
            "tls_per_site": (
                f"inline:{{{{{name}.test=MUST}}}}",
                f"inline:{{{{mx0.{name}.test=NONE}}}}",
                f"inline:{{{{{name}.test=MAY}}}}",
            ),
            "dns_reply_filter": ("regexp:{{/ A / IGNORE}}", "regexp:{{/MX 10 / IGNORE}}"),
            " smtp_dns_support_level": ("enabled", "disabled"),
            " best_mx_transport": ("discard:x",),
            " recipient_delimiter": ("-",),
            "body_checks": (
                "regexp:{{/^secret/ REPLACE hidden},{/^Hello/ PREPEND hi}}",
                "regexp:{{/./ INFO}}",
                "regexp:{{/secret/ IGNORE}}",
            ),
            "nested_header_checks": ("regexp:{{/^X-Check/ REPLACE X-N: 1}}",),
            "mime_header_checks": ("regexp:{{/^Content-Type: text.plain$$/ REPLACE Content-Type: text/x}}",),
            "reply_filter": tuple(f"regexp:{{{{{one}}}}}" for one in _FILTERS),
            "delivery_status_filter": tuple(f"regexp:{{{{{one}}}}}" for one in _STATUS_FILTERS),
            "line_length_limit": ("0", "100", "998", "2048"),
            " soft_bounce": yes_no,
            " disable_mime_output_conversion": yes_no,
            "send_xforward_command": ("yes",),
            "send_dummy_mail_auth": ("yes",),
            "helo_name": ("other.example", "[1.2.3.4]"),
            " smtp_never_send_ehlo": ("yes",),
            " smtp_always_send_ehlo": ("no",),
            "quote_rfc821_envelope": ("no",),
            "mx_session_limit": ("0", "1", "2"),
            "mx_address_limit": ("0", "1"),
            "pix_workarounds": ("disable_esmtp", ""),
            "fallback_relay": (f"[mx1.{name}.test]", f"[mx0.{name}.test]", "missing.test"),
            "tls_security_level": ("may", "encrypt", "none", "verify", "secure", "dane"),
            "tls_note_starttls_offer": ("yes",),
            "tls_policy_maps": (
                f"inline:{{{{{name}.test=none}}}}",
                f"inline:{{{{{name}.test=encrypt}}}}",
                f"inline:{{{{{name}.test=may protocols=TLSv1.2}}}}",
                f"inline:{{{{{name}.test=odd}}}}",
                f"inline:{{{{{name}.test=verify match=nexthop}}}}",
                "inline:{{.test=fingerprint match=00}}",
                f"inline:{{{{{name}.test=dane}}}}",
                f"inline:{{{{[mx0.{name}.test]=encrypt ciphers=high}}}}",
            ),
            "tls_wrappermode": (),
            " smtputf8_enable": yes_no,
            "defer_if_no_mx_address_found": yes_no,
            "cname_overrides_servername": yes_no,
            "min_data_rate": ("100",),
            "per_request_deadline": ("yes",),
            "connection_cache_destinations": (f"{name}.test", "static:all"),
            "connection_reuse_count_limit": ("1",),
            " smtp_sender_dependent_authentication": ("yes",),
            "tls_connection_reuse": ("yes",),
            " header_size_limit": ("300",),
            " mime_nesting_limit": ("1",),
            " notify_classes": (
                "protocol",
                "bounce",
                "2bounce, policy",
                "delay, resource, software",
                "bounce, protocol, policy, data",
            ),
            " bounce_size_limit": ("200", "10"),
            " info_log_address_format": ("internal", "external"),
            " smtp_bind_address_enforce": yes_no,
            " resolve_numeric_domain": yes_no,
            " enable_long_queue_ids": (),
        }
        found: dict[str, str] = {}
        for key in chance.sample(sorted(choices), chance.choice((0, 1, 1, 2, 3, 4))):
            if choices[key]:
                found[key] = pick(choices[key])
        if self._maybe(0.3):
            found["sasl_auth_enable"] = "yes"
            found["sasl_password_maps"] = pick(
                (
                    "inline:{{alice@sender.test=al:ice},{@sender.test=any:one}}",
                    "static:user:secret",
                    "static:user",
                    f"inline:{{{{{name}.test=u:p}}}}",
                    "inline:{{x=y}}",
                    "fail:x",
                    "static::p",
                )
            )
            found["sasl_security_options"] = pick(("", "", "noplaintext", "noanonymous"))
            if self._maybe(0.3):
                found["sasl_mechanism_filter"] = pick(
                    ("plain", "!plain, static:all", "login, cram-md5", "external")
                )
            if self._maybe(0.3):
                found["sasl_auth_soft_bounce"] = pick(yes_no)
            if self._maybe(0.2):
                found["sasl_tls_security_options"] = pick(("", "noplaintext"))
        return {key[1:] if key[0] == " " else f"smtp_{key}": text for key, text in found.items()}

    def _message(self) -> bytes:
        chance = self._chance
        head = b"Subject: hello\r\nMessage-Id: <1@sender.test>\r\nDate: Tue, 1 Dec 2026 00:00:00 +0000\r\nFrom: alice@sender.test\r\n"
        head += b"".join(chance.sample(_HEADERS, chance.choice((0, 0, 1, 2))))
        head += chance.choice(_MIME) if self._maybe(0.4) else b""
        return head + b"\r\n" + b"".join(chance.choices(_BODIES, k=chance.choice((1, 1, 2, 3))))

    def case(self, name: str) -> Case:
        """The next one."""
        chance = self._chance
        lmtp = self._maybe(0.15)
        count = chance.choice((1, 1, 1, 2, 2, 3))
        servers = tuple(
            self._server(
                f"mx{at}.{name}.test", chance.choice((10, 20, 30)) if not lmtp else 10 + at, lmtp=lmtp
            )
            for at in range(1 if lmtp else count)
        )
        # one preference each: their order is chance otherwise
        if len({server.preference for server in servers}) < len(servers):
            servers = servers[:1]
        recipients = tuple(
            chance.sample(("bob", "carol", "dave", '"a b"', "b+x"), chance.choice((1, 1, 2, 3)))
        )
        utf8 = self._maybe(0.08)
        if utf8:
            recipients += ("m\xfcller",)
        body = chance.choice(("", "", " BODY=8BITMIME", " BODY=7BIT"))
        mail = body + (" SMTPUTF8" if utf8 or self._maybe(0.05) else "")
        mail += chance.choice(("", "", "", " RET=HDRS ENVID=e1", " RET=FULL", " ENVID=a+2Bb"))
        rcpt = chance.choice(
            ("", "", "", " NOTIFY=SUCCESS", " NOTIFY=NEVER", " NOTIFY=FAILURE,DELAY", " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;old@x.test", " ORCPT=rfc822;o+2Bp@x.test")
        )  # fmt: skip
        if "NEVER" in rcpt:
            recipients = recipients[:1]
        settings = self._settings(name)
        if lmtp:
            settings = {_lmtp_name(key): text.replace("[mx1", "[mx0") for key, text in settings.items()}
        return Case(
            name=name,
            settings=settings,
            servers=servers,
            program="lmtp" if lmtp else "smtp",
            nexthop=f"mx0.{name}.test"
            if lmtp
            else chance.choice(("", "", "", f"[mx0.{name}.test]", f"mx0.{name}.test:25")),
            recipients=recipients,
            message=self._message(),
            parameters=(mail, rcpt),
            messages=1 if "NEVER" in rcpt else chance.choice((1, 1, 1, 2)),
            sender=chance.choice(("", "", "", "", "alice+tag@sender.test", '"al ice"@sender.test')),
        )


def _lmtp_name(name: str) -> str:
    renamed = name.replace("smtp_", "lmtp_", 1)
    return {
        "lmtp_helo_name": "lmtp_lhlo_name",
        "lmtp_discard_ehlo_keywords": "lmtp_discard_lhlo_keywords",
    }.get(renamed, renamed)

"""Random conversations of clients with smtpd(8): commands in and out of order, in groups and in pieces, odd content.

DESCRIPTION
    `random_services()` makes settings of services of master.cf, `random_dialogue()` what a client says to one.
    What is known to differ is left out: NUL in commands, lines of commands of more than 2,048 octets, input behind
    STARTTLS, HELP, BDAT of a client that has not said EHLO, a second MAIL behind one whose size was refused; and
    `BDAT 0` within a message, at which Postfix's process may crash.
"""

import base64
import random
from collections.abc import Iterator
from typing import Final

from fakes.smtp_exchanges import Asked, Exchange, Raw, StartTls, Step

_ADDRESSES: Final = (
    b"<a@example.test>", b"<me@pillarbox.test>", b"<you@pillarbox.test>", b"<no@pillarbox.test>", b"<x@elsewhere.test>", b"<>", b"<postmaster>",
    b"<a>", b"a@example.test", b"<a@example.test", b"<\"a b\"@example.test>", b"<a@[127.0.0.1]>", b"<a@[300.0.0.1]>", b"<a@b@c.test>", b"<a b@c.test>",
    b"<@r.test:me@pillarbox.test>", b"<a@-x.test>", b"<a@x..test>", b"<gr\xc3\xbcn@pillarbox.test>", b"<a@b\xc3\xbc.test>", b"<\xfc@example.test>",
    b"<me%elsewhere.test@pillarbox.test>", b"<ME@PILLARBOX.TEST>", b"<alias@pillarbox.test>", b"<a@example.test> ", b" <a@example.test>", b"",
    b"<\"@example.test>", b"<a@example.test.>", b"<.a@example.test>", b"<a,b@example.test>", b"<a@(c)example.test>", b"<" + b"l" * 70 + b"@example.test>",
    b"<a@" + b"d" * 64 + b".test>", b"<bad@s.test>", b"<reject@s.test>", b"<later@s.test>",
)  # fmt: skip
_MAIL_PARAMETERS: Final = (
    b"SIZE=100", b"SIZE=-1", b"SIZE=x", b"SIZE=", b"BODY=8BITMIME", b"BODY=7BIT", b"body=7bit", b"BODY=BINARYMIME", b"SMTPUTF8",
    b"SMTPUTF8=x", b"RET=FULL", b"RET=HDRS", b"RET=x", b"ENVID=a+2Bb", b"ENVID=a b", b"ENVID=", b"ENVID=+zz", b"AUTH=<>", b"AUTH=a@b", b"FOO", b"FOO=bar",
    b"XVERP", b"XVERP=+=", b"XVERP=aa", b"NOTIFY=NEVER",
)  # fmt: skip
_RCPT_PARAMETERS: Final = (
    b"NOTIFY=NEVER", b"NOTIFY=SUCCESS,FAILURE", b"NOTIFY=NEVER,DELAY", b"NOTIFY=x", b"NOTIFY=", b"ORCPT=rfc822;x@y.test", b"ORCPT=x", b"ORCPT=;x", b"ORCPT=rfc822;",
    b"ORCPT=utf-8;gr\\x{FC}n@y.test", b"ORCPT=rfc822;a+zz", b"FOO", b"FOO=bar", b"SIZE=1", b"notify=delay",
)  # fmt: skip
_OTHER: Final = (
    b"NOOP", b"NOOP x y", b"RSET", b"RSET x", b"VRFY me@pillarbox.test", b"VRFY no@pillarbox.test", b"VRFY", b"VRFY x y", b"VRFY <a@b", b"ETRN flush.test",
    b"ETRN", b"ETRN a b", b"ETRN x..y", b"ETRN [127.0.0.1]", b"EXPN x", b"FOO", b"foo bar", b"", b" ", b" NOOP", b"NOOP ", b"nOOp", b"DATA x", b"BDAT", b"BDAT x",
    b"BDAT -1", b"BDAT 1 2 3", b"BDAT 0 FIRST", b"AUTH", b"AUTH FOO", b"AUTH PLAIN =", b"AUTH PLAIN x y", b"STARTTLS x", b"GET / HTTP/1.0", b"Subject: x",
    b"MAIL", b"MAIL FROM", b"MAIL FROM:", b"MAIL TO:<a@b>", b"RCPT", b"RCPT TO", b"RCPT TO:", b"RCPT FROM:<a@b>", b"HELO", b"EHLO", b"QUIT x", b"NOOP\r", b"\rNOOP",
    b"RSET\xff", b"\xc3\xbc", b"MAIL  FROM: <a@example.test>", b"MAIL FROM :<a@example.test>", b"x" * 600, b"XFORWARD", b"XCLIENT",
)  # fmt: skip
_HELLOS: Final = (
    b"EHLO client.example", b"HELO client.example", b"EHLO client.example", b"EHLO [127.0.0.1]", b"EHLO bad.test", b"HELO x y", b"EHLO gr\xc3\xbcn.test", b"ehlo a_b",
    b"EHLO <x>", b"EHLO [1.2.3", b"EHLO " + b"x" * 300,
)  # fmt: skip
_TOLD: Final = (
    b"XFORWARD NAME=a.test ADDR=192.0.2.9 HELO=h", b"XFORWARD PROTO=SMTP", b"XFORWARD FOO=x", b"XFORWARD NAME=[UNAVAILABLE]", b"XFORWARD NAME", b"XFORWARD PORT=x",
    b"XCLIENT ADDR=192.0.2.9 NAME=bad.test", b"XCLIENT NAME=[UNAVAILABLE]", b"XCLIENT LOGIN=me@pillarbox.test", b"XCLIENT FOO=x", b"XCLIENT PROTO=ESMTP HELO=z",
    b"XCLIENT ADDR=127.0.0.2 NAME=n.test",
)  # fmt: skip
_LINES: Final = (
    b"Subject: x\r\n", b"Subject: reject\r\n", b"Subject: warn\r\n", b"Subject: prepend\r\n", b"Subject: folded\r\n more\r\n", b"Message-Id: <a@b.test>\r\n",
    b"From x y\r\n", b">From x y\r\n", b"\r\n", b"text\r\n", b"warn body\r\n", b"bad body\r\n", b"gr\xc3\xbcn\r\n", b"\xfc\xff\r\n", b"a\0b\r\n", b"x" * 999 + b"\r\n", b"y" * 2047 + b"\r\n",
    b"z" * 2500 + b"\r\n", b"a\rb\r\n", b"\r\r\n", b"..\r\n", b".x\r\n", b"Received: by x\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n", b"--b\r\n", b"--b--\r\n",
    b"Content-Transfer-Encoding: base64\r\n", b"To: a@b.test,\r\n", b" c@d.test\r\n", b"no field\r\n", b": x\r\n", b"X Y: z\r\n", b"Subject : x\r\n", b"\tfolded\r\n",
)  # fmt: skip
_BARE: Final = (b"a\nb\r\n", b"a\n", b"\n", b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r\n", b"a\n.\nb\r\n")
_SETTINGS: Final[dict[str, tuple[str, ...]]] = {
    "smtpd_helo_required": ("yes",),
    "smtpd_delay_reject": ("no",),
    "disable_vrfy_command": ("yes",),
    "strict_rfc821_envelopes": ("yes",),
    "smtpd_sasl_auth_enable": ("yes",),
    "smtpd_tls_security_level": ("none", "encrypt"),
    "smtpd_tls_auth_only": ("yes",),
    "smtpd_discard_ehlo_keywords": ("pipelining", "chunking, dsn", "smtputf8, 8bitmime", "size, silent-discard", "starttls, auth", "enhancedstatuscodes, vrfy"),
    "smtpd_forbid_bare_newline": ("no", "normalize", "reject"),
    "smtpd_forbid_unauth_pipelining": ("no",),
    "smtpd_hard_error_limit": ("3", "6"),
    "smtpd_junk_command_limit": ("2",),
    "smtpd_recipient_limit": ("1", "2"),
    "smtpd_recipient_overshoot_limit": ("1",),
    "smtpd_reject_footer": (r"\c. See $server_name", "For $recipient"),
    "smtpd_noop_commands": ("foo", "vrfy, expn"),
    "smtpd_forbidden_commands": ("FOO", "regexp:{{/^[^A-Z]/ x}}", ""),
    "smtpd_authorized_xclient_hosts": ("127.0.0.1",),
    "smtpd_authorized_xforward_hosts": ("127.0.0.1",),
    "smtpd_authorized_verp_clients": ("127.0.0.1",),
    "soft_bounce": ("yes",),
    "smtpd_reject_unlisted_sender": ("yes",),
    "smtpd_reject_unlisted_recipient": ("no",),
    "smtpd_delay_open_until_valid_rcpt": ("no",),
    "mynetworks": ("127.0.0.0/8",),
    "smtpd_client_event_limit_exceptions": ("",),
    "smtpd_client_restrictions": ("reject_unknown_reverse_client_hostname", "permit_mynetworks, reject", "warn_if_reject reject", "defer_if_permit"),
    "smtpd_helo_restrictions": (
        "reject_invalid_helo_hostname", "reject_non_fqdn_helo_hostname", "check_helo_access inline:{{bad.test=REJECT}}", "defer_if_reject",
    ),
    "smtpd_sender_restrictions": (
        "reject_non_fqdn_sender", "reject_unlisted_sender", "reject_sender_login_mismatch", "check_sender_access inline:{{bad@s.test=REJECT no},{later@s.test=DEFER}}",
        "check_sender_access inline:{{s.test=HOLD},{example.test=PREPEND X-Seen: 1},{<>=WARN null}}", "check_sender_access inline:{{a@=DEFER_IF_PERMIT come}}",
    ),
    "smtpd_recipient_restrictions": (
        "permit_mynetworks, reject_unauth_destination", "reject_non_fqdn_recipient", "check_recipient_access inline:{{you@=REJECT},{me@=BCC x@pillarbox.test}}",
        "check_recipient_access inline:{{you@=521 go},{no@=REDIRECT me@pillarbox.test}}", "reject_unauth_pipelining", "permit_auth_destination, defer",
    ),
    "smtpd_data_restrictions": ("reject_unauth_pipelining", "reject_multi_recipient_bounce", "check_sender_access inline:{{a@=REJECT at DATA}}"),
    "smtpd_end_of_data_restrictions": ("check_recipient_access inline:{{me@=REJECT at the end}}", "check_sender_access inline:{{a@=DISCARD}}"),
    "smtpd_etrn_restrictions": ("reject", "permit_mynetworks, reject"),
    "smtpd_relay_restrictions": ("permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination", "reject_unauth_destination, permit"),
    "smtpd_client_message_rate_limit": ("1",),
    "smtpd_client_recipient_rate_limit": ("2",),
    "smtpd_command_filter": ("regexp:{{/^FOO/ NOOP},{/^(MAIL FROM:<[^>]*>) .*/ $$1}}",),
    "local_header_rewrite_clients": ("static:all",),
    "strict_smtputf8": ("yes",),
    "smtputf8_enable": ("no",),
    "smtpd_log_access_permit_actions": ("static:all",),
    "smtpd_client_port_logging": ("yes",),
    "smtpd_sasl_security_options": ("noplaintext",),
    "show_user_unknown_table_name": ("no",),
}  # fmt: skip


def random_services(seed: int, count: int) -> dict[str, dict[str, str]]:
    """Names and settings."""
    chance = random.Random(seed)
    return {
        f"random {at}": {
            name: chance.choice(_SETTINGS[name])
            for name in sorted(chance.sample(sorted(_SETTINGS), chance.choice((0, 1, 2, 3, 4, 6))))
        }
        for at in range(count)
    }


class _Client:
    """What a client says, made of one source of chance."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._has_chunks = False
        self._is_odd = chance.random() < 0.3  # bare line ends in its content

    def steps(self) -> Iterator[Step]:
        """A session."""
        chance = self._chance
        if chance.random() < 0.95:
            hello = chance.choice(_HELLOS[:3])
            self._has_chunks = hello.startswith(b"EHLO")
            yield hello
        for _ in range(chance.choice((1, 2, 3, 5))):
            yield from chance.choices(
                (self._transaction, self._pipelined, self._login, self._secure, self._aside, self._told),
                (6, 4, 1, 1, 3, 1),
            )[0]()

    def _envelope(self) -> list[bytes]:
        chance = self._chance
        usual = chance.random() < 0.6
        sender = _ADDRESSES[0] if usual else chance.choice(_ADDRESSES)
        lines = [b"MAIL FROM:" + sender + self._parameters(_MAIL_PARAMETERS)]
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            recipient = _ADDRESSES[1] if chance.random() < 0.6 else chance.choice(_ADDRESSES)
            lines.append(b"RCPT TO:" + recipient + self._parameters(_RCPT_PARAMETERS))
        while chance.random() < 0.15:
            lines.insert(chance.randrange(len(lines) + 1), self._any())
        if chance.random() < 0.1:
            chance.shuffle(lines)
        return lines

    def _any(self) -> bytes:
        return self._chance.choice(_OTHER if self._chance.random() < 0.85 else _HELLOS)

    def _parameters(self, known: tuple[bytes, ...]) -> bytes:
        chosen = self._chance.sample(known, self._chance.choice((0, 0, 0, 1, 1, 2)))
        return b"".join([b" " + one for one in chosen])

    def _content(self) -> bytes:
        chance = self._chance
        lines = _LINES + _BARE if self._is_odd else _LINES
        return b"".join(chance.choices(lines, k=chance.choice((0, 1, 3, 5, 8))))

    def _ending(self) -> Iterator[Step]:
        """DATA and content, or chunks, or neither."""
        chance = self._chance
        how = chance.random()
        if how < 0.5:
            yield b"DATA"
            yield Asked(self._content() + b"\r\n.\r\n")
        elif how < 0.85 and self._has_chunks:
            parts = [self._content() for _ in range(chance.choice((1, 1, 2, 3)))]
            for at, part in enumerate(parts):
                last = b" LAST" if at == len(parts) - 1 and chance.random() < 0.9 else b""
                chunk = (
                    part if part or last else b"\r\n"
                )  # "BDAT 0" that is not the last ends Postfix 3.7's smtpd
                yield Raw(b"BDAT %d%s\r\n" % (len(chunk), last) + chunk, 1)
                if chance.random() < 0.1:
                    yield self._any()
        elif how < 0.95:
            yield b"RSET"

    def _transaction(self) -> Iterator[Step]:
        yield from self._envelope()
        yield from self._ending()

    def _pipelined(self) -> Iterator[Step]:
        lines = self._envelope()
        if self._chance.random() < 0.7:
            lines.append(b"DATA")
        yield Raw(b"".join([line + b"\r\n" for line in lines]), len(lines))
        if lines[-1] == b"DATA":
            yield Asked(self._content() + b"\r\n.\r\n")

    def _login(self) -> Iterator[Step]:
        chance = self._chance
        secret = base64.b64encode(chance.choice((b"\0nobody\0wrong", b"\0me", b"")))
        if chance.random() < 0.5:
            yield b"AUTH PLAIN " + secret
            return
        yield chance.choice((b"AUTH PLAIN", b"AUTH LOGIN", b"auth login", b"AUTH LOGIN bm9ib2R5"))
        yield Asked(chance.choice((secret, b"*", b"not base64", b"")) + b"\r\n", "334")
        yield Asked(chance.choice((secret, b"*", b"!")) + b"\r\n", "334")

    def _secure(self) -> Iterator[Step]:
        yield StartTls()
        if self._chance.random() < 0.9:
            yield self._chance.choice(_HELLOS[:2])

    def _aside(self) -> Iterator[Step]:
        for _ in range(self._chance.choice((1, 1, 2, 4))):
            yield self._any()

    def _told(self) -> Iterator[Step]:
        yield self._chance.choice(_TOLD)
        if self._chance.random() < 0.8:
            yield _HELLOS[0]


def random_dialogue(seed: int, service: str) -> Exchange:
    """What a client says to a service."""
    return Exchange(f"random {seed}", tuple(_Client(random.Random(seed)).steps()), service)

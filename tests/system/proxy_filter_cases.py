"""The cases of test_proxy_filter_peer.py: filters that answer in all ways, and what clients say to us before them."""

from collections.abc import Mapping
from typing import Final

from fakes.scripted_server import DROP, Replies
from fakes.smtp_exchanges import Exchange, Raw

FIRST_FILTER: Final = 10024
_XFORWARD: Final = b"250-filter.test\r\n250-PIPELINING\r\n250 XFORWARD "
ALL: Final = _XFORWARD + b"NAME ADDR PROTO HELO SOURCE PORT IDENT"
_OK: Final = b"250 2.0.0 Ok"

FILTERS: Final[dict[str, Replies]] = {
    "plain": {},
    "told": {"EHLO": ALL, "XFORWARD": _OK},
    "told a little": {"EHLO": _XFORWARD + b"HELO ADDR FOO", "XFORWARD": _OK},
    "told in lower case": {"EHLO": ALL.replace(b"XFORWARD NAME", b"xforward name"), "XFORWARD": _OK},
    "not told": {"EHLO": ALL, "XFORWARD": b"503 5.5.1 not now"},
    "two lines": {".": b"250-2.6.0 first\r\n250 2.6.0 second, id=1", "RCPT": b"250-2.1.5 a\r\n250 2.1.5 b"},
    "refuses all": {".": b"554 5.7.1 spam"},
    "refuses in lines": {".": b"550-5.7.1 spam, \r\n550-5.7.1 and\r\n550 5.7.1 more"},
    "defers all": {".": b"451 4.7.1 later"},
    "greets badly": {"greeting": b"554 5.3.2 no"},
    "knows no EHLO": {"EHLO": b"502 5.5.1 what"},
    "refuses senders": {"MAIL": b"550 5.1.8 nobody"},
    "refuses some": {"RCPT": lambda line: b"550 5.1.1 no" if b"you@" in line else b"250 2.1.5 yes"},
    "refuses data": {"DATA": b"554 5.5.1 no data"},
    "accepts data": {"DATA": b"250 2.0.0 already"},
    "goes on": {".": b"354 more"},
    "says goodbye": {"RCPT": b"421 4.3.2 shutting down"},
    "goes at once": {"greeting": DROP},
    "goes at EHLO": {"EHLO": DROP},
    "goes at MAIL": {"MAIL": DROP},
    "goes at RCPT": {"RCPT": DROP},
    "goes at DATA": {"DATA": DROP},
    "goes at the end": {".": DROP},
    "speaks no SMTP": {"RCPT": b"hello\r\n250 2.1.5 after all"},
    "without a code": {"MAIL": b"250"},
    "long": {".": b"250 2.0.0 " + b"x" * 600},
}
"""Name → how it answers.  The services that ask them have the same names."""

_SPEED: Final = {"smtpd_proxy_options": "speed_adjust"}
FURTHER: Final[dict[str, tuple[str, Mapping[str, str]]]] = {
    "nobody": ("127.0.0.1:10023", {}),
    "another name": ("plain", {"smtpd_proxy_ehlo": "other.test"}),
    "inet": ("inet:plain", {}),
    "behind a filter": ("told", {"smtpd_authorized_xforward_hosts": "127.0.0.1"}),
    "decreed": (
        "plain",
        {
            "smtpd_sender_restrictions": "check_sender_access inline:{ { hold@s.test=HOLD }, { gone@s.test=DISCARD }, "
            "{ other@s.test=REDIRECT a@b.test }, { copy@s.test=BCC a@b.test }, { by@s.test=FILTER smtp:x }, { more@s.test=PREPEND X-More: yes } }"
        },
    ),
    "data restrictions": (
        "plain",
        {
            "smtpd_data_restrictions": "check_sender_access inline:{ { data@s.test=REJECT } }",
            "smtpd_end_of_data_restrictions": "check_sender_access inline:{ { end@s.test=REJECT }, { hold@s.test=HOLD } }",
        },
    ),
    "early": ("plain", {"smtpd_delay_open_until_valid_rcpt": "no"}),
    "early refusal": ("refuses senders", {"smtpd_delay_open_until_valid_rcpt": "no"}),
    "early nobody": ("127.0.0.1:10023", {"smtpd_delay_open_until_valid_rcpt": "no"}),
    "soft": ("refuses all", {"soft_bounce": "yes"}),
    "footer": ("refuses all", {"smtpd_reject_footer": "See example.test"}),
    "hidden": (
        "plain",
        {"smtpd_tls_received_header": "yes", "smtpd_sasl_auth_enable": "yes", "smtpd_tls_auth_only": "no"},
    ),
    **{
        f"stored, {name}": (name, _SPEED)
        for name in (
            "told",
            "refuses all",
            "refuses in lines",
            "greets badly",
            "knows no EHLO",
            "not told",
            "refuses senders",
            "refuses some",
            "refuses data",
            "accepts data",
            "goes at once",
            "goes at MAIL",
            "goes at DATA",
            "goes at the end",
            "two lines",
            "goes on",
        )
    },
    "stored, nobody": ("127.0.0.1:10023", _SPEED),
}
"""Further services: whom they ask, and their other settings."""

HELLO: Final = b"EHLO client.example"
MAIL: Final = b"MAIL FROM:<a@example.test>"
RCPT: Final = b"RCPT TO:<me@pillarbox.test>"
YOU: Final = b"RCPT TO:<you@pillarbox.test>"
_TEXT: Final = b"Subject: x\r\n\r\n..dot\r\n...\r\n..two\r\nend\r\n."
_WHOLE: Final = (HELLO, MAIL, RCPT, b"DATA", _TEXT, MAIL)


def _each(names: tuple[str, ...]) -> tuple[bytes, ...]:
    return (
        HELLO,
        *(
            step
            for name in names
            for step in (b"MAIL FROM:<" + name.encode() + b"@s.test>", RCPT, b"DATA", _TEXT, b"RSET")
        ),
    )


EXCHANGES: Final = [
    *(Exchange(name, _WHOLE, name) for name in FILTERS),
    *(
        Exchange(f"{name}, HELO", (b"HELO client.example", MAIL, YOU, RCPT, b"DATA", _TEXT), name)
        for name in ("told", "refuses some")
    ),
    *(Exchange(name, _WHOLE, name) for name in FURTHER if name not in ("decreed", "data restrictions")),
    *(
        Exchange(f"{name}, two of them", (HELLO, MAIL, RCPT, YOU, b"DATA", _TEXT), name)
        for name in ("plain", "refuses some", "stored, refuses some")
    ),
    Exchange("decreed", _each(("hold", "gone", "other", "copy", "by", "more")), "decreed"),
    Exchange("refused at DATA", _each(("end", "hold", "ok", "data")), "data restrictions"),
    Exchange(
        "one after the other",
        (
            HELLO,
            MAIL,
            RCPT,
            b"DATA",
            _TEXT,
            MAIL,
            RCPT,
            b"DATA",
            _TEXT,
            b"RSET",
            MAIL,
            RCPT,
            b"RSET",
            MAIL,
            RCPT,
            HELLO,
            MAIL,
            RCPT,
        ),
        "told",
    ),
    Exchange(
        "stored, one after the other",
        (HELLO, MAIL, RCPT, b"DATA", _TEXT, MAIL, RCPT, b"DATA", _TEXT, b"RSET", MAIL, RCPT, b"RSET"),
        "stored, told",
    ),
    Exchange(
        "no recipients",
        (HELLO, MAIL, b"RCPT TO:<x@elsewhere.test>", b"DATA", b"RSET", MAIL, b"DATA"),
        "plain",
    ),
    Exchange(
        "parameters",
        (
            HELLO,
            b"MAIL FROM:<a@s.test> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=x",
            b"RCPT TO:<me@pillarbox.test> NOTIFY=NEVER ORCPT=rfc822;x@y",
            b"RSET",
            b"mail from: a@s.test  size=5 ",
            b"rcpt to: me@pillarbox.test ",
            b"data",
            _TEXT,
            b"MAIL FROM:<>",
            b"RCPT TO:<me@pillarbox.test>",
            b"RCPT TO:<postmaster>",
            b"DATA",
            _TEXT,
        ),
        "plain",
    ),
    Exchange(
        "chunks",
        (
            HELLO,
            MAIL,
            RCPT,
            Raw(b"BDAT 14\r\nSubject: x\r\n\r\n", 1),
            Raw(b"BDAT 9 LAST\r\n.dot\r\n.\r\n", 1),
            MAIL,
            RCPT,
            Raw(b"BDAT 3 LAST\r\nabc", 1),
        ),
        "plain",
    ),
    Exchange("chunks refused", (HELLO, MAIL, RCPT, Raw(b"BDAT 3 LAST\r\nabc", 1)), "refuses data"),
    Exchange(
        "chunks stored",
        (
            HELLO,
            MAIL,
            RCPT,
            Raw(b"BDAT 14\r\nSubject: x\r\n\r\n", 1),
            Raw(b"BDAT 9 LAST\r\n.dot\r\n.\r\n", 1),
        ),
        "stored, told",
    ),
    Exchange(
        "too big",
        (HELLO, MAIL, RCPT, b"DATA", b"x" * 990 + b"\r\n" + (b"x" * 998 + b"\r\n") * 20 + b".", MAIL),
        "plain",
    ),
    Exchange(
        "too big, stored",
        (HELLO, MAIL, RCPT, b"DATA", b"x" * 990 + b"\r\n" + (b"x" * 998 + b"\r\n") * 20 + b".", MAIL),
        "stored, told",
    ),
    Exchange(
        "long lines",
        (HELLO, MAIL, RCPT, b"DATA", b"." + b"x" * 5000 + b"\r\n." + b"." * 3000 + b"\r\n."),
        "plain",
    ),
    Exchange(
        "bare line ends", (HELLO, MAIL, RCPT, b"DATA", b"a\n.b\n..c\r\n\r\n.\n\r.\r\nd\re\r\n."), "plain"
    ),
    Exchange("nothing", (HELLO, MAIL, RCPT, b"DATA", b"."), "plain"),
    Exchange(
        "XFORWARD",
        (
            HELLO,
            b"XFORWARD NAME=x.test ADDR=192.0.2.7 PORT=5 PROTO=ESMTP HELO=+41 IDENT=ABC SOURCE=REMOTE",
            MAIL,
            RCPT,
            b"DATA",
            _TEXT,
            MAIL,
            RCPT,
            b"DATA",
            _TEXT,
        ),
        "behind a filter",
    ),
    Exchange(
        "XFORWARD of a little",
        (HELLO, b"XFORWARD NAME=x.test", MAIL, RCPT, b"DATA", _TEXT),
        "behind a filter",
    ),
    Exchange("a name with blanks", (b"EHLO a b+c=d", MAIL, RCPT), "told"),
    Exchange("no greeting", (MAIL, RCPT), "told"),
    Exchange("TLS", _WHOLE, "told", tls=True),
    Exchange(
        "a login",
        (HELLO, b"AUTH PLAIN " + b"AG1lQHBpbGxhcmJveC50ZXN0AHNlY3JldA==", MAIL, RCPT, b"DATA", _TEXT),
        "hidden",
    ),
    Exchange("many recipients", (HELLO, MAIL, RCPT, RCPT, RCPT, RCPT), "plain"),
]

"""The cases of test_client_parameters_peer.py: what a service of master.cf is told, its server, and a message."""

from collections.abc import Sequence
from typing import Final

import msgspec

from fakes.outbound_cases import Case
from fakes.outbound_world import MESSAGE, Server
from fakes.scripted_server import AND_CLOSE, DROP, SILENCE


def ehlo(*keywords: str) -> bytes:
    """A server's answer to EHLO."""
    lines = ["mx.peer.test", *keywords]
    return "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"]).encode()


ALL: Final = Server(
    {
        "EHLO": ehlo(
            "PIPELINING", "SIZE 1000000", "8BITMIME", "DSN", "ENHANCEDSTATUSCODES", "ETRN", "VRFY", "CHUNKING",
            "AUTH PLAIN LOGIN", "STARTTLS",
        )
    }
)  # fmt: skip
DSN: Final = (" RET=HDRS ENVID=e1", " NOTIFY=SUCCESS ORCPT=rfc822;b@x.test")
UNWILLING: Final = Server({"greeting": b"554 5.7.1 no"})
BUSY: Final = {"greeting": b"421 4.3.2 no"}
LATER: Final = Server({"RCPT": b"450 4.1.1 no"})
NOBODY: Final = Server({"RCPT": b"550 5.1.1 unknown"})
STARS: Final = Server({"greeting": b"220 **************"})
QUOTED: Final = ('"a b"', '"a..b"', '".x"', '"q@r"')
XFORWARD: Final = Server(
    {"EHLO": ehlo("XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT"), "XFORWARD": b"250 ok"}
)
SIMPLE: Final = ehlo("DSN")
_GARBAGE: Final = {
    "EHLO": b"what is it\r\n250-x\r\n250 PIPELINING",
    "LHLO": b"is\r\n250 PIPELINING",
    ".": b"oops\r\n250 2.0.0 ok",
}
_LONG: Final = MESSAGE.replace(b"Hello.", b"x" * 3000 + b"\r\n" + b"y" * 50)
_HIGH: Final = MESSAGE.replace(b"Hello", b"Gr\xc3\xbc").replace(
    b"From:",
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nFrom:",
)
_SELF: Final = "@ IN MX 10 us\nus IN A 10.53.0.2\nus IN A 10.53.0.3\n"
_GONE: Final = "@ IN MX 10 gone\n"


def _case(
    name: str,
    settings: dict[str, str],
    *servers: Server,
    records: str = "",
    nexthop: str = "",
    recipients: tuple[str, ...] = ("bob",),
    message: bytes = MESSAGE,
    parameters: tuple[str, str] = ("", ""),
) -> Case:
    """Of an smtp service; names of parameters are without smtp_, but for those after a blank."""
    named = {key[1:] if key.startswith(" ") else f"smtp_{key}": value for key, value in settings.items()}
    return Case(
        name=name,
        settings=named,
        servers=servers or (() if records in (_SELF, _GONE) else (Server(),)),
        records=records,
        nexthop=nexthop,
        recipients=recipients,
        message=message,
        parameters=parameters,
    )


def _timeout(name: str, settings: dict[str, str], silent: str, *, offer: bytes = SIMPLE) -> Case:
    replies = {"EHLO": offer} | {silent: SILENCE}
    return _case(name, settings, Server(replies))


_HELLO: Final = [
    _case("heloname", {"helo_name": "other.example"}),
    _case("neverehlo", {" smtp_never_send_ehlo": "yes"}),
    _case("alwaysno", {" smtp_always_send_ehlo": "no"}, Server({"greeting": b"220 mx SMTP here"})),
    _case("alwaysnolow", {" smtp_always_send_ehlo": "no"}, Server({"greeting": b"220 mx esmtp here"})),
    _case("bothehlo", {" smtp_always_send_ehlo": "no", " smtp_never_send_ehlo": "yes"}),
    _case("skipyes", {"skip_5xx_greeting": "yes"}, UNWILLING),
    _case("skipno", {"skip_5xx_greeting": "no"}, UNWILLING),
    _case("skipnotwo", {"skip_5xx_greeting": "no"}, UNWILLING, Server({}, 20)),
    _case("quitno", {"skip_quit_response": "no"}, Server({"QUIT": DROP})),
    *(
        _case(f"discard{at}", {"discard_ehlo_keywords": words}, ALL, parameters=DSN)
        for at, words in enumerate(
            (
                "pipelining",
                "dsn",
                "size",
                "8bitmime",
                "starttls, auth",
                "silent-discard, dsn, pipelining",
                "foo, dsn",
                "chunking,enhancedstatuscodes",
                "etrn, vrfy, VERP",
                "XFORWARD",
            )
        )
    ),
    _case(
        "discardmap",
        {"discard_ehlo_keyword_address_maps": "static:{dsn, silent-discard}"},
        ALL,
        parameters=DSN,
    ),
    _case(
        "discardmap2",
        {
            "discard_ehlo_keyword_address_maps": "cidr:{{10.0.0.0/8 pipelining}}",
            "discard_ehlo_keywords": "dsn",
        },
        ALL,
        parameters=DSN,
    ),
]
_STARRED: Final = [
    _case("pix", {}, STARS),
    _case("pixesmtp", {"pix_workarounds": "disable_esmtp"}, STARS),
    _case(
        "pixdot",
        {
            "pix_workarounds": "delay_dotcrlf",
            "pix_workaround_threshold_time": "0",
            "pix_workaround_delay_time": "1",
        },
        STARS,
    ),
    _case("pixsoon", {"pix_workarounds": "delay_dotcrlf"}, STARS),
    _case("pixnone", {"pix_workarounds": ""}, STARS),
    _case("pixmaps", {"pix_workaround_maps": "static:disable_esmtp"}, STARS),
    _case("pixmapsnot", {"pix_workaround_maps": "inline:{x=y}"}, STARS),
    _case("pixmixed", {}, Server({"greeting": b"220 *2***02***0*"})),
    _case("pixnot", {}, Server({"greeting": b"220 mx *****"})),
]
_ENVELOPE: Final = [
    _case("quoteyes", {"quote_rfc821_envelope": "yes"}, recipients=QUOTED),
    _case("quoteno", {"quote_rfc821_envelope": "no"}, recipients=QUOTED),
    _case(
        "generic",
        {
            "generic_maps": "inline:{{alice@sender.test=outside@isp.example},{bob@generic.test=b2@isp.example}}"
        },
    ),
    _case("genericdomain", {"generic_maps": "inline:{{@sender.test=@isp.example},{bob=robert}}"}),
    _case("xfwd", {"send_xforward_command": "yes"}, XFORWARD),
    _case("xfwdno", {"send_xforward_command": "no"}, XFORWARD),
    _case("dummy", {"send_dummy_mail_auth": "yes"}, Server({"EHLO": ehlo("AUTH PLAIN")})),
    _case(
        "dummylogin",
        {
            "send_dummy_mail_auth": "yes",
            "sasl_auth_enable": "yes",
            "sasl_password_maps": "static:u:p",
            "sasl_security_options": "",
        },
        Server({"EHLO": ehlo("AUTH PLAIN")}),
    ),
    _case("badsize", {}, Server({"EHLO": ehlo("SIZE 1x")})),
    _case("sizes", {}, Server({"EHLO": ehlo("SIZE 10", "SIZE 0", "SIZE 1x")})),
    _case("garbage", {}, Server({"greeting": b"oops\r\n220 x"} | _GARBAGE)),
    *(
        _case(
            f"later{at}",
            {},
            Server({step: b"450 4.2.0 no"}),
            Server(preference=20),
            recipients=("bob", "carol"),
        )
        for at, step in enumerate(("MAIL", "RCPT", "DATA", "."))
    ),
    _case("odd220", {}, Server({"greeting": b"120 2.1.0 x"})),
    _case(
        "garbagebatch",
        {},
        Server({"EHLO": ehlo("PIPELINING"), "MAIL": b"oops\r\n250 2.1.0 ok"}),
        recipients=("bob", "carol"),
    ),
    _case("garbageend", {}, Server({"EHLO": ehlo("PIPELINING"), "DATA": b"35 x" + AND_CLOSE})),
    _case(
        "onlyutf8", {}, Server({"EHLO": ehlo("SMTPUTF8")}), message=_HIGH, parameters=(" BODY=8BITMIME", "")
    ),
    _case(
        "needsutf8",
        {"tls_security_level": "may"},
        Server({"EHLO": ehlo("STARTTLS", "SIZE")}),
        recipients=("m\xfcller",),
        parameters=(" SMTPUTF8", " NOTIFY=NEVER"),
    ),
    _case("ourselves", {}, Server(None), Server({"EHLO": b"250-Mail.sender.test\r\n250 SIZE 1x"}, 20)),
    _case("noticeorder", {}, NOBODY, recipients=("bob", "carol", "b+x")),
]
_CONTENT: Final = [
    _case("line0", {"line_length_limit": "0"}, message=_LONG),
    _case("line998", {"line_length_limit": "998"}, message=_LONG),
    _case("line2048", {"line_length_limit": "2048"}, message=_LONG),
    _case(
        "checks",
        {
            "header_checks": "regexp:{{/^Subject: h/ REPLACE Subject: y}}",
            "body_checks": "regexp:{{/Hello/ PREPEND x}}",
        },
    ),
    _case(
        "checksoctets",
        {"body_checks": "regexp:{{/^in/ INFO}}"},
        message=MESSAGE.replace(b"Hello.", b"in \xe4 \x07 \xc3\xa4"),
    ),
    _case(
        "badchecks",
        {
            "header_checks": "regexp:{{/^Subject: h/ REJECT no}}",
            "body_checks": "regexp:{{/Hello/ FOO bar}}",
        },
    ),
    *(
        _case(
            f"{name}eight",
            {" disable_mime_output_conversion": value},
            Server({"EHLO": ehlo("SIZE", "DSN")}),
            message=_HIGH,
            parameters=(" BODY=8BITMIME", ""),
        )
        for name, value in (("keep", "yes"), ("turn", "no"))
    ),
    _case("sizeseven", {}, Server({"EHLO": ehlo("SIZE", "DSN")}), parameters=(" BODY=7BIT", "")),
]
_FILTERS: Final = [
    _case("replies", {"reply_filter": "regexp:{{/^250 2.1.5(.*)/ 450 4.1.5 filtered$$1}}"}),
    _case("greetings", {"reply_filter": "regexp:{{/^220 (.*)/ 421 4.3.2 go}}"}),
    _case("keywords", {"reply_filter": "regexp:{{/^250[- ]PIPELINING|^250[ -]8BIT/ 250-x}}"}),
    _case("harder", {"delivery_status_filter": "regexp:{{/^4(.*)/ 5$$1}}"}, LATER),
    _case("softer", {"delivery_status_filter": "regexp:{{/^5(.*)/ 4$$1}}"}, NOBODY),
    _case("tobad", {"delivery_status_filter": "regexp:{{/^2(.*)/ 5$$1}}"}),
    _case("togood", {"delivery_status_filter": "regexp:{{/^5(.*)/ 2.0.0 fine}}"}, NOBODY),
    _case("nostatus", {"delivery_status_filter": "regexp:{{/^2(.*)/ bah}}"}),
    _case("better", {"delivery_status_filter": "regexp:{{/^2(.*)/ 2.9.9 fine indeed}}"}),
    _case("repliesfail", {"reply_filter": "fail:x"}),
    _case("keywordsfail", {"discard_ehlo_keyword_address_maps": "fail:x"}),
    _case("statusfails", {"delivery_status_filter": "fail:x"}),
    _case("pixfails", {"pix_workaround_maps": "fail:x"}, STARS),
    _case("softbounce", {" soft_bounce": "yes"}, NOBODY),
]
_PLACES: Final = [
    _case("deferno", {"defer_if_no_mx_address_found": "no"}, records=_GONE),
    _case("deferyes", {"defer_if_no_mx_address_found": "yes"}, records=_GONE),
    _case("bestmx", {" best_mx_transport": "discard:x y"}, records=_SELF),
    _case("tcpport", {"tcp_port": "26"}, Server({}, port=26)),
    _case("tcpservice", {"tcp_port": "submission"}, Server({}, port=587)),
    _case("knownport", {"tcp_port": "own", " known_tcp_ports": "own=27"}, Server({}, port=27)),
    _case("hopport", {"tcp_port": "26"}, Server({}, port=28), nexthop="hopport.test:28"),
    _case("bind", {"bind_address": "$own_address"}),
    _case("bindno", {"bind_address": "10.99.9.9"}),
    _case("bindmust", {"bind_address": "10.99.9.9", "bind_address_enforce": "yes"}),
    _case("bindother", {"bind_address6": "::1"}),
    _case("native", {"host_lookup": "native"}, nexthop="[hosted.test]"),
    _case("nativedns", {"host_lookup": "native, dns"}, nexthop="[mx0.nativedns.test]"),
    _case("dnsnative", {"host_lookup": "dns, native"}, nexthop="[hosted.test]"),
    _case("dnsonly", {"host_lookup": "dns"}, nexthop="[hosted.test]"),
    _case("nomx", {"dns_support_level": "disabled"}, nexthop="[mx0.nomx.test]"),
    _case("nomxold", {" disable_dns_lookups": "yes"}, nexthop="mx0.nomxold.test"),
    _case("addresses1", {"mx_address_limit": "1"}, Server(None), Server({}, 20)),
    _case("addresses0", {"mx_address_limit": "0"}, Server(None), Server({}, 20)),
    *(
        _case(f"sessions{limit}", {"mx_session_limit": limit}, Server(BUSY), Server(BUSY, 20), Server({}, 30))
        for limit in "012"
    ),
    _case("given1", {"mx_session_limit": "1"}, LATER, Server({}, 20)),
    _case("given2", {"mx_session_limit": "2"}, LATER, Server({}, 20)),
    _case(
        "cname", {"cname_overrides_servername": "yes"}, records="a IN CNAME mx0\n", nexthop="[a.cname.test]"
    ),
    _case(
        "cnameno",
        {"cname_overrides_servername": "no"},
        records="a IN CNAME mx0\n",
        nexthop="[a.cnameno.test]",
    ),
    _case("answers", {"dns_reply_filter": "regexp:{{/ MX 10 / IGNORE}}"}, Server({}), Server({}, 20)),
    _case("addressless", {"dns_reply_filter": "regexp:{{/ A / IGNORE}}"}),
    _case("fallback", {"fallback_relay": "[mx1.fallback.test]:29"}, LATER, Server({}, 30, port=29)),
    _case("fallbacks", {"fallback_relay": "[mx0.fallbacks.test]:29, [mx0.heloname.test]"}, LATER),
]
_TIMES: Final = [
    _timeout("timegreeting", {"helo_timeout": "1s"}, "greeting"),
    _timeout("timeehlo", {"helo_timeout": "1s"}, "EHLO"),
    _timeout("timemail", {"mail_timeout": "1s"}, "MAIL"),
    _timeout("timercpt", {"rcpt_timeout": "1s"}, "RCPT"),
    _timeout("timedata", {"data_init_timeout": "1s"}, "DATA"),
    _timeout("timedot", {"data_done_timeout": "1s"}, "."),
    _timeout("timedeadline", {"rcpt_timeout": "1s", "per_request_deadline": "yes"}, "RCPT"),
    _timeout("timequit", {"quit_timeout": "1s", "skip_quit_response": "no"}, "QUIT"),
    _timeout(
        "timename",
        {"xforward_timeout": "1s", "send_xforward_command": "yes"},
        "XFORWARD",
        offer=ehlo("XFORWARD NAME"),
    ),
    _timeout(
        "timehelo",
        {"xforward_timeout": "1s", "send_xforward_command": "yes"},
        "XFORWARD",
        offer=ehlo("XFORWARD HELO"),
    ),
]
_LMTP_NAMES: Final = {
    "smtp_helo_name": "lmtp_lhlo_name",
    "smtp_helo_timeout": "lmtp_lhlo_timeout",
    "smtp_discard_ehlo_keywords": "lmtp_discard_lhlo_keywords",
    "smtp_discard_ehlo_keyword_address_maps": "lmtp_discard_lhlo_keyword_address_maps",
}


def _lmtp(case: Case) -> Case:
    """The same of an lmtp service, whose nexthop is a host."""
    name = f"{case.name}l"

    def renamed(text: str) -> str:
        return text.replace(f"{case.name}.test", f"{name}.test")

    servers = tuple(
        msgspec.structs.replace(
            server,
            replies=None
            if server.replies is None
            else {"LHLO" if verb == "EHLO" else verb: text for verb, text in server.replies.items()},
            lmtp=True,
            port=24 if server.port == 25 else server.port,
        )
        for server in case.servers
    )
    settings = {
        _LMTP_NAMES.get(key, key.replace("smtp_", "lmtp_", 1)): renamed(text)
        for key, text in case.settings.items()
    }
    return msgspec.structs.replace(
        case,
        name=name,
        program="lmtp",
        settings=settings,
        servers=servers,
        nexthop=renamed(case.nexthop) or f"mx0.{name}.test",
    )


def _flagged(name: str, flags: str, *recipients: str, program: str = "lmtp", header: bytes = b"") -> Case:
    server = Server({}, lmtp=program == "lmtp", port=24 if program == "lmtp" else 25)
    return Case(
        name=name,
        program=program,
        arguments=f"flags={flags}",
        servers=(server,),
        nexthop="" if program == "smtp" else f"mx0.{name}.test",
        recipients=recipients or ("bob",),
        message=header + MESSAGE,
        parameters=("", " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;old@x.test"),
    )


_ALIKE: Final = {"ourselves", "repliesfail", "neverehlo", "alwaysno", "alwaysnolow", "bothehlo", "skipnotwo"}
_FLAGS: Final = [
    _flagged("flagall", "DORX"),
    _flagged("flagsmtp", "DORX", program="smtp"),
    _flagged("flagreturn", "R", "bob", "carol"),
    _flagged("flagmany", "D", "bob", "carol"),
    _flagged("flagold", "O", "bob", "carol"),
    _flagged("flagloop", "D", header=b"Delivered-To: bob@flagloop.test\r\n"),
    _flagged("flagfinal", "X"),
]
"""flags= in master.cf."""
CONVERSATIONS: Final[Sequence[Case]] = (
    *_HELLO,
    *_STARRED,
    *_ENVELOPE,
    *_CONTENT,
    *_FILTERS,
    *_PLACES,
    *_TIMES,
    *(
        _lmtp(case)
        for case in (*_HELLO, *_STARRED, *_ENVELOPE, *_CONTENT, *_FILTERS)
        if case.name not in _ALIKE
    ),
    *(_lmtp(case) for case in _TIMES),
    *_FLAGS,
)

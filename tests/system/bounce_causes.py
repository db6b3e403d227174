"""Causes for which mail comes back or waits: what a message is, where it goes, and what it meets there.

The cases of test_bounce_causes_peer.py; what the report says, the peer says.
"""

from typing import Final

import msgspec

from fakes.network import address
from fakes.outbound_world import SENDER, Server
from fakes.scripted_server import BREAK_TLS, DROP, SILENCE

HERE: Final = "sender.test"
_ID: Final = b"Message-Id: <1@sender.test>\r\nDate: Tue, 1 Dec 2026 00:00:00 +0000\r\n"
HELLO: Final = b"Subject: hello\r\n" + _ID + b"From: alice@sender.test\r\n\r\nHello.\r\n.\r\n..two dots\r\n"


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A message that fails or waits in one way."""

    name: str
    to: tuple[str, ...] = ()  # bob@NAME.test, the alias' or the mailbox' address
    servers: tuple[Server, ...] = ()  # of NAME.test
    certificate: str = ""  # of the server: its signer's name
    records: str = ""  # of NAME.test
    via: str = ""  # in transport_maps for NAME.test
    alias: str = ""  # of NAME here
    mailbox: str = ""  # of NAME@virtual.test
    service: str = ""  # of NAME in master.cf, behind "unix", or what pipe(8) runs by the shell, behind "|"
    sender: str = SENDER
    parameters: tuple[str, str] = ("", "")  # of MAIL and RCPT
    message: bytes = HELLO
    command: tuple[str, ...] = ()  # given to sendmail(1) with these options, not to smtpd(8)

    @property
    def recipients(self) -> tuple[str, ...]:
        """Addresses."""
        if self.to:
            return self.to
        if self.alias:
            return (f"{self.name}@{HERE}",)
        return (f"{self.name}@virtual.test" if self.mailbox else f"bob@{self.name}.test",)

    @property
    def route(self) -> str:
        """What stands in transport_maps."""
        return self.via or (f"{self.name}:" if self.service else "")


_PLAIN: Final = b"250 mx.peer.test"
"""Without PIPELINING each reply has its command."""


def _at(step: str, reply: bytes) -> tuple[Server, ...]:
    return (Server({"EHLO": _PLAIN, step: reply}),)


def _refused(name: str, step: str, reply: bytes, **more: object) -> Cause:
    return Cause(name=name, servers=_at(step, reply), **more)  # type: ignore[arg-type]


_SMTP: Final = "- - n - - smtp "
_TLS: Final = b"250-mx.peer.test\r\n250 STARTTLS"
_AUTH: Final = b"250-mx.peer.test\r\n250 AUTH PLAIN"

REMOTE: Final[tuple[Cause, ...]] = (
    # -- before the session
    Cause(name="refused", records=f"@ IN A {address(19)}\n"),
    Cause(name="noroute", records=f"@ IN A {address(18)}\n"),
    Cause(name="twohosts", servers=(Server(None, 10), Server({"greeting": b"554 5.7.1 No"}, 20))),
    Cause(name="nullmx", records="@ IN MX 0 .\n"),
    Cause(name="nomx", records="@ IN TXT hello\n"),
    Cause(name="mxnowhere", records="@ IN MX 10 gone.mxnowhere.test.\n"),
    Cause(name="nodomain", to=("bob@no.such.domain.example",)),
    Cause(name="loops", records=f"@ IN MX 10 us\nus IN A {address(2)}\nus IN A {address(3)}\n"),
    Cause(name="literal", to=(f"bob@[{address(18)}]",)),
    Cause(name="mirror", servers=(Server({"EHLO": b"250 mail.sender.test"}),)),
    # -- greeting
    _refused("greeting421", "greeting", b"421 4.3.2 Busy"),
    _refused("greeting450", "greeting", b"450 later"),
    _refused("greeting554", "greeting", b"554 5.7.1 Go away"),
    _refused("greeting554bare", "greeting", b"554"),
    _refused("greetinglines", "greeting", b"554-mx.peer.test\r\n554-no mail\r\n554 5.7.1 from you"),
    _refused("greetinggarbage", "greeting", b"hello there", service=_SMTP + "-o smtp_helo_timeout=5s"),
    _refused("greetinglong", "greeting", b"554 5.7.1 " + b"long " * 1000),
    _refused("greetingdrop", "greeting", DROP),
    _refused("greetingsilent", "greeting", SILENCE, service=_SMTP + "-o smtp_helo_timeout=1s"),
    # -- EHLO, STARTTLS, AUTH
    _refused("ehlo421", "EHLO", b"421 4.7.0 Too many connections"),
    Cause(name="helo550", servers=(Server({"EHLO": b"550 5.7.1 No", "HELO": b"550 5.7.1 Never"}),)),
    Cause(name="helo450", servers=(Server({"EHLO": b"450 No", "HELO": b"450 Not now"}),)),
    _refused("ehlodrop", "EHLO", DROP),
    _refused("tlsmissing", "QUIT", b"221 Bye", via="encrypted:"),
    Cause(name="tls454", servers=(Server({"EHLO": _TLS, "STARTTLS": b"454 4.7.0 Not now"}),), via="encrypted:"),
    Cause(name="tls554", servers=(Server({"EHLO": _TLS, "STARTTLS": b"554 5.7.0 Never"}),), via="encrypted:"),
    Cause(name="tlsbroken", servers=(Server({"EHLO": _TLS, "STARTTLS": BREAK_TLS}),), via="encrypted:"),
    Cause(name="tlsstrange", servers=(Server({"EHLO": _TLS}),), certificate="strange", via="secured:"),
    Cause(name="tlsname", servers=(Server({"EHLO": _TLS}),), certificate="known", via="secured:"),
    Cause(name="auth535", servers=(Server({"EHLO": _AUTH, "AUTH": b"535 5.7.8 Wrong"}),), via="login:"),
    Cause(name="auth454", servers=(Server({"EHLO": _AUTH, "AUTH": b"454 4.7.0 Later"}),), via="login:"),
    Cause(name="authhard", servers=(Server({"EHLO": _AUTH, "AUTH": b"535 5.7.8 Wrong"}),), via="hardlogin:"),
    Cause(name="authother", servers=(Server({"EHLO": b"250-x\r\n250 AUTH GSSAPI"}),), via="login:"),
    Cause(name="authdrop", servers=(Server({"EHLO": _AUTH, "AUTH": DROP}),), via="login:"),
    # -- MAIL
    _refused("mail553", "MAIL", b"553 5.1.8 Sender not welcome"),
    _refused("mail451", "MAIL", b"451 4.3.0 Later"),
    _refused("mail550bare", "MAIL", b"550 no"),
    _refused("mail421", "MAIL", b"421 4.3.2 Closing"),
    _refused("maildrop", "MAIL", DROP),
    _refused("mailsilent", "MAIL", SILENCE, service=_SMTP + "-o smtp_mail_timeout=1s"),
    # -- RCPT
    _refused("rcpt550", "RCPT", b"550 5.1.1 <bob>: No such user"),
    _refused("rcptbare", "RCPT", b"550 no such user"),
    _refused("rcptcodeonly", "RCPT", b"550"),
    _refused("rcptenhancedonly", "RCPT", b"550 5.1.1"),
    _refused("rcptmixed", "RCPT", b"550 4.7.1 Not now, or never"),
    _refused("rcptwrongclass", "RCPT", b"450 5.7.1 Never, or not now"),
    _refused("rcpt450", "RCPT", b"450 4.2.1 Greylisted"),
    _refused("rcpt450bare", "RCPT", b"450 come back"),
    _refused("rcpt451", "RCPT", b"451-4.3.0 Two\r\n451 4.3.0 lines"),
    _refused("rcptlines", "RCPT", b"550-5.1.1 The address does not exist.\r\n550-5.1.1\r\n550 5.1.1 Read https://x.test/"),
    _refused("rcptbarelines", "RCPT", b"550-The address\r\n550-5.7.9 does not\r\n550 5.1.1 exist"),
    _refused("rcptlatin", "RCPT", b"550 5.7.1 gr\xfc\xdfe aus K\xf6ln"),
    _refused("rcptutf8", "RCPT", "550 5.7.1 grüße aus Köln".encode()),
    _refused("rcptcontrols", "RCPT", b"550 5.7.1 a\tb\x07c\x7fd"),
    _refused("rcptlong", "RCPT", b"550 5.7.1 " + b"long words " * 400),
    _refused("rcptmany", "RCPT", b"\r\n".join(b"550-5.7.1 line %d" % n for n in range(60)) + b"\r\n550 5.7.1 end"),
    _refused("rcptword", "RCPT", b"550 5.7.1 " + b"x" * 900),
    _refused("rcptgarbage", "RCPT", b"what?", service=_SMTP + "-o smtp_rcpt_timeout=5s"),
    _refused("rcpt354", "RCPT", b"354 go on"),
    _refused("rcpt999", "RCPT", b"999 9.9.9 who knows"),
    _refused("rcpt552", "RCPT", b"552 5.5.3 Too many recipients"),
    _refused("rcpt552full", "RCPT", b"552 5.2.2 Mailbox full"),
    _refused("rcpt521", "RCPT", b"521 5.3.2 No mail here"),
    _refused("rcpt421", "RCPT", b"421 4.3.2 Closing"),
    _refused("rcptdrop", "RCPT", DROP),
    _refused("rcptsilent", "RCPT", SILENCE, service=_SMTP + "-o smtp_rcpt_timeout=1s"),
    Cause(
        name="rcpteach",
        servers=(Server({"RCPT": lambda line: {b"a": b"550 5.1.1 Unknown", b"b": b"250 2.1.5 Ok",
                                               b"c": b"452 4.2.2 Full"}[line[9:10]]}),),
        to=("a@rcpteach.test", "b@rcpteach.test", "c@rcpteach.test"),
    ),
    # -- DATA and its end
    _refused("data554", "DATA", b"554 5.5.1 No data please"),
    _refused("data451", "DATA", b"451 4.3.0 Later"),
    _refused("data250", "DATA", b"250 2.0.0 Thank you"),
    _refused("datadrop", "DATA", DROP),
    _refused("datasilent", "DATA", SILENCE, service=_SMTP + "-o smtp_data_init_timeout=1s"),
    _refused("end554", ".", b"554 5.7.1 Spam"),
    _refused("endbare", ".", b"554 spam"),
    _refused("end451", ".", b"451 4.3.2 Try later"),
    _refused("end354", ".", b"354 more"),
    _refused("enddrop", ".", DROP),
    _refused("endsilent", ".", SILENCE, service=_SMTP + "-o smtp_data_done_timeout=1s"),
    # -- what a server does not take
    Cause(name="size", servers=(Server({"EHLO": b"250-mx.peer.test\r\n250 SIZE 10"}),)),
    Cause(
        name="noutf8",
        servers=_at("MAIL", b"250 Ok"),
        parameters=(" SMTPUTF8", ""),
        message=b"Subject: gr\xc3\xbc\xc3\x9fe\r\n" + HELLO,
    ),
    Cause(name="noutf8name", servers=_at("MAIL", b"250 Ok"), to=("gr\u00fc\u00df@noutf8name.test",), parameters=(" SMTPUTF8", "")),
    Cause(
        name="eight",
        servers=_at("RCPT", b"550 5.1.1 Unknown"),
        parameters=(" BODY=8BITMIME", ""),
        message=b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n" + HELLO + b"Gr\xc3\xbc\xc3\x9fe\r\n",
    ),
    # -- LMTP
    Cause(name="lmtprefused", servers=(Server(None),), via="lmtp:mx0.lmtprefused.test:25"),
    Cause(name="lmtpsocket", via="lmtp:unix:/nonexistent"),
    Cause(name="lmtphelo", servers=(Server({"LHLO": b"550 5.7.1 No"}, lmtp=True),), via="lmtp:mx0.lmtphelo.test:25"),
    Cause(name="lmtprcpt", servers=(Server({"RCPT": b"550 5.1.1 Unknown"}, lmtp=True),), via="lmtp:mx0.lmtprcpt.test:25"),
    Cause(name="lmtpend", servers=(Server({".": b"552 5.2.2 Over quota"}, lmtp=True),), via="lmtp:mx0.lmtpend.test:25", to=("a@lmtpend.test", "b@lmtpend.test")),
    # -- tables
    Cause(name="error", via="error:5.7.9 the domain is not served"),
    Cause(name="errorbare", via="error:the domain is not served"),
    Cause(name="errorempty", via="error:"),
    Cause(name="errorsoft", via="error:4.7.9 hard all the same"),
    Cause(name="retry", via="retry:4.7.9 not served yet"),
    Cause(name="retrybare", via="retry:not served yet"),
    Cause(name="retryhard", via="retry:5.7.9 soft all the same"),
    Cause(name="noservice", via="nosuch:x"),
    Cause(name="relocated", to=(f"moved@{HERE}",)),
    Cause(name="aliasdomain", to=("nobody@alias.test",)),
    Cause(name="aliasnobody", to=("nobodyhere@alias.test",)),
    Cause(name="aliasboth", to=("both@alias.test",)),
    Cause(name="relay", to=("nobody@relay.test",), servers=_at("RCPT", b"550 5.1.1 Unknown")),
)  # fmt: skip

_EXITS: Final = {
    "usage": 64, "data": 65, "noinput": 66, "nouser": 67, "nohost": 68, "unavailable": 69, "software": 70,
    "oserr": 71, "osfile": 72, "cantcreat": 73, "ioerr": 74, "tempfail": 75, "protocol": 76, "noperm": 77,
    "config": 78, "other": 3, "missing": 127,
}  # fmt: skip

HERE_AND_PIPES: Final[tuple[Cause, ...]] = (
    *(Cause(name=f"pipe{name}", service=f"|exit {status}") for name, status in _EXITS.items()),
    *(Cause(name=f"command{name}", alias=f'"|exit {status}"') for name, status in _EXITS.items()),
    *(
        cause
        for name, text in {
            "killed": "kill -9 $$",
            "says": "echo no luck; exit 69",
            "coded": "echo 5.1.1 no such user; exit 69",
            "softer": "echo 4.2.2 full; exit 67",
            "harder": "echo 5.2.2 full; exit 75",
            "lines": "echo one; echo; echo 5.1.1 two; exit 69",
            "octets": r"printf '5.7.1 a\tb\001c\351d gr\303\274n\n'; exit 77",
            "long": r"head -c 9000 /dev/zero | tr '\0' x; exit 69",
        }.items()
        for cause in (
            Cause(name=f"pipe{name}", service=f"|{text}"),
            Cause(name=f"command{name}", alias='"|' + text.replace("\\", r"\\") + '"'),
        )
    ),
    Cause(name="pipesmall", service="- n n - - pipe size=10 user=nobody argv=/bin/true"),
    Cause(name="pipenothing", service="- n n - - pipe user=nobody argv=/no/such/program"),
    Cause(name="pipeslow", service="- n n - - pipe user=nobody argv=/bin/sleep 1000"),
    Cause(
        name="pipeloop",
        service="- n n - - pipe flags=D user=nobody argv=/bin/true",
        message=b"Delivered-To: bob@pipeloop.test\r\n" + HELLO,
    ),
    # -- local(8)
    Cause(name="nouser", to=(f"nobodyhere@{HERE}",)),
    Cause(name="nouserext", to=(f"nobodyhere+x@{HERE}",)),
    Cause(name="nouserquoted", to=(f'"nobody here"@{HERE}',)),
    Cause(name="filedenied", alias="/var/store/denied"),
    Cause(name="filefull", alias="/var/store/full"),
    Cause(name="filenowhere", alias="/var/store/no/where"),
    Cause(name="filedirectory", alias="/var/store"),
    Cause(name="fileexecutable", alias="/var/store/program"),
    Cause(name="maildirdenied", alias="/var/store/closed/"),
    Cause(name="commandnothing", alias="|/no/such/program"),
    Cause(name="commandslow", to=("slow@local2.test",), via="local2:"),
    Cause(name="includemissing", alias=":include:/etc/postfix/no-such-list"),
    Cause(name="includedirectory", alias=":include:/etc/postfix"),
    Cause(name="includeof", alias=":include:/etc/postfix/list"),
    Cause(name="ownedof", alias="nobodyhere", parameters=("", " ORCPT=rfc822;x@y.test")),
    Cause(name="aliasloop", alias="aliasloop2"),
    Cause(name="aliasof", alias="nobodyhere, alice, alsonobody"),
    Cause(name="aliasempty", alias=","),
    Cause(name="delivered", to=(f"alice@{HERE}",), message=b"Delivered-To: alice@sender.test\r\n" + HELLO),
    Cause(name="forwardloop", to=(f"carol@{HERE}",), message=b"Delivered-To: dave@sender.test\r\n" + HELLO),
    Cause(name="forwardnobody", to=(f"dave@{HERE}",)),
    Cause(name="forwardcommand", to=(f"eve@{HERE}",)),
    Cause(name="homeless", to=(f"homeless@{HERE}",)),
    # -- virtual(8)
    Cause(name="virtualnobody", to=("nobodyhere@virtual.test",)),
    Cause(name="virtualdenied", mailbox="denied/x/"),
    Cause(name="virtualfull", mailbox="full"),
    Cause(name="virtualforeign", mailbox="foreign"),
    Cause(name="virtualdirectory", mailbox="closed"),
    Cause(name="virtuallink", mailbox="link"),
    Cause(name="virtualnouid", mailbox="nouid/"),
    Cause(name="virtuallowuid", mailbox="lowuid/"),
    Cause(name="virtualloop", mailbox="loop/", message=b"Delivered-To: virtualloop@virtual.test\r\n" + HELLO),
)

_UNKNOWN: Final = _at("RCPT", b"550 5.1.1 Unknown")
_HOPS: Final = b"".join(b"Received: from host%d by host\r\n" % n for n in range(60))
REPORTS: Final[tuple[Cause, ...]] = (
    Cause(name="never", servers=_UNKNOWN, parameters=("", " NOTIFY=NEVER")),
    Cause(name="onlysuccess", servers=_UNKNOWN, parameters=("", " NOTIFY=SUCCESS")),
    Cause(name="onlydelay", servers=_UNKNOWN, parameters=("", " NOTIFY=DELAY")),
    Cause(name="headers", servers=_UNKNOWN, parameters=(" RET=HDRS ENVID=e+2B1", " NOTIFY=FAILURE ORCPT=rfc822;b+2Bob@x.test")),
    Cause(name="full", servers=_UNKNOWN, parameters=(" RET=FULL ENVID=" + "e" * 100, " ORCPT=utf-8;b\\x{FC}b@x.test")),
    Cause(name="longid", servers=_UNKNOWN, message=b"Subject: " + b"long words " * 200 + b"\r\n" + HELLO),
    Cause(name="relayed", servers=_at("RCPT", b"250 2.1.5 Ok"), parameters=(" ENVID=x", " NOTIFY=SUCCESS")),
    Cause(name="passedon", servers=(Server(),), parameters=(" ENVID=x", " NOTIFY=SUCCESS")),
    Cause(name="taken", to=(f"alice@{HERE}",), parameters=(" RET=HDRS", " NOTIFY=SUCCESS ORCPT=rfc822;al@x.test")),
    Cause(name="takenalias", alias="alice, carol", parameters=("", " NOTIFY=SUCCESS,FAILURE")),
    Cause(name="takencommand", alias='"|cat >/dev/null"', parameters=("", " NOTIFY=SUCCESS")),
    Cause(name="takenvirtual", mailbox="taken/", parameters=("", " NOTIFY=SUCCESS")),
    Cause(name="discarded", via="discard:nobody wants it", parameters=("", " NOTIFY=SUCCESS")),
    Cause(name="null", servers=_UNKNOWN, sender=""),
    Cause(name="double", servers=_UNKNOWN, sender=f"nobodyhere@{HERE}"),
    Cause(name="doubleaway", servers=_UNKNOWN, sender="eve@double.test"),
    Cause(name="quoted", servers=_UNKNOWN, sender='"a b"@nodomain.example', to=('"x y"@quoted.test',)),
    Cause(name="extension", servers=_UNKNOWN, sender=f"alice+list@{HERE}"),
    Cause(name="big", servers=_UNKNOWN, message=HELLO + b"a line of words\r\n" * 4000),
    Cause(name="binary", servers=_UNKNOWN, message=b"Subject: \xe9\r\n" + HELLO + b"\xe9\x01\xff\r\n"),
    Cause(name="nobody", servers=_UNKNOWN, message=b"Subject: x\r\n"),
    Cause(name="noheader", servers=_UNKNOWN, message=b"\r\nno header\r\n"),
    Cause(name="thread", servers=_UNKNOWN, message=b"References: <a@b>\r\n" + HELLO),
    Cause(name="utf8", servers=(Server({"EHLO": b"250-x\r\n250 SMTPUTF8", "RCPT": "550 5.1.1 gr\u00fcn".encode()}),),
          to=("gr\u00fcn@utf8.test",), parameters=(" SMTPUTF8", ""), message=b"Subject: gr\xc3\xbcn\r\n" + HELLO),
    Cause(name="both", to=("bob@error.test", f"nobodyhere@{HERE}", f"alice@{HERE}", "bob@retry.test"), parameters=("", " NOTIFY=SUCCESS,FAILURE,DELAY")),
    Cause(name="hops", to=(f"alice@{HERE}",), message=_ID + _HOPS + b"\r\nhops\r\n", command=("-i",)),
    Cause(name="checked", to=(f"alice@{HERE}",), message=_ID + b"X-Check: reject\r\n\r\nchecked\r\n", command=("-i",)),
    Cause(name="submitted", servers=_UNKNOWN, command=("-i", "-N", "failure,delay", "-R", "hdrs", "-V", "env")),
    Cause(name="fullname", servers=_UNKNOWN, command=("-i", "-F", "Alice A."), message=b"Message-Id: <1@sender.test>\r\n\r\nno more\r\n"),
    Cause(name="probe", servers=_UNKNOWN, command=("-i", "-bv")),
    Cause(name="verbose", servers=_UNKNOWN, command=("-i", "-v")),
)  # fmt: skip

CAUSES: Final = (*REMOTE, *HERE_AND_PIPES, *REPORTS)

_LATER: Final = _at("RCPT", b"450 4.2.1 Later")
WAITING: Final[tuple[Cause, ...]] = (
    Cause(name="wait", servers=_LATER),
    Cause(name="waitfailure", servers=_LATER, parameters=("", " NOTIFY=FAILURE")),
    Cause(name="waitdelay", servers=_LATER, parameters=(" RET=HDRS ENVID=w", " NOTIFY=DELAY ORCPT=rfc822;w@x.test")),
    Cause(name="waitfull", servers=_LATER, parameters=(" RET=FULL", " NOTIFY=DELAY,SUCCESS")),
    Cause(name="waitnever", servers=_LATER, parameters=("", " NOTIFY=NEVER")),
    Cause(name="waitnull", servers=_LATER, sender=""),
    Cause(name="waitdouble", servers=_LATER, sender=f"nobodyhere@{HERE}"),
    Cause(name="waitrefused", records=f"@ IN A {address(19)}\n"),
    Cause(name="waitretry", via="retry:4.7.9 not served yet"),
    Cause(name="waitlocal", alias='"|echo 4.2.2 not now; exit 75"'),
    Cause(name="waitvirtual", mailbox="denied/y/"),
    Cause(name="waitboth", servers=(Server({"RCPT": lambda line: b"450 4.2.1 Later" if line[9:10] == b"a" else b"550 5.1.1 Unknown"}),),
          to=("a@waitboth.test", "b@waitboth.test", f"alice@{HERE}")),
    Cause(name="waitsoft", servers=_UNKNOWN, service=_SMTP + "-o soft_bounce=yes"),
    Cause(name="waitutf8", servers=(Server({"EHLO": b"250-x\r\n250 SMTPUTF8", "RCPT": "450 4.2.1 gr\u00fcn".encode()}),),
          to=("gr\u00fcn@waitutf8.test",), parameters=(" SMTPUTF8", "")),
    Cause(name="waitprobe", servers=_LATER, command=("-i", "-bv")),
    Cause(name="failed", servers=_UNKNOWN),
    Cause(name="failednever", servers=_UNKNOWN, parameters=("", " NOTIFY=NEVER")),
    Cause(name="failednullnever", servers=_UNKNOWN, sender="", parameters=("", " NOTIFY=NEVER")),
    Cause(name="failednull", servers=_UNKNOWN, sender=""),
)  # fmt: skip
"""With delay_warning_time of a second, which is over at once, and a lifetime of days."""

_EVERYTHING: Final = (*CAUSES, *WAITING)


def _entries(pairs: dict[str, str]) -> str:
    return "inline:{ " + " ".join(f"{{ {key} = {value} }}" for key, value in pairs.items()) + " }"


MAIN_CF: Final = f"""\
myhostname = mail.sender.test
recipient_delimiter = +
alias_maps = texthash:/etc/postfix/aliases
notify_classes = 2bounce
maximal_queue_lifetime = 0
bounce_queue_lifetime = 0
message_size_limit = 100000
mailbox_size_limit = 100000
virtual_mailbox_limit = 100000
bounce_size_limit = 20000
smtp_tls_security_level =
smtp_randomize_addresses = no
smtp_connection_cache_on_demand = no
smtpd_reject_unlisted_recipient = no
smtpd_recipient_restrictions = permit_mynetworks, reject
mynetworks = 127.0.0.0/8
in_flow_delay = 0
relay_domains = relay.test
relocated_maps = {_entries({"moved": "moved@elsewhere.test"})}
virtual_alias_domains = alias.test
virtual_alias_maps = {_entries({"nobodyhere@alias.test": "nobodyhere@sender.test", "both@alias.test": "nobodyhere@sender.test, bob@error.test"})}
virtual_mailbox_domains = virtual.test
virtual_mailbox_base = /var/virtual
virtual_mailbox_maps = {_entries({f"{one.name}@virtual.test": one.mailbox for one in _EVERYTHING if one.mailbox})}
virtual_uid_maps = {_entries({f"{one.name}@virtual.test": "50" if one.name == "virtuallowuid" else "5000" for one in _EVERYTHING if one.mailbox and one.name != "virtualnouid"})}
virtual_gid_maps = static:5000
transport_maps = {_entries({f"{one.name}.test": one.route for one in _EVERYTHING if one.route} | {"local2.test": "local2:"})}
header_checks = regexp:{{ {{ /^X-Check: reject/ REJECT 5.7.1 not this one }} }}
smtp_sasl_password_maps = static:user:password
smtp_sasl_security_options =
pipeslow_time_limit = 1s
"""
WAITS: Final = "waits"
"""In the banner, once a host has these settings."""
DELAYS: Final = {
    "notify_classes": "bounce, delay, 2bounce",
    "maximal_queue_lifetime": "5d",
    "delay_warning_time": "1s",
    "smtpd_banner": f"$myhostname {WAITS}",
}

ALIASES: Final = (
    "".join(f"{one.name} {one.alias}\n" for one in _EVERYTHING if one.alias)
    + "postmaster alice\naliasloop2 aliasloop\nowner-ownedof alice+owner\nslow |/bin/sleep 1000\n"
)

SERVICES: Final = (
    "".join(
        f"{one.name} unix "
        + (
            f"- n n - - pipe user=nobody argv=/bin/sh -c {{ {one.service[1:]} }}\n".replace("$$", "$$$$")
            if one.service.startswith("|")
            else one.service + "\n"
        )
        for one in _EVERYTHING
        if one.service
    )
    + """\
encrypted unix - - n - - smtp -o smtp_tls_security_level=encrypt
secured unix - - n - - smtp -o smtp_tls_security_level=secure -o smtp_tls_CAfile=/etc/postfix/known.pem
login unix - - n - - smtp -o smtp_sasl_auth_enable=yes
hardlogin unix - - n - - smtp -o smtp_sasl_auth_enable=yes -o smtp_sasl_auth_soft_bounce=no
local2 unix - n n - - local -o command_time_limit=1s
"""
)

SET_UP: Final = """\
set -e
for user in carol dave eve homeless; do useradd --create-home $user; done
rm -r /home/homeless
echo dave >/home/carol/.forward
echo nobodyhere >/home/dave/.forward
echo '"|echo 5.7.7 eve is not here; exit 77"' >/home/eve/.forward
for user in carol dave eve; do chown $user /home/$user/.forward; done
mkdir -m 1777 /var/store
mkdir -m 700 /var/store/closed
touch /var/store/denied && chmod 600 /var/store/denied
head -c 99900 /dev/zero >/var/store/full && chmod 666 /var/store/full
touch /var/store/program && chmod 777 /var/store/program
echo 'nobodyhere, alice' >/etc/postfix/list
mkdir /var/virtual && chown 5000:5000 /var/virtual
mkdir -m 700 /var/virtual/denied /var/virtual/closed
head -c 99900 /dev/zero >/var/virtual/full && chown 5000:5000 /var/virtual/full
touch /var/virtual/foreign && chmod 666 /var/virtual/foreign
ln -s /var/virtual/full /var/virtual/link
"""

"""SMTP commands as they are understood, and lines that are refused; command_grammar.py reads them.

STANDARDS
    RFC 5321 §4.1; RFC 3030 (CHUNKING); RFC 3461 (DSN); RFC 4954 (AUTH); RFC 6531 (SMTPUTF8); RFC 8689 (REQUIRETLS);
    RFC 1985 (ETRN); XCLIENT_README, XFORWARD_README
"""

import msgspec

from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.envelope import Notify, Ret
from pillarbox.vocabulary.reply import Reply


class Helo(msgspec.Struct, frozen=True):
    """`helo = "HELO" SP Domain CRLF`  RFC 5321 §4.1.1.1"""

    domain: bytes


class Ehlo(msgspec.Struct, frozen=True):
    """`ehlo = "EHLO" SP ( Domain / address-literal ) CRLF`  RFC 5321 §4.1.1.1"""

    domain: bytes


class MailFrom(msgspec.Struct, frozen=True):
    """`mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF`  RFC 5321 §4.1.1.2"""

    sender: Address
    text: bytes  # the path as the client wrote it, without angle brackets
    size: int | None = None
    eight_bit: bool | None = None  # BODY=8BITMIME / 7BIT
    smtputf8: bool = False
    requires_tls: bool = False
    ret: Ret = Ret.DEFAULT
    envelope_id: bytes = b""
    auth: bytes | None = None  # AUTH=, still xtext (RFC 4954 §5)
    verp: bytes = b""  # XVERP: two delimiters (VERP_README)
    brackets: bool = True  # whether the path had them


class RcptTo(msgspec.Struct, frozen=True):
    """`rcpt = "RCPT TO:" Forward-path [SP Rcpt-parameters] CRLF`  RFC 5321 §4.1.1.3"""

    recipient: Address
    text: bytes
    notify: Notify = Notify.DEFAULT
    dsn_original: bytes = b""
    brackets: bool = True


class Data(msgspec.Struct, frozen=True):
    """`data = "DATA" CRLF`  RFC 5321 §4.1.1.4"""


class Bdat(msgspec.Struct, frozen=True):
    """`bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CR LF`  RFC 3030 §2"""

    size: int
    last: bool


class Rset(msgspec.Struct, frozen=True):
    """`rset = "RSET" CRLF`  RFC 5321 §4.1.1.5"""


class Noop(msgspec.Struct, frozen=True):
    """`noop = "NOOP" [ SP String ] CRLF`  RFC 5321 §4.1.1.9"""


class Vrfy(msgspec.Struct, frozen=True):
    """`vrfy = "VRFY" SP String CRLF`  RFC 5321 §4.1.1.6; SMTPUTF8 behind it by RFC 6531 §3.7.4.2"""

    address: Address
    text: bytes = b""  # as the client wrote it
    smtputf8: bool = False


class Etrn(msgspec.Struct, frozen=True):
    """`ETRN` asks to start the queue for a site (RFC 1985)."""

    domain: bytes


class Help(msgspec.Struct, frozen=True):
    """`help = "HELP" [ SP String ] CRLF`  RFC 5321 §4.1.1.8"""


class Quit(msgspec.Struct, frozen=True):
    """`quit = "QUIT" CRLF`  RFC 5321 §4.1.1.10"""


class StartTls(msgspec.Struct, frozen=True):
    """`STARTTLS` (RFC 3207 §4)."""


class Auth(msgspec.Struct, frozen=True):
    """`AUTH mechanism [initial-response]`  RFC 4954 §4; the response is still base64."""

    mechanism: bytes  # as the client wrote it
    initial_response: bytes | None


class XClient(msgspec.Struct, frozen=True):
    """`XCLIENT NAME=value …`: the session goes on as that client's (XCLIENT_README); still xtext."""

    attributes: tuple[bytes, ...]


class XForward(msgspec.Struct, frozen=True):
    """`XFORWARD NAME=value …`: what logs are to say of the client (XFORWARD_README); still xtext."""

    attributes: tuple[bytes, ...]


class Refused(msgspec.Struct, frozen=True):
    """A line that is refused for its form or its place.

    `verb` is upper case, `UNKNOWN` if nobody knows it; empty for a line that is not looked at: it is no command.
    """

    verb: bytes
    reply: Reply
    line: bytes = b""  # of an unknown command, for the log
    path: bytes = b""  # that is no address, for the log; BDAT's line, if its size is none
    value: bytes = b""  # of NOTIFY, for the log
    without: MailFrom | RcptTo | None = None  # what the command is without the parameter that is refused


class Ignored(msgspec.Struct, frozen=True):
    """A line whose first word the server was told to do nothing about (smtpd_noop_commands)."""


Request = (
    Helo
    | Ehlo
    | MailFrom
    | RcptTo
    | Data
    | Bdat
    | Rset
    | Noop
    | Vrfy
    | Etrn
    | Help
    | Quit
    | StartTls
    | Auth
    | XClient
    | XForward
)


def refusal(verb: bytes, code: int, text: bytes, path: bytes = b"") -> Refused:
    """`Refused` with a one-line reply."""
    return Refused(verb, Reply(code, (text,)), path=path)

"""SMTP commands: one line from the client to one typed command, or to the reply that refuses it.

DESCRIPTION
    `parse_command()` takes a line without its line end.  A line that is no proper command becomes
    `Refused`, with the reply that says what is wrong with it; the session counts it and sends that reply.

    Leniency, as Postfix has it: blanks after `FROM:`, addresses without angle brackets (unless `strict`,
    strict_rfc821_envelopes), source routes (`<@a,@b:user@c>`, RFC 5321 §C: stripped), dots anywhere in a
    local part.

STANDARDS
    RFC 5321 §4.1; RFC 1870 (SIZE); RFC 6152 (8BITMIME); RFC 3030 (CHUNKING); RFC 3461 (DSN);
    RFC 4954 (AUTH); RFC 6531 (SMTPUTF8)
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from pillarbox.vocabulary.address import NULL_ADDRESS, Address
from pillarbox.vocabulary.digits import decimal
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
    ret: Ret = Ret.DEFAULT
    envelope_id: bytes = b""
    auth: bytes | None = None  # AUTH=, still xtext (RFC 4954 §5)


class RcptTo(msgspec.Struct, frozen=True):
    """`rcpt = "RCPT TO:" Forward-path [SP Rcpt-parameters] CRLF`  RFC 5321 §4.1.1.3"""

    recipient: Address
    text: bytes
    notify: Notify = Notify.DEFAULT
    dsn_original: bytes = b""


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
    """`vrfy = "VRFY" SP String CRLF`  RFC 5321 §4.1.1.6"""

    address: Address


class Etrn(msgspec.Struct, frozen=True):
    """`ETRN` asks to start the queue for a site (RFC 1985)."""

    argument: bytes


class Help(msgspec.Struct, frozen=True):
    """`help = "HELP" [ SP String ] CRLF`  RFC 5321 §4.1.1.8"""


class Quit(msgspec.Struct, frozen=True):
    """`quit = "QUIT" CRLF`  RFC 5321 §4.1.1.10"""


class StartTls(msgspec.Struct, frozen=True):
    """`STARTTLS` (RFC 3207 §4)."""


class Auth(msgspec.Struct, frozen=True):
    """`AUTH mechanism [initial-response]`  RFC 4954 §4; the response is still base64."""

    mechanism: bytes
    initial_response: bytes | None


class Refused(msgspec.Struct, frozen=True):
    """A line that is refused for its form or its place; `verb` is upper case, `UNKNOWN` if there is none."""

    verb: bytes
    reply: Reply
    line: bytes = b""  # of an unknown command, for the log


Request = (
    Helo | Ehlo | MailFrom | RcptTo | Data | Bdat | Rset | Noop | Vrfy | Etrn | Help | Quit | StartTls | Auth
)

_XTEXT_HEX: Final = re.compile(rb"\+([0-9A-F]{2})")
_XTEXT: Final = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
# RFC 6533 §3: utf-8-addr-unitext lets UTF-8 through as it is, \x{HEX} writes a code point.
_UTF8_HEX: Final = re.compile(rb"\\x\{([0-9A-F]{2,6})\}")
_ADDRESS_TYPE: Final = re.compile(rb"[A-Za-z0-9-]+")
_SOURCE_ROUTE: Final = re.compile(rb"@[^:<>]*:")
_ONE_PATH: Final = re.compile(rb'<((?:[^"<>\\]|\\.|"(?:[^"\\]|\\.)*")*)>', re.DOTALL)


def refusal(verb: bytes, code: int, text: bytes) -> Refused:
    """`Refused` with a one-line reply."""
    return Refused(verb, Reply(code, (text,)))


def parse_command(line: bytes, *, strict: bool = False) -> Request | Refused:
    """The command that `line` (no CRLF) holds, or the refusal it earns."""
    verb, _, argument = line.strip(b" \t").partition(b" ")
    name = verb.upper()
    parser = _PARSERS.get(name)
    if parser is None:
        return Refused(b"UNKNOWN", Reply(500, (b"5.5.2 Error: command not recognized",)), line[:200])
    return parser(argument.strip(b" \t"), strict)


def _helo(argument: bytes, strict: bool) -> Request | Refused:
    if not argument:
        return refusal(b"HELO", 501, b"Syntax: HELO hostname")
    return Helo(argument)


def _ehlo(argument: bytes, strict: bool) -> Request | Refused:
    if not argument:
        return refusal(b"EHLO", 501, b"Syntax: EHLO hostname")
    return Ehlo(argument)


def _mail(argument: bytes, strict: bool) -> Request | Refused:
    if argument[:5].upper() != b"FROM:":
        return refusal(b"MAIL", 501, b"5.5.4 Syntax: MAIL FROM:<address>")
    path, parameters = _split_path(argument[5:].lstrip(b" \t"))
    if strict and not path.startswith(b"<"):
        return refusal(b"MAIL", 501, b"5.5.4 Syntax: MAIL FROM:<address>")
    try:
        sender, text = _parse_path(path)
    except ValueError:
        return refusal(b"MAIL", 501, b"5.1.7 Bad sender address syntax")
    if not parameters:
        return MailFrom(sender, text)
    return _mail_parameters(sender, text, parameters)


def _mail_parameters(sender: Address, text: bytes, parameters: list[bytes]) -> Request | Refused:
    size: int | None = None
    eight_bit: bool | None = None
    smtputf8 = False
    ret = Ret.DEFAULT
    envelope_id = b""
    auth: bytes | None = None
    for parameter in parameters:
        keyword, equals, value = parameter.partition(b"=")
        name = keyword.upper()
        if name == b"SIZE" and equals:
            try:
                size = decimal(value)
            except ValueError:
                return refusal(b"MAIL", 501, b"5.5.4 Bad message size syntax")
        elif name == b"BODY" and value.upper() in _BODY_TYPES:
            eight_bit = _BODY_TYPES[value.upper()]
        elif name == b"SMTPUTF8" and not equals:
            smtputf8 = True
        elif name == b"RET" and equals:
            if ret or value.upper() not in _RET_TYPES:
                return refusal(b"MAIL", 501, b"5.5.4 Bad RET parameter syntax")
            ret = _RET_TYPES[value.upper()]
        elif name == b"ENVID" and equals:
            try:
                envelope_id = decode_xtext(value)
            except ValueError:
                return refusal(b"MAIL", 501, b"5.5.4 Bad ENVID parameter syntax")
        elif name == b"AUTH" and equals:
            if _XTEXT.fullmatch(value) is None or not value:
                return refusal(b"MAIL", 501, b"5.5.4 Bad AUTH parameter syntax")
            auth = value
        else:
            return refusal(b"MAIL", 555, b"5.5.4 Unsupported option: " + parameter)
    return MailFrom(
        sender,
        text,
        size=size,
        eight_bit=eight_bit,
        smtputf8=smtputf8,
        ret=ret,
        envelope_id=envelope_id,
        auth=auth,
    )


def _rcpt(argument: bytes, strict: bool) -> Request | Refused:
    if argument[:3].upper() != b"TO:":
        return refusal(b"RCPT", 501, b"5.5.4 Syntax: RCPT TO:<address>")
    path, parameters = _split_path(argument[3:].lstrip(b" \t"))
    if strict and not path.startswith(b"<"):
        return refusal(b"RCPT", 501, b"5.5.4 Syntax: RCPT TO:<address>")
    try:
        recipient, text = _parse_path(path)
    except ValueError:
        return refusal(b"RCPT", 501, b"5.1.3 Bad recipient address syntax")
    if recipient.is_null:
        return refusal(b"RCPT", 501, b"5.1.3 Bad recipient address syntax")
    notify = Notify.DEFAULT
    dsn_original = b""
    for parameter in parameters:
        keyword, equals, value = parameter.partition(b"=")
        name = keyword.upper()
        if name == b"NOTIFY" and equals:
            try:
                notify = _parse_notify(value)
            except ValueError:
                return refusal(b"RCPT", 501, b"5.5.4 Error: Bad NOTIFY parameter syntax")
        elif name == b"ORCPT" and equals:
            try:
                dsn_original = _parse_original_recipient(value)
            except ValueError:
                return refusal(b"RCPT", 501, b"5.5.4 Bad ORCPT parameter syntax")
        else:
            return refusal(b"RCPT", 555, b"5.5.4 Unsupported option: " + parameter)
    return RcptTo(recipient, text, notify, dsn_original)


def _data(argument: bytes, strict: bool) -> Request | Refused:
    return refusal(b"DATA", 501, b"5.5.4 Syntax: DATA") if argument else Data()


def _bdat(argument: bytes, strict: bool) -> Request | Refused:
    size, _, marker = argument.partition(b" ")
    try:
        octets = decimal(size, max_digits=15)
    except ValueError:
        return refusal(b"BDAT", 501, b"5.5.4 Syntax: BDAT count [LAST]")
    marker = marker.strip(b" \t").upper()
    if marker not in (b"", b"LAST"):
        return refusal(b"BDAT", 501, b"5.5.4 Syntax: BDAT count [LAST]")
    return Bdat(octets, bool(marker))


def _rset(argument: bytes, strict: bool) -> Request | Refused:
    return refusal(b"RSET", 501, b"5.5.4 Syntax: RSET") if argument else Rset()


def _noop(argument: bytes, strict: bool) -> Request | Refused:
    return Noop()  # RFC 5321 §4.1.1.9: a parameter string is ignored


def _vrfy(argument: bytes, strict: bool) -> Request | Refused:
    if not argument:
        return refusal(b"VRFY", 501, b"5.5.4 Syntax: VRFY address")
    path, _ = _split_path(argument)
    try:
        address, _ = _parse_path(path)
    except ValueError:
        return refusal(b"VRFY", 501, b"5.1.3 Bad recipient address syntax")
    if address.is_null:
        return refusal(b"VRFY", 501, b"5.1.3 Bad recipient address syntax")
    return Vrfy(address)


def _etrn(argument: bytes, strict: bool) -> Request | Refused:
    return Etrn(argument) if argument else refusal(b"ETRN", 500, b"Syntax: ETRN domain")


def _help(argument: bytes, strict: bool) -> Request | Refused:
    return Help()


def _quit(argument: bytes, strict: bool) -> Request | Refused:
    return Quit()


def _starttls(argument: bytes, strict: bool) -> Request | Refused:
    return refusal(b"STARTTLS", 501, b"5.5.4 Syntax: STARTTLS") if argument else StartTls()


def _auth(argument: bytes, strict: bool) -> Request | Refused:
    mechanism, space, response = argument.partition(b" ")
    response = response.strip(b" ")
    if not mechanism or b" " in response:
        return refusal(b"AUTH", 501, b"5.5.4 Syntax: AUTH mechanism")
    return Auth(mechanism.upper(), response if space and response else None)


_PARSERS: Final[dict[bytes, Callable[[bytes, bool], Request | Refused]]] = {
    b"HELO": _helo,
    b"EHLO": _ehlo,
    b"MAIL": _mail,
    b"RCPT": _rcpt,
    b"DATA": _data,
    b"BDAT": _bdat,
    b"RSET": _rset,
    b"NOOP": _noop,
    b"VRFY": _vrfy,
    b"ETRN": _etrn,
    b"HELP": _help,
    b"QUIT": _quit,
    b"STARTTLS": _starttls,
    b"AUTH": _auth,
}

_BODY_TYPES: Final = {b"7BIT": False, b"8BITMIME": True}
_RET_TYPES: Final = {b"FULL": Ret.FULL, b"HDRS": Ret.HEADERS}
_NOTIFY_TYPES: Final = {b"SUCCESS": Notify.SUCCESS, b"FAILURE": Notify.FAILURE, b"DELAY": Notify.DELAY}


def _split_path(text: bytes) -> tuple[bytes, list[bytes]]:
    """The path, with its brackets if it has any, and the parameters behind it."""
    if text.startswith(b"<"):
        match = _ONE_PATH.match(text)
        if match is not None:
            end = match.end()
            rest = text[end:]
            if rest and not rest[:1].isspace():
                return text, []  # `<a@b>c`: a bad path, not a parameter
            return text[:end], rest.split()
    words = text.split()
    return (words[0], words[1:]) if words else (b"", [])


def _parse_path(path: bytes) -> tuple[Address, bytes]:
    """Address and text of `<path>` or of a bare address.  ValueError if it is neither."""
    if path.startswith(b"<"):
        match = _ONE_PATH.fullmatch(path)
        if match is None:
            raise ValueError("unbalanced angle brackets")
        text = match[1].strip(b" \t")
    else:
        text = path
        if not text:
            raise ValueError("no path")
    if not text:
        return NULL_ADDRESS, b""
    # RFC 5321 §4.1.2, A-d-l: "MUST BE accepted, SHOULD NOT be generated, and SHOULD be ignored".
    bare = _SOURCE_ROUTE.sub(b"", text, count=1) if text.startswith(b"@") else text
    return Address.parse(bare), text


def decode_xtext(text: bytes) -> bytes:
    """`xtext = *( xchar / hexchar )`  RFC 3461 §4.  ValueError: it is none, or hides a control."""
    if _XTEXT.fullmatch(text) is None:
        raise ValueError("bad xtext")
    decoded = _XTEXT_HEX.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), text)
    if any(octet < 0x20 or octet == 0x7F for octet in decoded):
        raise ValueError("control character in xtext")
    return decoded


def _parse_notify(value: bytes) -> Notify:
    """`notify-esmtp-value = "NEVER" / (notify-list-element *("," notify-list-element))`  RFC 3461 §4.1"""
    if value.upper() == b"NEVER":
        return Notify.NEVER
    notify = Notify.DEFAULT
    for word in value.upper().split(b","):
        if word not in _NOTIFY_TYPES or notify & _NOTIFY_TYPES[word]:
            raise ValueError("bad NOTIFY")
        notify |= _NOTIFY_TYPES[word]
    return notify


def _parse_original_recipient(value: bytes) -> bytes:
    """`original-recipient-address = addr-type ";" xtext`  RFC 3461 §4.2; utf-8 by RFC 6533 §3."""
    kind, semicolon, text = value.partition(b";")
    if not semicolon or not text or _ADDRESS_TYPE.fullmatch(kind) is None:
        raise ValueError("bad ORCPT")
    if kind.lower() == b"utf-8":
        if any(octet <= 0x20 or octet == 0x7F for octet in text):
            raise ValueError("bad ORCPT")
        address = _UTF8_HEX.sub(_code_point, text)
        address.decode("utf-8")  # a UnicodeDecodeError is a ValueError
        return kind + b";" + address
    return kind + b";" + decode_xtext(text)


def _code_point(match: "re.Match[bytes]") -> bytes:
    number = int(match[1], 16)
    if number < 0x20 or number == 0x7F or 0xD800 <= number <= 0xDFFF or number > 0x10FFFF:
        raise ValueError("bad code point in ORCPT")
    return chr(number).encode("utf-8")

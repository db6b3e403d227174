"""The grammar of SMTP commands: one line from the client to one typed command, or to the reply that refuses it.

DESCRIPTION
    `parse_command()` takes a line without its line end.  A line that is no proper command becomes
    `Refused`, with the reply that says what is wrong with it; the session counts it and sends that reply.

    How lenient paths are read is `paths.py`'s, unless the `Grammar` is strict.

STANDARDS
    RFC 5321 §4.1; RFC 1870 (SIZE); RFC 6152 (8BITMIME); RFC 3030 (CHUNKING); RFC 3461 (DSN);
    RFC 4954 (AUTH); RFC 6531 (SMTPUTF8); RFC 8689 (REQUIRETLS)
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.envelope import Notify, Ret
from pillarbox.vocabulary.reply import Reply
from pillarbox.vocabulary.utf8 import is_utf8
from pillarbox.wire.smtp.commands import (
    Auth,
    Bdat,
    Data,
    Ehlo,
    Etrn,
    Helo,
    Help,
    MailFrom,
    Noop,
    Quit,
    RcptTo,
    Refused,
    Request,
    Rset,
    StartTls,
    Vrfy,
    XClient,
    XForward,
    refusal,
)
from pillarbox.wire.smtp.dsn_parameters import decode_xtext, parse_notify, parse_original_recipient
from pillarbox.wire.smtp.paths import BLANKS, is_address_literal, is_host_name, parse_path, words


class Grammar(msgspec.Struct, frozen=True):
    """What main.cf says of the form of commands."""

    strict: bool = False  # strict_rfc821_envelopes
    smtputf8: bool = True  # smtputf8_enable
    names_smtputf8: bool = True  # the same, whatever is taken away
    requiretls: bool = False  # requiretls_enable, and the connection has TLS (RFC 8689 §2)
    # What smtpd_discard_ehlo_keywords takes away is not understood either:
    dsn: bool = True
    chunking: bool = True
    verp: bytes = b""  # what XVERP without delimiters means; empty: the client may not use it
    verp_filter: bytes = b"-=+"  # of what delimiters may be


LENIENT: Final = Grammar()

_UNKNOWN: Final = Reply(500, (b"5.5.2 Error: command not recognized",))
_EMPTY_LINE: Final = Reply(500, (b"5.5.2 Error: bad syntax",))
_DSN_DISABLED: Final = 501, b"5.7.1 DSN support is disabled"
_BAD_UTF8: Final = Reply(500, (b"5.5.2 Error: bad UTF-8 syntax",))
_LARGEST_FILE: Final = 2**63 - 1
_HEADER: Final = re.compile(rb"[!-9;-~]+:")

# `FROM:<a@b> SIZE=5`: a path in brackets and parameters, with nothing to quote in them.
_PLAIN: Final = re.compile(rb'((?i:FROM|TO):)[ \t]*(<[^<>"\\\s]*>)(?:[ \t]+([^<>"\\:]*))?')


def parse_command(line: bytes, grammar: Grammar = LENIENT) -> Request | Refused:
    """The command that `line` (no CRLF) holds, or the refusal it earns.

    Most of the lines of mail transactions have been said before, by somebody: DATA, RSET, a sender who writes to
    many, a recipient of many.  Lines that may have a password in them are not remembered.
    """
    if len(line) <= _SHORT and line[:4].upper() in _SAID_OFTEN:
        return _remembered(line, grammar)
    return _parsed(line, grammar)


def _parsed(line: bytes, grammar: Grammar) -> Request | Refused:
    whole, line = line, line.strip(BLANKS)
    verb, _, argument = line.partition(b" ")
    parser = _PARSERS.get(verb.upper())
    if grammar.smtputf8 and not is_utf8(line):
        return Refused(b"", _BAD_UTF8)
    if parser is None:
        verb, argument = [*line.split(None, 1), b"", b""][:2]
        parser = _PARSERS.get(verb.upper())
        if parser is None:
            return Refused(b"UNKNOWN", _UNKNOWN, whole[:200]) if line else Refused(b"", _EMPTY_LINE)
    return parser(argument.strip(BLANKS), grammar)


_SAID_OFTEN: Final = frozenset((b"MAIL", b"RCPT", b"DATA", b"RSET", b"QUIT"))
_SHORT: Final = 128
"""Octets of lines that are remembered."""
_remembered: Final = lru_cache(maxsize=512)(_parsed)


def is_header(line: bytes) -> bool:
    """Whether a line that is no command begins like a message header: `Subject: x`."""
    return _HEADER.match(line) is not None


def _helo(argument: bytes, grammar: Grammar) -> Request | Refused:
    if not argument:
        return refusal(b"HELO", 501, b"Syntax: HELO hostname")
    return Helo(argument)


def _ehlo(argument: bytes, grammar: Grammar) -> Request | Refused:
    if not argument:
        return refusal(b"EHLO", 501, b"Syntax: EHLO hostname")
    return Ehlo(argument)


def _path_and_parameters(argument: bytes, keyword: bytes) -> tuple[bytes | None, list[bytes]] | None:
    """The word behind `FROM:` or `TO:`, and those behind it; None if there is no such word.

    A word whose bracket or quote is open is no path, and nothing is said of it: None.
    """
    plain = _PLAIN.fullmatch(argument)
    if plain is not None:
        if plain[1].upper() != keyword:
            return None
        return plain[2], plain[3].split() if plain[3] else []
    found = words(argument)
    if len(found) < 2 or found[0][0].upper() != keyword:
        return None
    path, complete = found[1]
    return path if complete else None, [word for word, _ in found[2:]]


def _mail(argument: bytes, grammar: Grammar) -> Request | Refused:
    found = _path_and_parameters(argument, b"FROM:")
    if found is None:
        return refusal(b"MAIL", 501, b"5.5.4 Syntax: MAIL FROM:<address>")
    path, parameters = found
    if path is None:
        return refusal(b"MAIL", 501, b"5.1.7 Bad sender address syntax")
    try:
        sender, text = parse_path(path, strict=grammar.strict)
    except ValueError:
        return refusal(b"MAIL", 501, b"5.1.7 Bad sender address syntax", path)
    command = MailFrom(sender, text, brackets=_has_brackets(path))
    if not parameters:
        return command
    whole = _mail_parameters(command, parameters, grammar)
    if isinstance(whole, MailFrom):
        return whole
    smtputf8 = grammar.smtputf8 and b"SMTPUTF8" in [one.upper() for one in parameters]
    return msgspec.structs.replace(whole, without=msgspec.structs.replace(command, smtputf8=smtputf8))


def _has_brackets(path: bytes) -> bool:
    return path[:1] == b"<" and path[-1:] == b">"


def _mail_parameters(command: MailFrom, parameters: list[bytes], grammar: Grammar) -> MailFrom | Refused:
    size: int | None = None
    eight_bit: bool | None = None
    smtputf8 = requires_tls = False
    ret = Ret.DEFAULT
    envelope_id = b""
    auth: bytes | None = None
    verp = b""
    for parameter in parameters:
        keyword, equals, value = parameter.partition(b"=")
        name = keyword.upper()
        if name == b"SIZE" and equals:
            try:
                size = decimal(value, max_digits=40)
            except ValueError:
                return refusal(b"MAIL", 501, b"5.5.4 Bad message size syntax")
            if size > _LARGEST_FILE:
                return refusal(b"MAIL", 552, b"5.3.4 Message size exceeds file system imposed limit")
        elif name == b"BODY" and value.upper() in _BODY_TYPES:
            eight_bit = _BODY_TYPES[value.upper()]
        elif name == b"SMTPUTF8" and not equals and grammar.smtputf8:
            smtputf8 = True
        elif name == b"REQUIRETLS" and not equals and grammar.requiretls:
            requires_tls = True
        elif name == b"XVERP" and grammar.verp:
            verp = value if equals else grammar.verp
            if len(verp) != 2 or verp.translate(None, grammar.verp_filter):
                text = b"5.5.4 Error: XVERP needs two characters from " + grammar.verp_filter
                return refusal(b"MAIL", 501, text)
        elif name in (b"RET", b"ENVID") and equals and not grammar.dsn:
            return refusal(b"MAIL", *_DSN_DISABLED)
        elif name == b"RET" and equals:
            if ret or value.upper() not in _RET_TYPES:
                return refusal(b"MAIL", 501, b"5.5.4 Bad RET parameter syntax")
            ret = _RET_TYPES[value.upper()]
        elif name == b"ENVID" and equals:
            try:
                if envelope_id or not value:
                    raise ValueError("twice, or empty")
                envelope_id = decode_xtext(value)
            except ValueError:
                return refusal(b"MAIL", 501, b"5.5.4 Bad ENVID parameter syntax")
        elif name == b"AUTH" and equals:
            auth = value if _is_printable(value) else b""
        else:
            return refusal(b"MAIL", 555, b"5.5.4 Unsupported option: " + parameter)
    if verp and command.sender.is_null:
        return refusal(b"MAIL", 503, b"5.5.4 Error: XVERP requires non-null sender")
    return msgspec.structs.replace(
        command,
        size=size,
        eight_bit=eight_bit,
        smtputf8=smtputf8,
        requires_tls=requires_tls,
        ret=ret,
        envelope_id=envelope_id,
        auth=auth,
        verp=verp,
    )


def _is_printable(text: bytes) -> bool:
    return text.isascii() and text.decode("ascii").isprintable()


def _rcpt(argument: bytes, grammar: Grammar) -> Request | Refused:
    found = _path_and_parameters(argument, b"TO:")
    if found is None:
        return refusal(b"RCPT", 501, b"5.5.4 Syntax: RCPT TO:<address>")
    path, parameters = found
    if path is None:
        return refusal(b"RCPT", 501, b"5.1.3 Bad recipient address syntax")
    try:
        recipient, text = parse_path(path, strict=grammar.strict)
    except ValueError:
        return refusal(b"RCPT", 501, b"5.1.3 Bad recipient address syntax", path)
    if recipient.is_null:
        return refusal(b"RCPT", 501, b"5.1.3 Bad recipient address syntax", path)
    command = RcptTo(recipient, text, brackets=_has_brackets(path))
    if not parameters:
        return command
    whole = _rcpt_parameters(command, parameters, grammar)
    return whole if isinstance(whole, RcptTo) else msgspec.structs.replace(whole, without=command)


def _rcpt_parameters(command: RcptTo, parameters: list[bytes], grammar: Grammar) -> RcptTo | Refused:
    notify = Notify.DEFAULT
    dsn_original = b""
    for parameter in parameters:
        keyword, equals, value = parameter.partition(b"=")
        name = keyword.upper()
        if name in (b"NOTIFY", b"ORCPT") and equals and not grammar.dsn:
            return refusal(b"RCPT", *_DSN_DISABLED)
        if name == b"NOTIFY" and equals:
            bad = refusal(b"RCPT", 501, b"5.5.4 Error: Bad NOTIFY parameter syntax")
            if notify:
                return bad
            try:
                notify = parse_notify(value)
            except ValueError:
                return msgspec.structs.replace(bad, value=value)
        elif name == b"ORCPT" and equals:
            try:
                if dsn_original:
                    raise ValueError("twice")
                dsn_original = parse_original_recipient(value)
            except ValueError:
                return refusal(b"RCPT", 501, b"5.5.4 Error: Bad ORCPT parameter syntax")
        else:
            return refusal(b"RCPT", 555, b"5.5.4 Unsupported option: " + parameter)
    return msgspec.structs.replace(command, notify=notify, dsn_original=dsn_original)


def _data(argument: bytes, grammar: Grammar) -> Request | Refused:
    return refusal(b"DATA", 501, b"5.5.4 Syntax: DATA") if argument else Data()


def _bdat(argument: bytes, grammar: Grammar) -> Request | Refused:
    if not grammar.chunking:
        return refusal(b"BDAT", 521, b"5.5.1 Error: command not implemented")
    size, *marker = argument.split() or [b""]
    try:
        if len(marker) > 1 or (marker and marker[0].upper() != b"LAST"):
            raise ValueError("no marker")
        return Bdat(decimal(size, max_digits=15), bool(marker))
    except ValueError:
        # Nobody knows what follows: content or a command.  So this ends the session.
        return refusal(b"BDAT", 521, b"5.5.4 Syntax: BDAT count [LAST]", b"BDAT " + argument)


def _rset(argument: bytes, grammar: Grammar) -> Request | Refused:
    return refusal(b"RSET", 501, b"5.5.4 Syntax: RSET") if argument else Rset()


def _noop(argument: bytes, grammar: Grammar) -> Request | Refused:
    return Noop()  # RFC 5321 §4.1.1.9: a parameter string is ignored


def _vrfy(argument: bytes, grammar: Grammar) -> Request | Refused:
    if not argument or (grammar.smtputf8 and argument.upper() == b"SMTPUTF8"):
        more = b" [SMTPUTF8]" if grammar.names_smtputf8 else b""
        return refusal(b"VRFY", 501, b"5.5.4 Syntax: VRFY address" + more)
    text, _, last = argument.rpartition(b" ")
    smtputf8 = grammar.smtputf8 and bool(text) and last.upper() == b"SMTPUTF8"
    if not smtputf8:
        text = argument
    try:
        address, _ = parse_path(text)
    except ValueError:
        return refusal(b"VRFY", 501, b"5.1.3 Bad recipient address syntax", text)
    if address.is_null:
        return refusal(b"VRFY", 501, b"5.1.3 Bad recipient address syntax", text)
    return Vrfy(address, text, smtputf8)


def _etrn(argument: bytes, grammar: Grammar) -> Request | Refused:
    if not argument or len(argument.split()) > 1:
        return refusal(b"ETRN", 500, b"Syntax: ETRN domain")
    domain = argument[1:] if argument[:1] in (b"@", b"#") else argument
    if not is_host_name(domain) and not is_address_literal(domain):
        return refusal(b"ETRN", 501, b"Error: invalid parameter syntax")
    return Etrn(domain)


def _help(argument: bytes, grammar: Grammar) -> Request | Refused:
    return Help()


def _quit(argument: bytes, grammar: Grammar) -> Request | Refused:
    return Quit()


def _starttls(argument: bytes, grammar: Grammar) -> Request | Refused:
    return refusal(b"STARTTLS", 501, b"5.5.4 Syntax: STARTTLS") if argument else StartTls()


def _xclient(argument: bytes, grammar: Grammar) -> Request | Refused:
    return XClient(tuple(argument.split()))


def _xforward(argument: bytes, grammar: Grammar) -> Request | Refused:
    return XForward(tuple(argument.split()))


def _auth(argument: bytes, grammar: Grammar) -> Request | Refused:
    mechanism, space, response = argument.partition(b" ")
    response = response.strip(b" ")
    if not mechanism or b" " in response:
        return refusal(b"AUTH", 501, b"5.5.4 Syntax: AUTH mechanism")
    return Auth(mechanism, response if space and response else None)


_PARSERS: Final[dict[bytes, Callable[[bytes, Grammar], Request | Refused]]] = {
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
    b"XCLIENT": _xclient,
    b"XFORWARD": _xforward,
}

_BODY_TYPES: Final = {b"7BIT": False, b"8BITMIME": True}
_RET_TYPES: Final = {b"FULL": Ret.FULL, b"HDRS": Ret.HEADERS}

"""What the Content-… fields of MIME say: type and parameters, encoding, disposition, languages.

DESCRIPTION
    Values come as written; parameters split by RFC 2231 (`name*0*=…; name*1*=…`) are joined under one name,
    `name*`, still percent-encoded, as BODYSTRUCTURE shows them.  If a part of such a parameter is missing,
    its pieces are left as they are.  Broken parameters are skipped to the next semicolon that begins one.

STANDARDS
    RFC 2045 §5.1 (Content-Type), §6.1 (Content-Transfer-Encoding); RFC 2183 (Content-Disposition);
    RFC 2231 §3, §4; RFC 3282 (Content-Language)
"""

import re
from functools import lru_cache
from typing import Final

import msgspec

from pillarbox.message.field_scanner import BROKEN, END, MORE, FieldScanner
from pillarbox.vocabulary.digits import decimal

Parameters = list[tuple[bytes, bytes]]


class ContentType(msgspec.Struct, frozen=True, array_like=True):
    """`type "/" subtype *(";" parameter)`; both empty if it is broken, the subtype if there is no slash."""

    type: bytes
    subtype: bytes
    parameters: Parameters


MAX_PARAMETERS: Final = 128
"""Of a field; what breaks one counts as one, octet by octet.  Those behind are not read (Dovecot's rule)."""
MAX_REMEMBERED: Final = 80
"""Octets of a Content-Type that is parsed once only; mostly it is one of a few."""
BROKEN_TYPE: Final = ContentType(b"", b"", [])

_TOKEN: Final = rb"[A-Za-z0-9!#$%&'+\-.^_`{|}~]+"  # without RFC 2231's asterisk
_TYPE: Final = re.compile(rb"[ \t\r\n]*+(%s)/(%s)[ \t\r\n]*+" % (_TOKEN, _TOKEN))
_PARAMETER: Final = re.compile(rb';[ \t\r\n]*+(%s)=(?:"([^"\\\r\n]*+)"|(%s))[ \t\r\n]*+' % (_TOKEN, _TOKEN))


def parse_content_type(value: bytes) -> ContentType:
    """Content-Type; `BROKEN_TYPE` if it cannot be read.  The result may be shared: not to be changed."""
    return _remembered_type(value) if len(value) <= MAX_REMEMBERED else _content_type(value)


@lru_cache(maxsize=1024)
def _remembered_type(value: bytes) -> ContentType:
    return _content_type(value)


def _content_type(value: bytes) -> ContentType:
    plain = _TYPE.match(value)
    if plain is not None:
        parameters = _plain_parameters(value, plain.end())
        if parameters is not None:  # nothing but them stands behind the type
            return ContentType(plain[1], plain[2], parameters)
    scanner = FieldScanner(value)
    tokens: list[bytes] = []
    if scanner.skip() is not MORE:
        return BROKEN_TYPE
    found = scanner.take_token(tokens)
    if not tokens[0]:
        return BROKEN_TYPE
    if found is not MORE:  # no more than an unclosed comment stands behind it
        if tokens[0].lower() == b"multipart":  # which is told with its parts, and has none
            return ContentType(b"application", b"octet-stream", [])
        return ContentType(tokens[0], b"", [])
    if scanner.here != b"/":
        return BROKEN_TYPE
    scanner.position += 1
    if scanner.skip() is not MORE or scanner.take_token(tokens) is BROKEN or not tokens[1]:
        return BROKEN_TYPE
    if scanner.here not in (b"", b";"):
        return BROKEN_TYPE
    return ContentType(tokens[0], tokens[1], take_parameters(scanner))


def parse_disposition(value: bytes) -> tuple[bytes, Parameters] | None:
    """Content-Disposition; None if there is no token."""
    scanner = FieldScanner(value)
    token: list[bytes] = []
    scanner.skip()
    if scanner.take_token(token) is BROKEN:
        return None
    return b"".join(token), take_parameters(scanner)


def parse_encoding(value: bytes) -> bytes | None:
    """Content-Transfer-Encoding as written; None if it is not one token."""
    scanner = FieldScanner(value)
    token: list[bytes] = []
    scanner.skip()
    if scanner.take_token(token) is END and token[0]:
        return token[0]
    return None


def leading_encoding(value: bytes) -> bytes:
    """The token that Content-Transfer-Encoding begins with, by which bodies are decoded; empty if there is none.

    Quirk: whatever follows it does not matter (`base64; x=y`), as for Dovecot.
    """
    scanner = FieldScanner(value)
    token: list[bytes] = []
    scanner.skip()
    return b"" if scanner.take_token(token) is BROKEN else token[0]


def parse_languages(value: bytes) -> list[bytes]:
    """Content-Language: `1#Language-tag`."""
    scanner = FieldScanner(value)
    languages: list[bytes] = []
    scanner.skip()
    while True:
        before = len(languages)
        if scanner.take_atom(languages) is BROKEN:
            del languages[before:]  # a comment behind it is not closed
            return languages
        if scanner.here != b",":
            return languages
        scanner.position += 1
        scanner.skip()


def take_parameters(scanner: FieldScanner) -> Parameters:
    """`*(";" parameter)`, RFC 2231 pieces joined."""
    if scanner.position < scanner.end:
        plain = _plain_parameters(scanner.data, scanner.position)
        if plain is not None:
            return plain
    parameters: Parameters = []
    pieces: list[_Piece] = []
    for _ in range(MAX_PARAMETERS):
        if scanner.position >= scanner.end:
            break
        found = _take_parameter(scanner)
        if found is None:
            if scanner.position >= scanner.end:
                break
            scanner.position += 1
            continue
        piece = _Piece.of(*found) if b"*" in found[0] else None
        if piece is None:
            parameters.append(found)
        else:
            pieces.append(piece)
    return parameters + _join(pieces)


def _plain_parameters(value: bytes, position: int) -> Parameters | None:
    """Parameters without comments, escapes, folded values or RFC 2231; None if there is more to them."""
    parameters: Parameters = []
    end = len(value)
    while position < end and len(parameters) < MAX_PARAMETERS:
        match = _PARAMETER.match(value, position)
        if match is None:
            return None
        name, quoted, token = match.groups()
        parameters.append((name, token if quoted is None else quoted))
        position = match.end()
    return parameters


def _take_parameter(scanner: FieldScanner) -> tuple[bytes, bytes] | None:
    """`";" attribute "=" value`; None if it is broken."""
    if scanner.here != b";":
        return None
    scanner.position += 1
    if scanner.skip() is not MORE:
        return None
    name: list[bytes] = []
    if scanner.take_token(name) is not MORE or scanner.here != b"=":
        return None
    scanner.position += 1
    value: list[bytes] = []
    found = scanner.skip()
    if found is MORE:
        if scanner.here == b'"':
            found = scanner.take_quoted(value)
        elif scanner.here == b"=":
            value.append(_take_encoded_word(scanner))
        else:
            found = scanner.take_token(value)
    if found is BROKEN:
        return None
    return b"".join(name), b"".join(value)


_UNQUOTED: Final = re.compile(rb"[^; \t\r\n]*")


def _take_encoded_word(scanner: FieldScanner) -> bytes:
    """`name==?utf-8?b?…?=`: wrong (RFC 2047 §5), but common."""
    match = _UNQUOTED.match(scanner.data, scanner.position)
    assert match is not None  # the pattern matches the empty string
    scanner.position = match.end()
    return match[0]


class _Piece(msgspec.Struct, frozen=True, array_like=True):
    """`name*0*=value`"""

    name: bytes
    index: int
    extended: bool
    value: bytes

    @classmethod
    def of(cls, name: bytes, value: bytes) -> "_Piece | None":
        """The piece that a parameter's name makes of it, or None if its asterisks mean nothing."""
        base, _, rest = name.partition(b"*")
        digits = rest.removesuffix(b"*")
        if not digits:
            return cls(base, 0, True, value)
        if not digits.isdigit() or len(digits) > 9:
            return None
        return cls(base, decimal(digits), digits != rest, value)


def _join(pieces: list[_Piece]) -> Parameters:
    """RFC 2231 §3: pieces 0, 1, 2 … make one parameter; with a gap they stay pieces."""
    parameters: Parameters = []
    pieces.sort(key=lambda piece: (piece.name, piece.index))
    position = 0
    while position < len(pieces):
        first = pieces[position]
        same = 0
        while position + same < len(pieces) and pieces[position + same].name.lower() == first.name.lower():
            same += 1
        group = pieces[position : position + same]
        position += same
        if [piece.index for piece in group] != list(range(same)):
            parameters += [
                (b"%s*%d%s" % (piece.name, piece.index, b"*" if piece.extended else b""), piece.value)
                for piece in group
            ]
            continue
        encoded = any(piece.extended for piece in group)
        value = b"''" if encoded and not first.extended else b""
        for piece in group:
            plain = encoded and not piece.extended
            value += piece.value.replace(b"%", b"%25") if plain else piece.value
        parameters.append((first.name + b"*" if encoded else first.name, value))
    return parameters

"""BODY and BODYSTRUCTURE of a message, as they go on the wire.

DESCRIPTION
    `render(content, tree)` gives both; they are rendered once, when the message is first seen, and kept in
    the cache.  Values stand as the message has them, defaults are lower case, as Dovecot 2.3 writes both:
    text/plain in us-ascii and "7bit".  A message that says no more than these defaults, in whatever case, is
    written as one that says nothing.

STANDARDS
    RFC 3501 §7.4.2 (BODY, BODYSTRUCTURE), §9 (body); RFC 2045 §5.2, §6.1 (defaults)
"""

from typing import Final

from pillarbox.message.content import Content
from pillarbox.message.envelope import one_line, render_envelope
from pillarbox.message.imap_strings import NIL, nstring, string
from pillarbox.message.mime_fields import (
    Parameters,
    parse_disposition,
    parse_encoding,
    parse_languages,
)
from pillarbox.message.mime_tree import Part

_DEFAULT_CHARSET: Final = b'"charset" "us-ascii"'
_PLAIN: Final = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" %d %d)'
_PLAIN_EXTENDED: Final = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" %d %d NIL NIL NIL NIL)'
_NO_PARTS: Final = _PLAIN % (0, 0)
_NO_PARTS_EXTENDED: Final = _PLAIN_EXTENDED % (0, 0)
_TELLING_FIELDS: Final = frozenset(
    (b"content-id", b"content-description", b"content-md5", b"content-disposition", b"content-location")
)


def render(content: Content, tree: Part) -> tuple[bytes, bytes]:
    """BODY and BODYSTRUCTURE of the message."""
    if _is_plain(tree):
        counted = (tree.body_end - tree.body_start, content.count(b"\n", tree.body_start, tree.body_end))
        return _PLAIN % counted, _PLAIN_EXTENDED % counted
    return render_part(content, tree)


def _is_plain(tree: Part) -> bool:
    """Whether the message says of its body nothing but the defaults."""
    content_type = tree.content_type
    if content_type is None or (content_type.type.lower(), content_type.subtype.lower()) != (
        b"text",
        b"plain",
    ):
        return False
    said = [(name.lower(), value.lower()) for name, value in content_type.parameters]
    fields = tree.fields
    if said not in ([], [(b"charset", b"us-ascii")]) or not fields.keys().isdisjoint(_TELLING_FIELDS):
        return False
    encoding = parse_encoding(fields.get(b"content-transfer-encoding", b"")) or b"7bit"
    return encoding.lower() == b"7bit" and not parse_languages(fields.get(b"content-language", b""))


def render_part(content: Content, tree: Part) -> tuple[bytes, bytes]:
    """The same of a part of a message."""
    if tree.is_multipart:
        return _multipart(content, tree)
    return _single(content, tree)


def _multipart(content: Content, part: Part) -> tuple[bytes, bytes]:
    """`"(" 1*body SP media-subtype [SP body-ext-mpart] ")"`"""
    if part.children:
        rendered = [render_part(content, child) for child in part.children]
        body = b"".join([short for short, _ in rendered])
        extended = b"".join([long for _, long in rendered])
    else:
        body, extended = _NO_PARTS, _NO_PARTS_EXTENDED
    body_end, extended_end = multipart_end(part)
    return b"(%s%s" % (body, body_end), b"(%s%s" % (extended, extended_end)


def multipart_end(part: Part) -> tuple[bytes, bytes]:
    """What stands behind the parts of a multipart in BODY and BODYSTRUCTURE."""
    content_type = part.content_type
    assert content_type is not None
    subtype = string(content_type.subtype)
    return (
        b" %s)" % subtype,
        b" %s %s%s)" % (subtype, _parameters(content_type.parameters), _extension(part)),
    )


def _single(content: Content, part: Part) -> tuple[bytes, bytes]:
    """`body-type-1part`: text with its lines, message/rfc822 with envelope and structure, or any other."""
    fields = part.fields
    size = part.body_end - part.body_start
    encoding = parse_encoding(value) if (value := fields.get(b"content-transfer-encoding")) else None
    common = b"%s %s %s %s %s %d" % (
        *_type(part),
        _plain(fields.get(b"content-id")),
        _plain(fields.get(b"content-description")),
        b'"7bit"' if encoding is None else string(encoding),
        size,
    )
    body = extended = common
    if part.is_message:
        child = part.children[0]
        envelope = render_envelope(content[child.header_start : child.body_start])
        short, long = render_part(content, child)
        lines = content.count(b"\n", part.body_start, part.body_end)
        body = b"%s %s %s %d" % (common, envelope, short, lines)
        extended = b"%s %s %s %d" % (common, envelope, long, lines)
    elif _is_text(part):
        body = extended = b"%s %d" % (common, content.count(b"\n", part.body_start, part.body_end))
    return b"(%s)" % body, b"(%s %s%s)" % (extended, _plain(fields.get(b"content-md5")), _extension(part))


def _is_text(part: Part) -> bool:
    return part.content_type is None or part.content_type.type.lower() == b"text"


def _type(part: Part) -> tuple[bytes, bytes]:
    """`media-type SP media-subtype` and the parameters."""
    content_type = part.content_type
    parameters = [] if content_type is None else content_type.parameters
    if part.is_message:
        return b'"message" "rfc822"', _parameters(parameters)
    if content_type is None:
        return b'"text" "plain"', b"(%s)" % _DEFAULT_CHARSET
    return (
        b"%s %s" % (string(content_type.type), string(content_type.subtype)),
        _parameters(parameters, default_charset=_is_text(part)),
    )


def _parameters(parameters: Parameters, *, default_charset: bool = False) -> bytes:
    """`"(" string SP string *(SP string SP string) ")" / nil`"""
    rendered = [b"%s %s" % (string(name), string(value)) for name, value in parameters]
    if default_charset and not any(name.lower() == b"charset" for name, _ in parameters):
        rendered.append(_DEFAULT_CHARSET)
    return b"(%s)" % b" ".join(rendered) if rendered else NIL


def _extension(part: Part) -> bytes:
    """Disposition, language and location, each with a blank before it."""
    fields = part.fields
    if fields.keys().isdisjoint(_EXTENSION_FIELDS):
        return b" NIL NIL NIL"
    disposition = language = NIL
    if (value := fields.get(b"content-disposition")) is not None:
        parsed = parse_disposition(value)
        if parsed is not None:
            disposition = b"(%s %s)" % (string(parsed[0]), _parameters(parsed[1]))
    if (value := fields.get(b"content-language")) is not None:
        languages = parse_languages(value)
        if languages:
            language = b"(%s)" % b" ".join(map(string, languages))
    return b" %s %s %s" % (disposition, language, _plain(fields.get(b"content-location")))


_EXTENSION_FIELDS: Final = frozenset((b"content-disposition", b"content-language", b"content-location"))


def _plain(value: bytes | None) -> bytes:
    return NIL if value is None else nstring(one_line(value))

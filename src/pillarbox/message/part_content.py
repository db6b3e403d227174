"""What a MIME part holds once its transfer encoding is undone, and as text.

STANDARDS
    RFC 2045 §6 (transfer encodings), §5.2 (defaults)
"""

import codecs
import quopri
import re
from collections.abc import Iterator
from typing import Final

from pillarbox.message.content import Content
from pillarbox.message.encoded_words import NOT_BASE64, decode_base64, lenient_codec
from pillarbox.message.header_fields import first_value
from pillarbox.message.mime_fields import leading_encoding
from pillarbox.message.mime_tree import Part

_ENCODING: Final = b"content-transfer-encoding"
KNOWN_ENCODINGS: Final = frozenset((b"", b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable"))
"""Transfer encodings that `decoded_body` undoes."""
_BLOCK: Final = 1 << 18
_LONGEST_LINE: Final = 1 << 22
# RFC 2045 §6.7 (3).  A run of blanks is looked at once, from its first: it may be as long as the message.
_TRAILING: Final = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)")


def transfer_encoding(content: Content, part: Part) -> bytes:
    """The part's Content-Transfer-Encoding in lower case; empty if it has none.

    A message that is not MIME by RFC 2045 §4 is taken at its word all the same.
    """
    field = part.fields.get(_ENCODING)
    if field is None and not part.children and not part.fields:
        field = first_value(content[part.header_start : part.body_start], _ENCODING)
    return leading_encoding(field).lower() if field is not None else b""


def decoded_body(content: Content, part: Part) -> bytes:
    """The part's body without its transfer encoding."""
    body = content[part.body_start : part.body_end]
    match transfer_encoding(content, part):
        case b"base64":
            return decode_base64(body)
        case b"quoted-printable":
            return quopri.decodestring(_TRAILING.sub(b"", body))
        case _:
            return body


def decoded_blocks(content: Content, part: Part) -> Iterator[bytes]:
    """`decoded_body` of a part that is too large for it, block by block.

    Blocks of quoted-printable are cut at line ends, but for a line of some megabytes.
    """
    encoding = transfer_encoding(content, part)
    held = b""
    for start in range(part.body_start, part.body_end, _BLOCK):
        block = held + content[start : min(start + _BLOCK, part.body_end)]
        held = b""
        if encoding == b"base64":
            text, end, _ = block.partition(b"=")
            clean = NOT_BASE64.sub(b"", text)
            if end or start + _BLOCK >= part.body_end:
                yield decode_base64(clean)
                return
            whole = len(clean) - len(clean) % 4
            held = clean[whole:]
            yield decode_base64(clean[:whole])
        elif encoding == b"quoted-printable":
            cut = block.rfind(b"\n") + 1
            if start + _BLOCK < part.body_end and (cut or len(block) < _LONGEST_LINE):
                block, held = block[:cut], block[cut:]
            yield quopri.decodestring(_TRAILING.sub(b"", block))
        else:
            yield block


def charset_of(part: Part) -> str:
    """The codec of a part's charset; UTF-8 where it names none."""
    charset = b"utf-8"
    if part.content_type is not None:
        for name, value in part.content_type.parameters:
            if name.lower() == b"charset":
                charset = value
    return lenient_codec(charset)


def text_of(content: Content, part: Part, *, cut: bool = False) -> str:
    """The part's body as text, by its charset; if it may be `cut`, without a last character that has only begun."""
    octets, codec = decoded_body(content, part), charset_of(part)
    if not cut:
        return octets.decode(codec, "replace")
    if codec == "utf-16" and not octets.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        codec = "utf-16-le"  # which decode() takes it for, and an incremental decoder does not
    return codecs.getincrementaldecoder(codec)("replace").decode(octets)

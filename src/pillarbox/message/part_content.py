"""What a MIME part holds once its transfer encoding is undone, and as text.

STANDARDS
    RFC 2045 §6 (transfer encodings), §5.2 (defaults)
"""

import quopri
import re
from typing import Final

from pillarbox.message.encoded_words import decode_base64, lenient_codec
from pillarbox.message.header_fields import first_value
from pillarbox.message.mime_fields import parse_encoding
from pillarbox.message.mime_tree import Part

_ENCODING: Final = b"content-transfer-encoding"
KNOWN_ENCODINGS: Final = frozenset((b"", b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable"))
"""Transfer encodings that `decoded_body` undoes."""
_TRAILING: Final = re.compile(rb"[ \t]+(?=\r?\n)")


def transfer_encoding(content: bytes, part: Part) -> bytes:
    """The part's Content-Transfer-Encoding in lower case; empty if it has none.

    A message that is not MIME by RFC 2045 §4 is taken at its word all the same.
    """
    field = part.fields.get(_ENCODING)
    if field is None and not part.children and not part.fields:
        field = first_value(content[part.header_start : part.body_start], _ENCODING)
    return (parse_encoding(field) or b"").lower() if field is not None else b""


def decoded_body(content: bytes, part: Part) -> bytes:
    """The part's body without its transfer encoding."""
    body = content[part.body_start : part.body_end]
    match transfer_encoding(content, part):
        case b"base64":
            return decode_base64(body)
        case b"quoted-printable":
            return quopri.decodestring(_TRAILING.sub(b"", body))
        case _:
            return body


def text_of(content: bytes, part: Part) -> str:
    """The part's body as text, by its charset; UTF-8 where it names none."""
    charset = b"utf-8"
    if part.content_type is not None:
        for name, value in part.content_type.parameters:
            if name.lower() == b"charset":
                charset = value
    return decoded_body(content, part).decode(lenient_codec(charset), "replace")

"""Encoded words in header fields: `=?utf-8?q?K=C3=B6ln?=` (RFC 2047).

DESCRIPTION
    `decode_words` reads a field value for people: encoded words are decoded, what is not ASCII outside of them
    is taken for UTF-8.  An unknown charset is read as UTF-8, so that its ASCII is found.  Nothing is refused.

STANDARDS
    RFC 2047 §2, §6.2; RFC 2231 §5 (language)
"""

import binascii
import quopri
import re
from typing import Final

from pillarbox.message.charsets import codec_of

# Blanks within the text are not allowed, and written by some all the same; Dovecot reads them.
_ENCODED_WORD: Final = re.compile(rb"=\?([^?\s]{1,40})\?([bBqQ])\?([^?\r\n]*)\?=")
_BETWEEN_WORDS: Final = re.compile(rb"(\?=)\s+(=\?)")
NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]+")
MAX_FIELD: Final = 65536
"""Octets of a header field that are read."""


def decode_words(value: bytes) -> str:
    """A field value with its encoded words read; what is not ASCII outside of them is taken for UTF-8."""
    value = value[:MAX_FIELD]
    if b"=?" not in value:
        return value.decode("utf-8", "replace")
    # RFC 2047 §6.2: white space between two encoded words is not shown.
    value = _BETWEEN_WORDS.sub(rb"\1\2", value)
    decoded: list[str] = []
    position = 0
    for word in _ENCODED_WORD.finditer(value):
        decoded.append(value[position : word.start()].decode("utf-8", "replace"))
        decoded.append(_decode_word(word[1], word[2], word[3]))
        position = word.end()
    decoded.append(value[position:].decode("utf-8", "replace"))
    return "".join(decoded)


def decode_base64(text: bytes) -> bytes:
    """RFC 2045 §6.8: what is not in the alphabet is ignored; a torn end loses its last octets only."""
    clean = NOT_BASE64.sub(b"", text.partition(b"=")[0])
    if len(clean) % 4 == 1:
        clean = clean[:-1]
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def lenient_codec(charset: bytes) -> str:
    """The codec of a charset; the unknown ones are read as UTF-8, as Dovecot does, so that their ASCII is found."""
    return codec_of(charset) or "utf-8"


def _decode_word(charset: bytes, encoding: bytes, text: bytes) -> str:
    octets = (
        quopri.decodestring(text.replace(b" ", b"_"), header=True)
        if encoding in b"qQ"
        else decode_base64(text)
    )
    return octets.decode(
        lenient_codec(charset.partition(b"*")[0]), "replace"
    )  # RFC 2231 §5: charset*language

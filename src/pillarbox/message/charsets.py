"""Charsets that texts may be in, and the codecs that read them.

DESCRIPTION
    The codecs are loaded with this module, none later: a worker that has given up its rights opens no
    files.  Names are taken with all aliases that Python knows (`iso-8859-1`, `latin1`, `cp819`).

STANDARDS
    RFC 3501 §6.4.4 (CHARSET); RFC 2978 (names)
"""

import codecs
from encodings import normalize_encoding
from encodings.aliases import aliases
from typing import Final

_MODULES: Final = (
    "utf_8 utf_16 utf_16_be utf_16_le utf_7 big5 big5hkscs euc_jp euc_kr gb2312 gbk gb18030 hz iso2022_jp"
    " iso2022_kr shift_jis koi8_r koi8_u cp437 cp850 cp866 cp874 cp932 cp949 johab mac_roman latin_1"
    " iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_10 iso8859_11"
    " iso8859_13 iso8859_14 iso8859_15 iso8859_16 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257"
    " cp1258"
).split()
_CODECS: Final = {module: codecs.lookup(module).name for module in _MODULES}
_CODECS.update({alias: _CODECS[module] for alias, module in aliases.items() if module in _CODECS})


def codec_of(charset: bytes) -> str | None:
    """The codec of a charset, or None if we do not know it; US-ASCII is read as UTF-8, as Dovecot does."""
    name = normalize_encoding(charset.decode("ascii", "replace").lower())
    return "utf-8" if name in ("us_ascii", "ascii") else _CODECS.get(name)

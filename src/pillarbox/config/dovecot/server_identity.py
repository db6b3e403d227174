"""imap_id_send: what the server says of itself (ID, RFC 2971).

DESCRIPTION
    Names and values in turn, separated by blanks, in quotes where they hold blanks.  `*` stands for what is so;
    under `name` that is Dovecot, as clients know servers by it and switch workarounds on and off.

STANDARDS
    RFC 2971 §3.3 (name, version, os, os-version, support-url …); Dovecot 2.3, imap_id_send
"""

import os
import re
from typing import Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.vocabulary.faults import ConfigurationFault

_WORD: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s"]+)')
MAX_FIELDS: Final = 30
"""RFC 2971 §3.3: "A client or server MUST NOT send more than 30 field-value pairs"."""


def server_identity(configuration: Configuration) -> tuple[tuple[str, str | None], ...]:
    """(name, value) of each field; None for NIL."""
    text = configuration.value("imap_id_send")
    where = configuration.where("imap_id_send")
    words = [
        re.sub(r"\\(.)", r"\1", found[1]) if found[1] is not None else found[2]
        for found in _WORD.finditer(text)
    ]
    if _WORD.sub("", text).strip() or not all(word.isprintable() and word.isascii() for word in words):
        raise ConfigurationFault(
            where,
            f"imap_id_send {text} is not a list of names and values",
            mend='imap_id_send = name * x "y z"',
        )
    fields = [
        (name, _known(name) if value == "*" else value)
        for name, value in zip(words[::2], [*words[1::2], None], strict=False)
    ]
    if len(fields) > MAX_FIELDS:
        raise ConfigurationFault(where, f"imap_id_send has more than {MAX_FIELDS} fields")
    return tuple(fields)


def _known(name: str) -> str | None:
    """What `*` stands for; None, NIL, where there is nothing to say."""
    match name.lower():
        case "name":
            return "Dovecot"
        case "os":
            return os.uname().sysname
        case "os-version":
            return os.uname().release
        case _:
            return None

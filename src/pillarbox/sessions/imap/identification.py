"""What the log says of a client that has identified itself: imap_id_log.

STANDARDS
    RFC 2971 (ID); Dovecot 2.3, imap_id_log
"""

from collections.abc import Sequence


def told_identity(parameters: Sequence[tuple[bytes, bytes | None]], wanted: Sequence[str]) -> str:
    """`name=x, version=1, foo=NIL`: the fields that are wanted, `*` for all, in the client's order."""
    names = {name.lower() for name in wanted}
    return ", ".join(
        f"{_shown(name)}={'NIL' if value is None else _shown(value)}"
        for name, value in parameters
        if "*" in names or name.decode("latin-1").lower() in names
    )


def _shown(text: bytes) -> str:
    """No control characters: a line of the log must not look like two."""
    return "".join(
        character if character.isprintable() else "?" for character in text.decode("utf-8", "replace")
    )

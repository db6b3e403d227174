"""`$home`, `${extension}` and the like in forward_path, luser_relay and command_execution_directory.

DESCRIPTION
    The syntax is main.cf's; the names stand for what is known of the recipient.  Values are not expanded again,
    and octets outside the filter become underscores in them.

FAULTS
    ExpansionError  bad syntax, a comparison of what cannot be compared
"""

import os
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from pillarbox.config.expansion_syntax import ExpansionError, Reference, references
from pillarbox.delivery.local.frames import DeliverLocally


class Expanded(msgspec.Struct, frozen=True):
    """A text with its names replaced."""

    text: str
    undefined: bool  # a name without a value was used
    names: frozenset[str]  # whose values went into the text


def expand_names(template: str, values: Mapping[str, str | None], *, allowed: str | None) -> Expanded:
    """Replace the names in `template`; `allowed` are the octets that values may bring in, None for all."""
    expansion = _Expansion(values, None if allowed is None else frozenset(allowed))
    return Expanded(expansion.of(template), expansion.undefined, frozenset(expansion.names))


def local_names(request: DeliverLocally) -> dict[str, str | None]:
    """What `$name` stands for in local delivery's parameters; None: no value."""
    who, account = request.recipient, request.account

    def text(value: bytes | None) -> str | None:
        return os.fsdecode(value) if value else None

    return {
        "user": text(who.user),
        "home": text(account.home),
        "shell": text(account.shell),
        "domain": text(who.domain),
        "local": text(who.local),
        "mailbox": text(who.local),
        "recipient": text(who.address),
        "extension": text(who.extension),
        "recipient_delimiter": text(who.delimiter),
        **{name.decode().lower(): text(value) for name, value in request.client},
    }


class _Expansion:
    def __init__(self, values: Mapping[str, str | None], allowed: frozenset[str] | None) -> None:
        self._values = values
        self._allowed = allowed
        self.undefined = False
        self.names: set[str] = set()

    def of(self, template: str) -> str:
        return "".join(
            piece if isinstance(piece, str) else self._replace(piece) for piece in _pieces(template)
        )

    def _replace(self, reference: Reference) -> str:
        if not isinstance(reference.subject, str):
            raise ExpansionError("comparisons and functions are not served here")
        value = self._values.get(reference.subject)
        if reference.if_set is None and reference.if_unset is None:
            if value is None:
                self.undefined = True
                return ""
            self.names.add(reference.subject)
            return self._filtered(value)
        chosen = reference.if_set if value else reference.if_unset
        return self.of(chosen) if chosen else ""

    def _filtered(self, value: str) -> str:
        if self._allowed is None:
            return value
        return "".join(character if character in self._allowed else "_" for character in value)


@lru_cache(maxsize=64)
def _pieces(template: str) -> tuple[str | Reference, ...]:
    """The template taken apart; it is a parameter's, and comes again with each message."""
    return tuple(references(template))

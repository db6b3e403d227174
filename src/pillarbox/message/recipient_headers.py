"""Addresses out of text as sendmail(1) reads them: command lines, and the header with -t.

DESCRIPTION
    `addresses_of()` reads them as header fields are read (address_lists.py): `a@b c@d` is two, and what stands
    before `<…>` is a name.  Results are in internal form.

    `HeaderRecipients` is fed the lines of a message and collects To:, Cc: and Bcc:, or, if there is one of them,
    Resent-To:, Resent-Cc: and Resent-Bcc: instead (RFC 5322 §3.6.6), though they may be empty.

STANDARDS
    sendmail(1) -t; RFC 822 §6
"""

import re
from typing import Final

from pillarbox.message.address_lists import ListedAddress, parse

_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_BEFORE_COLON: Final = re.compile(rb"\A([!-9;-~]+)[ \t]+:")
_RECIPIENTS: Final = frozenset((b"to", b"cc", b"bcc"))
_RESENT_RECIPIENTS: Final = frozenset((b"resent-to", b"resent-cc", b"resent-bcc"))


def addresses_of(text: bytes) -> list[bytes]:
    """The addresses in a text, in order; `""` is an empty one, `<>` none."""
    elements = parse(text.decode("utf-8", "surrogateescape"))
    return [element.internal for element in elements if isinstance(element, ListedAddress)]


def as_field_line(line: bytes) -> bytes:
    """A line of the header as Postfix writes it: no blank before the colon, nothing from a NUL on."""
    return _BEFORE_COLON.sub(rb"\1:", line.partition(b"\0")[0])


class HeaderRecipients:
    """The recipients that a message's header names."""

    def __init__(self) -> None:
        self.in_header = True
        self._field: list[bytes] = []
        self._recipients: list[bytes] = []
        self._resent: list[bytes] | None = None

    @property
    def recipients(self) -> list[bytes]:
        """After the header: who is to get the message."""
        return self._recipients if self._resent is None else self._resent

    def feed(self, line: bytes) -> bool:
        """One line of the header, without its end; whether it is one: the first that is none ends the header."""
        line = as_field_line(line)
        if self._field and line[:1] in (b" ", b"\t"):
            self._field.append(line)
            return True
        self.finish()
        self.in_header = _FIELD.fullmatch(line) is not None
        if self.in_header:
            self._field = [line]
        return self.in_header

    def finish(self) -> None:
        """The field that was being read has ended."""
        match = _FIELD.fullmatch(b"\n".join(self._field))
        self._field = []
        if match is None:
            return
        name = match[1].lower()
        if name in _RECIPIENTS:
            self._recipients += addresses_of(match[2])
        elif name in _RESENT_RECIPIENTS:
            self._resent = (self._resent or []) + addresses_of(match[2])

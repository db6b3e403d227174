"""Addresses out of text as sendmail(1) reads them: command lines, and the header with -t.

DESCRIPTION
    `addresses_of()` is more lenient than a mail reader's parser: words without an operator between them are
    addresses of their own, so that `a@b c@d` is two; what stands before `<…>` is a name.  Results are in internal
    form.

    `HeaderRecipients` is fed the lines of a message and collects To:, Cc: and Bcc:, or, if there is one of them,
    Resent-To:, Resent-Cc: and Resent-Bcc: instead (RFC 5322 §3.6.6), though they may be empty.

STANDARDS
    sendmail(1) -t; RFC 822 §6
"""

import re
from typing import Final

from pillarbox.message.address_tokens import Kind, tokens_of

_SEPARATORS: Final = frozenset(",;:")
_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_RECIPIENTS: Final = frozenset((b"to", b"cc", b"bcc", b"apparently-to"))
_RESENT_RECIPIENTS: Final = frozenset((b"resent-to", b"resent-cc", b"resent-bcc"))


def addresses_of(text: bytes) -> list[bytes]:
    """The addresses in a text, in order; `<>` is an empty one."""
    found: list[str] = []
    waiting: list[str] = []  # of what may turn out to be the name before `<`
    parts: list[str] = []  # of the address that is being read
    glued = False  # the last token joins what follows it
    inside = False

    def end_word() -> None:
        if parts:
            waiting.append("".join(parts))
            parts.clear()

    for token in tokens_of(text.decode("utf-8", "surrogateescape")):
        if token.kind is Kind.COMMENT:
            continue
        operator = token.text if token.kind is Kind.OPERATOR else ""
        if inside:
            if operator == ">":
                found.append("".join(parts))
                parts.clear()
                inside = glued = False
            else:
                parts.append(token.unquoted)
        elif operator == "<":
            parts.clear()
            waiting.clear()
            inside = True
        elif operator in _SEPARATORS:
            end_word()
            if operator != ":":  # a group's name ends in a colon
                found += waiting
            waiting.clear()
            glued = False
        else:
            if not operator and not glued:
                end_word()
            parts.append(token.unquoted)
            glued = bool(operator)
    if inside:
        found.append("".join(parts))
    else:
        end_word()
        found += waiting
    return [address.encode("utf-8", "surrogateescape") for address in found]


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

"""Addresses in a header field rewritten, as cleanup(8) and smtp(8) do it.

DESCRIPTION
    `HeaderRewriting` has each address of a field brought to another form.  If one of them changes, the field is
    written anew from its tokens (address_lists.py): quotes where they are needed, missing commas, lines of about
    70 columns.  A field in which nothing changes stays as it is.

STANDARDS
    RFC 5322 §3.4, §4.4 (obsolete forms); cleanup(8)
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from pillarbox.message.address_lists import ListedAddress, folded, parse, render
from pillarbox.message.address_tokens import tokens_of

SENDERS: Final = frozenset(
    b"from sender reply-to errors-to mail-followup-to return-receipt-to disposition-notification-to resent-from "
    b"resent-sender return-path".split()
)
RECIPIENTS: Final = frozenset(
    b"to cc bcc apparently-to resent-to resent-cc resent-bcc resent-reply-to".split()
)
"""Header fields that hold addresses, in lower case."""
HOLDING_ADDRESSES: Final = SENDERS | RECIPIENTS
"""All of them."""
VISIBLE_RECIPIENTS: Final = frozenset((b"to", b"cc", b"resent-to", b"resent-cc"))
"""Those of them that a recipient sees; a message without any gets undisclosed_recipients_header."""

_WORD: Final = rb"[A-Za-z0-9_+=-]+(?:\.[A-Za-z0-9_+=-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
_NAME: Final = rb"(?:[A-Za-z0-9 .'_\x80-\xff-]*+|\"[^\"\\\r\n]*+\")[ \t]*+"
_ITEM: Final = rb"(?>[ \t\r\n]*+(?:%b|%b<%b>)[ \t\r\n]*+)" % (_WORD, _NAME, _WORD)
# Addresses with a domain that has a dot, as nearly all mail has them: nothing to complete.
_COMPLETE: Final = re.compile(rb"%b(?>(?:,%b)*)" % (_ITEM, _ITEM))

Rewrite = Callable[[str], str | None]
"""The new form of an address, both in external form; None if there is none, so that it stays as it is written.

Octets that are no UTF-8 are surrogates.
"""


class HeaderRewriting(msgspec.Struct, frozen=True):
    """How addresses in headers of senders and of recipients are rewritten.

    `senders_mapped` and `recipients_mapped` are False if an address that is complete stays what it is.
    """

    senders: Rewrite
    recipients: Rewrite
    senders_mapped: bool = False
    recipients_mapped: bool = False
    warn: Callable[[str], None] = lambda _: None
    most_tokens: int = 0  # header_address_token_limit: what is behind them goes; 0: none

    def field(self, name: bytes, value: bytes, *, line_end: bytes = b"\r\n") -> bytes:
        """The value of a field, whose name is in lower case; of a field without addresses as it is."""
        if name in SENDERS:
            rewrite, mapped = self.senders, self.senders_mapped
        elif name in RECIPIENTS:
            rewrite, mapped = self.recipients, self.recipients_mapped
        else:
            return value
        may_be_cut = 0 < self.most_tokens < len(value)
        if not (mapped or may_be_cut) and _COMPLETE.fullmatch(value) is not None:
            return value
        text = value.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        changed = False
        elements = parse(text, most_tokens=self.most_tokens)
        for at, element in enumerate(elements):
            if isinstance(element, ListedAddress):
                new = rewrite(element.text)
                if new is not None:
                    changed |= new != element.text
                    elements[at] = ListedAddress(tuple(tokens_of(new)), spaced=True)
        if not changed:
            return value
        return folded(f"{name.decode()}: ", render(elements, self.warn))[len(name) + 1 :].replace(
            b"\n", line_end
        )

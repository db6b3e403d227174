"""Addresses in a header field, replaced where they stand: names, comments and folding stay as they are.

DESCRIPTION
    `rewrite_field()` reads an address list (RFC 5322 §3.4, groups and obsolete routes included), has each address
    brought to another form, and gives the field's text with those that changed in their new form.

    What is no address (a domain that can be none, several words without a bracket, an open quote) is left alone:
    it is not ours to guess.

STANDARDS
    RFC 5322 §3.4, §4.4 (obsolete forms)
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from pillarbox.vocabulary.address import Address

SENDERS: Final = frozenset(
    b"from sender reply-to errors-to mail-followup-to return-receipt-to disposition-notification-to resent-from "
    b"resent-sender".split()
)
RECIPIENTS: Final = frozenset(
    b"to cc bcc apparently-to resent-to resent-cc resent-bcc resent-reply-to".split()
)
"""Header fields that hold addresses, in lower case."""
VISIBLE_RECIPIENTS: Final = frozenset((b"to", b"cc", b"resent-to", b"resent-cc"))
"""Those of them that a recipient sees; a message without any gets undisclosed_recipients_header."""

# One address with a domain that has a dot, as nearly all mail has it: nothing to complete.
_COMPLETE: Final = re.compile(
    rb"[ \t\r\n]*(?:[A-Za-z0-9 ,.'_\x80-\xff-]*|\"[^\"\\\r\n]*\")[ \t]*<?[A-Za-z0-9_+=-]+(?:\.[A-Za-z0-9_+=-]+)*"
    rb"@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+>?[ \t\r\n]*"
)
_TOKEN: Final = re.compile(
    rb'(?P<quoted>"(?:[^"\\]|\\.)*")'
    rb"|(?P<literal>\[(?:[^\[\]\\]|\\.)*\])"
    rb"|(?P<blank>[ \t\r\n]+)"
    rb"|(?P<special>[<>,;:@.])"
    rb"|(?P<atom>(?:[^ \t\r\n\"\[\]<>,;:@.()\\]|\\.)+)"
    rb"|(?P<other>.)",
    re.DOTALL,
)
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")
_DOMAIN: Final = re.compile(rb"[^\x00-\x20\x7f\[\]\"]+|\[[^\[\]\x00-\x20\x7f]*\]")
_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)

Rewrite = Callable[[Address], Address]
_Token = tuple[str, int, int]


class HeaderRewriting(msgspec.Struct, frozen=True):
    """How addresses in headers of senders and of recipients are rewritten.

    `senders_mapped` and `recipients_mapped` are False if an address that is complete stays what it is.
    """

    senders: Rewrite
    recipients: Rewrite
    senders_mapped: bool = False
    recipients_mapped: bool = False

    def field(self, name: bytes, value: bytes) -> bytes:
        """The value of a field, whose name is in lower case; of a field without addresses as it is."""
        if name in SENDERS:
            return rewrite_field(value, self.senders, mapped=self.senders_mapped)
        if name in RECIPIENTS:
            return rewrite_field(value, self.recipients, mapped=self.recipients_mapped)
        return value


def rewrite_field(value: bytes, rewrite: Rewrite, *, mapped: bool = False) -> bytes:
    """The value behind `To:` with its addresses rewritten; `mapped`: complete addresses may change, too."""
    plain = not mapped and b"," not in value and _COMPLETE.fullmatch(value) is not None
    if plain and not value.rstrip().endswith(b"."):
        return value
    out: list[bytes] = []
    at = 0
    for start, end, address in _addresses(value):
        new = rewrite(address)
        text = value[start:end]
        if new != address or text.startswith(b"@") or (b'"' not in text and b'"' in new.external):
            out += [value[at:start], new.external]
            at = end
    return b"".join(out) + value[at:] if out else value


def _addresses(value: bytes) -> list[tuple[int, int, Address]]:
    """Each address and where it stands."""
    found: list[tuple[int, int, Address]] = []
    element: list[_Token] = []
    for token in [*_tokens(value), ("special", len(value), len(value))]:
        kind, start, end = token
        text = value[start:end]
        if kind == "special" and text in (b",", b";", b":", b""):
            if _is_in_route(value, element, text):
                element.append(token)
                continue
            if text != b":" and (address := _element(value, element)) is not None:
                found.append(address)
            element = []
        elif kind != "blank":
            element.append(token)
    return found


def _is_in_route(value: bytes, element: list[_Token], text: bytes) -> bool:
    """Whether a comma or colon belongs to a route: `<@a,@b:user@c>`, or `@a:user@b` without brackets."""
    marks = [value[start:end] for kind, start, end in element if kind == "special"]
    if b"<" in marks:
        return b">" not in marks and text in (b",", b":")
    return marks[:1] == [b"@"] and element[0][0] == "special" and text == b":"


def _element(value: bytes, element: list[_Token]) -> tuple[int, int, Address] | None:
    """The address of one element of a list."""
    texts = [value[start:end] for _, start, end in element]
    if b"<" in texts:
        if b">" not in texts:
            return None
        first, last = texts.index(b"<") + 1, len(texts) - 1 - texts[::-1].index(b">")
        element, texts = element[first:last], texts[first:last]
    if texts[:1] == [b"@"] and b":" in texts:
        behind = len(texts) - texts[::-1].index(b":")
        found = _spec(value, element[behind:])
        # A route goes (RFC 5321 §4.1.2, Appendix C).
        return (element[0][1], *found[1:]) if found is not None else None
    return _spec(value, element)


def _spec(value: bytes, tokens: list[_Token]) -> tuple[int, int, Address] | None:
    """`local@domain` or a local part alone, from words with dots between them."""
    parts: list[list[bytes]] = [[]]
    word_before = False
    for kind, start, end in tokens:
        text = value[start:end]
        if kind == "special":
            if text == b"@":
                parts.append([])
            elif text == b".":
                parts[-1].append(text)
            else:
                return None
            word_before = False
            continue
        if kind == "other" or word_before:  # two words in a row: a phrase, not an address
            return None
        word = text[1:-1] if kind == "quoted" else text
        parts[-1].append(_PAIR.sub(rb"\1", word) if kind != "literal" else word)
        word_before = True
    if not tokens or not parts[-1]:
        return None
    # Of several at signs the last one counts.
    local_part = b"@".join(b"".join(part) for part in parts[:-1] or parts)
    domain = b"".join(parts[-1]) if len(parts) > 1 else b""
    if not local_part or _CONTROL.search(local_part) is not None:
        return None
    if len(parts) > 1 and _DOMAIN.fullmatch(domain) is None:
        return None
    return tokens[0][1], tokens[-1][2], Address(local_part, domain)


def _tokens(value: bytes) -> list[_Token]:
    """Tokens without comments, which may nest.  Behind a quote or comment that is open, all is one piece."""
    tokens: list[_Token] = []
    at = 0
    while at < len(value):
        if value[at] == 0x28:
            end = _behind_comment(value, at)
            if end < 0:
                break
            at = end
            continue
        match = _TOKEN.match(value, at)
        if match is None or match.lastgroup is None or match[0] == b'"':
            break
        tokens.append((match.lastgroup, at, match.end()))
        at = match.end()
    if at < len(value):
        tokens.append(("other", at, len(value)))
    return tokens


def _behind_comment(value: bytes, at: int) -> int:
    depth = 0
    while at < len(value):
        octet = value[at]
        if octet == 0x5C:
            at += 1
        elif octet == 0x28:
            depth += 1
        elif octet == 0x29:
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    return -1

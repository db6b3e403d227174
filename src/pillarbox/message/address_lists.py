"""A list of addresses, as it stands in header fields and tables: which of its tokens make an address.

DESCRIPTION
    `parse()` reads a list and loses nothing: what is no address (names before `<…>`, names of groups, separators,
    comments) stays beside the addresses, as tokens.  Nothing is an error.  A list is read from its end, since
    only there it shows what a word is: the name before an address, or an address.

    Two words that follow each other without an operator between them are two addresses, and get the comma that is
    missing.  A comment inside an address comes behind it.

    `render()` gives the text: addresses quoted as their local parts need it, a line for each element; `folded()`
    puts as many of them on a line as go there.

STANDARDS
    RFC 822 §6; RFC 5322 §3.4, §4.4; as sendmail and Postfix read them, with `%`, `!` and DECnet's `:` in addresses
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Final

import msgspec

from pillarbox.message.address_tokens import Kind, Token, internal_form, tokens_of
from pillarbox.vocabulary.address import Address

_ENDS_NAME: Final = frozenset((">", ";", ",", ":"))
_COMMA: Final = Token(Kind.OPERATOR, ",")
_GROUP: Final = Token(Kind.OPERATOR, ": ")
"""Behind the name of a group; a colon elsewhere has no blank."""
_COLUMNS: Final = 70
"""What a line of addresses may have, its leading blank included."""
_MOST_NAMES: Final = 250
"""More beside an address than this, in octets, has overflowed buffers of old sendmails (CERT CA-2003-07)."""


class ListedAddress(msgspec.Struct, frozen=True):
    """An address of a list; its tokens have no comments."""

    tokens: tuple[Token, ...]
    spaced: bool = False  # a blank is between two words of it, as in the local part `"a b"`

    @property
    def text(self) -> str:
        """The address as it stands, without blanks but behind the commas of a route."""
        return "".join([", " if token.operator == "," else token.quoted for token in self.tokens])

    @property
    def internal(self) -> bytes:
        """The address without quotes, as in queue files."""
        found = internal_form(self.tokens) if self.spaced else "".join([one.unquoted for one in self.tokens])
        return found.encode("utf-8", "surrogateescape")

    @property
    def address(self) -> Address:
        """What it says."""
        return Address.from_internal(self.internal)


Element = Token | ListedAddress


def parse(text: str, *, most_tokens: int = 0) -> list[Element]:
    """The elements of a list in order; `most_tokens` (0: all) are read, the rest is left out."""
    return _Reading(tokens_of(text, most=most_tokens)).elements()


def listed(text: str) -> list[str]:
    """The addresses of a list, each as it stands but without blanks; of `<>` an empty one."""
    if text in ("", "<>"):
        return ['""']
    return [element.text for element in parse(text) if isinstance(element, ListedAddress)]


def render(elements: Sequence[Element], warn: Callable[[str], None]) -> Iterator[str]:
    """The list as text, in pieces between which a line may end: each with its comma.

    Of an address with more than 250 octets of names and comments, only the address is left, and `warn` hears of it.
    """
    parts: list[str] = []
    address: str | None = None

    def piece() -> str:
        text = "".join(parts)
        if address is None or _octets(text) - _octets(address) <= _MOST_NAMES:
            return text
        shown = text.encode("utf-8", "surrogateescape")[:100].decode("utf-8", "replace")
        warn(f"stripping too many comments from address: {shown}...")
        return f"<{address}>"

    for element, after in zip_longest(elements, elements[1:]):
        if isinstance(element, ListedAddress):
            address = external_form(element.address)
            parts.append(address)
        elif element.operator == ",":
            yield piece() + ","
            parts.clear()
            address = None
            continue
        else:
            if element.operator == "<" and isinstance(after, Token) and after.operator == ">":
                address = ""
            parts.append(element.quoted)
        if after is not None and _are_apart(element, after):
            parts.append(" ")
    yield piece()


def folded(before: str, pieces: Iterable[str]) -> bytes:
    """Lines of as many pieces as fit; `before` stands before the first one."""
    lines: list[bytes] = []
    line = b""
    # A comment may have line ends of its own.
    for piece in (before + "\n".join(pieces)).encode("utf-8", "surrogateescape").split(b"\n"):
        if line and len(line) + 1 + len(piece) < _COLUMNS:
            line += b" " + piece
            continue
        if line:
            lines.append(line)
        line = piece
    lines.append(line)
    return b"\n".join(
        [one if not at or one[:1] in (b" ", b"\t") else b"\t" + one for at, one in enumerate(lines)]
    )


def external_form(address: Address) -> str:
    """An address with quotes, as in headers; octets that are no UTF-8 are surrogates."""
    return address.external.decode("utf-8", "surrogateescape") or '""'


def address_of(external: str) -> Address:
    """The address that is written so."""
    found = internal_form(tokens_of(external))
    return Address.from_internal(found.encode("utf-8", "surrogateescape"))


def _octets(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


class _Reading:
    """The tokens that are left, the last one at the end; and what has been made of those behind, in reverse."""

    def __init__(self, tokens: list[Token]) -> None:
        self._left = tokens
        self._done: list[Element] = []
        self._address: list[Token] = []  # in reverse
        self._in_group = False
        self._after_word = False

    def elements(self) -> list[Element]:
        """All of them."""
        while self._left:
            self._read(self._left.pop())
        self._end_address()
        return self._done[::-1]

    def _read(self, token: Token) -> None:
        match token.operator:
            case "" if token.kind is Kind.COMMENT:
                self._done.append(token)
                return
            case "":
                if self._after_word:
                    self._end_address(with_comma=True)
                self._address.append(token)
                self._after_word = True
                return
            case ";":
                self._end_address(with_comma=True)
                self._done.append(token)
                self._in_group = True
            case ":" if self._in_group:
                self._end_address()
                self._done.append(_GROUP)
                self._keep_name(frozenset(","))
                return
            case ">":
                self._end_address(with_comma=True)
                self._done.append(token)
                self._read_brackets()
                self._keep_name(_ENDS_NAME)
                if not self._in_group and self._left and self._left[-1].operator == ":":
                    self._done.append(self._left.pop())
            case ",":
                self._end_address()
                self._done.append(token)
            case _:
                self._address.append(token)
        self._after_word = False

    def _read_brackets(self) -> None:
        """The address, and the bracket that opens it; without that, all that is left is the address."""
        while self._left:
            token = self._left.pop()
            if token.operator == "<":
                self._end_address()
                self._done.append(token)
                return
            (self._done if token.kind is Kind.COMMENT else self._address).append(token)
        self._end_address()

    def _keep_name(self, ends: frozenset[str]) -> None:
        """What is before an address or a group, up to one of `ends`."""
        while self._left and self._left[-1].operator not in ends:
            self._done.append(self._left.pop())

    def _end_address(self, *, with_comma: bool = False) -> None:
        if self._address:
            self._done.append(ListedAddress(tuple(self._address[::-1])))
            self._address.clear()
            if with_comma:
                self._done.append(_COMMA)


def _are_apart(element: Element, after: Element) -> bool:
    if isinstance(after, Token) and after.operator:
        return after.operator == "<" and element is not _GROUP
    return isinstance(element, ListedAddress) or not element.operator

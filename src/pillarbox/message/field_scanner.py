"""A scanner for structured header fields: atoms, quoted strings, comments, domains, tokens.

DESCRIPTION
    `FieldScanner` walks over the value of a field.  Every `take_…` method reads one element and the white
    space and comments after it, appends what it read to a list, and says how it went on: `MORE` (something
    follows), `END` (the field is used up) or `BROKEN` (the element is not there, or not closed).

    It takes what mail programs really send, in the way in which Dovecot 2.3 does, because the rendered
    ENVELOPE and BODYSTRUCTURE must not change under clients when the server is exchanged: 8-bit characters
    are atom characters, white space may surround dots, an unclosed quoted string gives what there is.

STANDARDS
    RFC 5322 §3.2 (lexical tokens), §4 (obsolete syntax); RFC 2045 §5.1 (token)
"""

import re
from enum import IntEnum
from typing import Final

_ATEXT: Final = rb"A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\x80-\xff"
_ATOM: Final = re.compile(rb"[%s]+" % _ATEXT)
_ATOM_OR_DOT: Final = re.compile(rb"[%s.]*" % _ATEXT)
_DOTS: Final = re.compile(rb"\.*")
# RFC 2045 tspecials are not in a token; RFC 2231's `*` and `'` are.
_TOKEN: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+\-.^_`{|}~\x80-\xff]*")
_WHITE: Final = re.compile(rb"[ \t\r\n]*")
_COMMENT_PART: Final = re.compile(rb"[^()\\\n\0]*")
_QUOTED_PART: Final = re.compile(rb'[^"\\\n\0]*')
_WORD_START: Final = re.compile(rb'[%s".]' % _ATEXT)
_LITERAL_PART: Final = re.compile(rb"[^\[\]\\\n]*")
_NOT_ESCAPED: Final = frozenset((b"\r", b"\n", b"\0"))
"""Before these a backslash is one of the characters (RFC 5322 §3.2.1, quoted-pair)."""


class Found(IntEnum):
    """How the scan went on after an element."""

    BROKEN = -1
    END = 0
    MORE = 1


BROKEN: Final = Found.BROKEN
END: Final = Found.END
MORE: Final = Found.MORE


class FieldScanner:
    """A position in the value of a structured field."""

    __slots__ = ("comment", "data", "end", "position")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0
        self.end = len(data)
        self.comment: bytes = b""
        """The last comment that was skipped: the name in `user@example.org (Name)`."""

    @property
    def here(self) -> bytes:
        """The byte at the position, empty at the end."""
        return self.data[self.position : self.position + 1]

    def skip(self) -> Found:
        """Skip white space and comments."""
        while True:
            match = _WHITE.match(self.data, self.position)
            if match is not None:
                self.position = match.end()
            if self.position >= self.end:
                return END
            if self.data[self.position] != 0x28:  # (
                return MORE
            if not self._skip_comment():
                return BROKEN

    def take_atom(self, into: list[bytes]) -> Found:
        """`atom = [CFWS] 1*atext [CFWS]`"""
        match = _ATOM.match(self.data, self.position)
        if match is None:
            return BROKEN
        into.append(match[0])
        self.position = match.end()
        return self.skip()

    def take_local_part(self, into: list[bytes]) -> Found:
        """`dot-atom`, with white space before the dots (RFC 5322 §4.4), any number of them anywhere."""
        found = BROKEN
        while True:
            match = _DOTS.match(self.data, self.position)
            if match is not None and match[0]:
                into.append(match[0])
                self.position = match.end()
                if self.position >= self.end:
                    return END
                found = MORE
            if self.here == b"@":
                return found
            if (found := self.take_atom(into)) is not MORE or self.here != b".":
                return found

    def take_dot_atom(self, into: list[bytes]) -> Found:
        """`dot-atom` as a domain has it: an atom after every dot; white space around the dots."""
        while True:
            match = _ATOM.match(self.data, self.position)
            if match is None:
                return BROKEN
            into.append(match[0])
            self.position = match.end()
            if (found := self.skip()) is not MORE:
                return found
            if self.here != b".":
                return MORE
            into.append(b".")
            self.position += 1
            if self.skip() is not MORE:
                return BROKEN

    def take_token(self, into: list[bytes]) -> Found:
        """`token` of RFC 2045 §5.1; may be empty."""
        match = _TOKEN.match(self.data, self.position)
        assert match is not None  # the pattern matches the empty string
        into.append(match[0])
        self.position = match.end()
        return self.skip()

    def take_quoted(self, into: list[bytes]) -> Found:
        """`quoted-string`, unquoted and unfolded; the position is at the opening quote."""
        return self.skip() if self._take_delimited(_QUOTED_PART, b'"', into) else BROKEN

    def take_phrase(self, into: list[bytes]) -> Found:
        """`phrase = 1*word / obs-phrase`: words and dots, joined by single blanks."""
        if self.position >= self.end:
            return END
        if self.here == b".":
            return BROKEN
        while True:
            if self.here == b'"':
                found = self.take_quoted(into)
            else:
                match = _ATOM_OR_DOT.match(self.data, self.position)
                assert match is not None  # the pattern matches the empty string
                into.append(match[0])
                self.position = match.end()
                found = self.skip()
            if found is not MORE:
                return found
            if _WORD_START.match(self.data, self.position) is None:
                return MORE
            into.append(b" ")

    def take_domain(self, into: list[bytes]) -> Found:
        """`"@" domain`; the position is at the `@`."""
        self.position += 1
        if self.skip() is not MORE:
            return BROKEN
        if self.here == b"[":
            return self._take_domain_literal(into)
        return self.take_dot_atom(into)

    def _take_domain_literal(self, into: list[bytes]) -> Found:
        """`"[" *([FWS] dtext) [FWS] "]"`, unfolded; backslashes stay."""
        parts = [self.here]
        self.position += 1
        while True:
            match = _LITERAL_PART.match(self.data, self.position)
            assert match is not None  # the pattern matches the empty string
            self.position = match.end()
            mark = self.here
            if not mark or mark == b"[":
                return BROKEN
            self.position += 1
            if mark == b"\n":
                parts.append(match[0].removesuffix(b"\r"))
                continue
            parts += (match[0], mark)
            if mark == b"]":
                into += parts
                return self.skip()
            if self.position >= self.end:
                return BROKEN
            if self.here not in _NOT_ESCAPED or self.here == b"\0":
                parts.append(self.here)
                self.position += 1

    def _skip_comment(self) -> bool:
        """Skip a comment, nested ones too; whether it was closed."""
        parts: list[bytes] = []
        closed = self._take_delimited(_COMMENT_PART, b")", parts)
        self.comment = b"".join(parts)
        return closed

    def _take_delimited(self, plain: re.Pattern[bytes], closing: bytes, into: list[bytes]) -> bool:
        """Text up to the mark that closes it, unescaped and unfolded; the position is at the one that opens it.

        Whether it was closed.  If not, what stands behind the last escape, line end or NUL is lost, as it is in
        Dovecot.
        """
        self.position += 1
        held: list[bytes] = []
        level = 1
        while True:
            match = plain.match(self.data, self.position)
            assert match is not None  # the patterns match the empty string
            self.position = match.end() + 1
            mark = self.data[match.end() : self.position]
            if not mark:
                self.position = self.end
                return False
            if mark == b"\n":
                into += (*held, match[0].removesuffix(b"\r"))
                held = []
                continue
            held.append(match[0])
            if mark == b"\\":
                escaped = self.here
                if not escaped:
                    return False
                if escaped in _NOT_ESCAPED:
                    held.append(mark)
                    continue
                into += held
                held = [escaped]
                self.position += 1
                continue
            if mark == closing:
                level -= 1
            elif mark == b"(":
                level += 1
            if level == 0 or mark == b"\0":
                into += held
                held = []
            if level == 0:
                return True
            (into if mark == b"\0" else held).append(mark)

"""A command read from left to right: `take_*` looks, `expect_*` insists.

DESCRIPTION
    A `Scanner` stands somewhere in a command that `fragments` has cut: lines with literals between them.
    Each method reads one rule of the grammar and stands behind it.  `take_` methods return None or False
    and stay where they are when the rule does not match; others raise.

FAULTS
    BadSyntax       the command is not what the grammar says; `str()` is for the client.
    Refusal         the syntax is right but the content is not: a name that is not modified UTF-7, a charset
                    that we do not know.  The answer is NO.

STANDARDS
    RFC 3501 §9 (formal syntax)
"""

import re
from collections.abc import Sequence
from typing import Final

from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.number_set import NumberSet
from pillarbox.wire.imap import mailbox_names

# atom-specials = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials
_ATOM: Final = re.compile(rb'[^(){ \x00-\x1f\x7f-\xff%*"\\\]]+')
# ASTRING-CHAR = ATOM-CHAR / resp-specials.  Quirk: clients send names and passwords with wildcards and
# backslashes as they are (imaplib's login() does not quote the user of a master, `joe*master`); Dovecot takes them.
_ASTRING: Final = re.compile(rb'[^(){ \x00-\x1f\x7f-\xff"]+')
_TAG: Final = re.compile(rb'[^(){ \x00-\x1f\x7f-\xff%*"\\+]+')
_NUMBER: Final = re.compile(rb"[0-9]+")
_SEQUENCE_SET: Final = re.compile(rb"[0-9*:,]+|\$")
# QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials.  Quirk: a backslash before anything
# else is left out (`"DOMAIN\joe"`), as Dovecot does.
_QUOTED: Final = re.compile(rb'"((?:[^"\\\x00\r\n]|\\[^\x00\r\n])*)"')
_QUOTED_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)
_LITERAL: Final = re.compile(rb"~?\{[0-9]+\+?\}")
_FLAG: Final = re.compile(rb'[^(){ \x00-\x1f\x7f-\xff"]+')


def is_tag(word: bytes) -> bool:
    """Whether a word can be a tag: `1*<any ASTRING-CHAR except "+">`"""
    return _TAG.fullmatch(word) is not None


class BadSyntax(Exception):
    """The command is not what the grammar says (BAD)."""


class Refusal(Exception):
    """The command is well-formed and cannot be done as it is (NO); `str()` may begin with a response code.

    `forgets_result`: a search that was to be kept as `$` has not been made (RFC 5182 §2.1).
    """

    forgets_result = False


class Scanner:
    """A place in a command."""

    __slots__ = ("_line", "_next_part", "_offset", "_parts", "utf8_names")

    def __init__(self, parts: list[bytes], *, utf8_names: bool = False) -> None:
        """`utf8_names`: mailbox names are in UTF-8, not in modified UTF-7."""
        self.utf8_names = utf8_names
        self._parts = parts
        self._line = parts[0]
        self._offset = 0
        self._next_part = 1

    @property
    def rest(self) -> bytes:
        """What is left of the line."""
        return self._line[self._offset :]

    @property
    def has_literals(self) -> bool:
        """Whether literals, or their announcement, are still to be read."""
        return self._next_part < len(self._parts) or self._line.endswith(b"}")

    # Single characters.

    def take(self, character: bytes) -> bool:
        """One given character (or word, exactly spelled)."""
        if self._line.startswith(character, self._offset):
            self._offset += len(character)
            return True
        return False

    def expect(self, character: bytes, *, reason: str = "Invalid arguments") -> None:
        """One given character."""
        if not self.take(character):
            raise BadSyntax(reason)

    # Parentheses.  Quirk: spaces behind an opening and before a closing one are passed over, as Dovecot does (its
    # own imapc sends `( \Seen)`).

    def take_open(self) -> bool:
        """`(`"""
        opened = self.take(b"(")
        if opened:
            self.take_space()
        return opened

    def expect_open(self, *, reason: str = "Invalid arguments") -> None:
        """`(`"""
        if not self.take_open():
            raise BadSyntax(reason)

    def at_close(self) -> bool:
        """Whether `)` is next."""
        offset = self._offset
        while self._line.startswith(b" ", offset):
            offset += 1
        return self._line.startswith(b")", offset)

    def take_close(self) -> bool:
        """`)`"""
        closed = self.at_close()
        if closed:
            self.take_space()
            self._offset += 1
        return closed

    def expect_close(self, *, reason: str = "Invalid arguments") -> None:
        """`)`"""
        if not self.take_close():
            raise BadSyntax(reason)

    # Spaces.  Quirk: between arguments more than one is taken as one, and none is needed behind `"`, `)` and a
    # literal (`STATUS "INBOX"(MESSAGES)`), as Dovecot does.

    def space(self) -> None:
        """`SP`: more arguments follow."""
        if not self.take_space():
            raise BadSyntax("Missing arguments" if self.at_end else "Invalid arguments")

    def space_or(self, reason: str) -> None:
        """`SP`, whose absence has a text of its own."""
        if not self.take_space():
            raise BadSyntax(reason)

    def at(self, character: bytes) -> bool:
        """Whether a given character is next."""
        return self._line.startswith(character, self._offset)

    @property
    def next_word_opens(self) -> bool:
        """Whether a space and `(` are next."""
        return self.at(b" ") and self._line[self._offset :].lstrip(b" ").startswith(b"(")

    def take_space(self) -> bool:
        """`SP`, if there is one and something behind it."""
        start = self._offset
        while self._line.startswith(b" ", self._offset):
            self._offset += 1
        return self._offset > start or self._needs_no_space

    @property
    def _needs_no_space(self) -> bool:
        """Whether another argument begins right behind one that says itself where it ends."""
        if self.at_end or self._line[self._offset] == 0x29:  # `)`
            return False
        if self._offset == 0:
            return self._next_part > 1
        return self._line[self._offset - 1] in b'")'

    @property
    def at_end(self) -> bool:
        """Whether the command ends here."""
        return self._offset >= len(self._line)

    @property
    def is_read(self) -> bool:
        """Whether nothing is left of the command, but for spaces."""
        return self._next_part >= len(self._parts) and not self._line[self._offset :].strip(b" ")

    @property
    def at_word_end(self) -> bool:
        """Whether a space is next, or nothing; or another argument, where it may follow without one."""
        return self.at_end or self.at(b" ") or self._needs_no_space

    def end(self) -> None:
        """`CRLF`: nothing follows but spaces (clients in the field send them)."""
        self.take_space()
        if not self.at_end:
            raise BadSyntax("Invalid arguments")

    # Words.

    def match(self, pattern: re.Pattern[bytes]) -> bytes | None:
        """What a pattern finds here, if it does."""
        match = pattern.match(self._line, self._offset)
        if match is None:
            return None
        self._offset = match.end()
        return match[0]

    def tag(self) -> bytes:
        """`tag = 1*<any ASTRING-CHAR except "+">`"""
        tag = self.match(_TAG)
        if tag is None or not (self.at_end or self._line[self._offset] == 0x20):
            raise BadSyntax("Invalid tag")
        return tag

    def atom(self, *, reason: str = "Invalid arguments") -> bytes:
        """`atom = 1*ATOM-CHAR`"""
        atom = self.match(_ATOM)
        if atom is None:
            raise BadSyntax(reason)
        return atom

    @property
    def next_atom(self) -> bytes:
        """The atom that comes next, which is not taken; empty if there is none."""
        atom = _ATOM.match(self._line, self._offset)
        return atom[0] if atom is not None else b""

    def word(self, *, reason: str = "Invalid arguments") -> bytes:
        """An atom that is a name of the protocol, in capitals."""
        return self.atom(reason=reason).upper()

    def take_word(self, word: bytes) -> bool:
        """A name of the protocol in any case, whole."""
        start = self._offset
        atom = self.match(_ATOM)
        if atom is not None and atom.upper() == word:
            return True
        self._offset = start
        return False

    def number(self, *, reason: str = "Invalid arguments", maximum: int = 0xFFFFFFFF) -> int:
        """`number = 1*DIGIT`, at most `maximum`"""
        digits = self.match(_NUMBER)
        if digits is None or len(digits) > 20:
            raise BadSyntax(reason)
        number = decimal(digits)
        if number > maximum:
            raise BadSyntax(reason)
        return number

    def sequence_set(self, *, reason: str = "Invalid messageset") -> NumberSet:
        """`sequence-set`  RFC 3501 §9, RFC 5182 §3"""
        text = self.match(_SEQUENCE_SET)
        if text is None and self._line[self._offset : self._offset + 1] in {b"(", b'"', b"{"}:
            raise BadSyntax("Invalid arguments")
        try:
            return NumberSet.parse(text or b"")
        except ValueError:
            raise BadSyntax(reason) from None

    def looks_like_sequence_set(self) -> bool:
        """Whether a digit, `*` or `$` is next."""
        return self._line[self._offset : self._offset + 1] in b"0123456789*$" and not self.at_end

    # Strings.

    def take_string(self) -> bytes | None:
        """`string = quoted / literal`"""
        first = self._line[self._offset : self._offset + 1]
        if first == b'"':
            quoted = _QUOTED.match(self._line, self._offset)
            if quoted is None:
                raise BadSyntax("Missing '\"'")
            self._offset = quoted.end()
            text = quoted[1]
            return _QUOTED_PAIR.sub(rb"\1", text) if b"\\" in text else text
        if first in (b"{", b"~") and self._next_part < len(self._parts):
            literal = _LITERAL.fullmatch(self._line, self._offset)
            if literal is not None:
                text = self._parts[self._next_part]
                self._line = self._parts[self._next_part + 1]
                self._next_part += 2
                self._offset = 0
                return text
        return None

    def at_announcement(self) -> bool:
        """Whether the command so far ends here with a literal that has not come yet."""
        return (
            self._next_part >= len(self._parts) and _LITERAL.fullmatch(self._line, self._offset) is not None
        )

    def string(self) -> bytes:
        """`string = quoted / literal`"""
        text = self.take_string()
        if text is None:
            raise BadSyntax("Invalid arguments")
        return text

    def astring(self, *, reason: str = "Invalid arguments") -> bytes:
        """`astring = 1*ASTRING-CHAR / string`"""
        text = self.take_string()
        if text is None:
            text = self.match(_ASTRING)
        if text is None:
            raise BadSyntax("Missing arguments" if self.at_end else reason)
        return text

    def take_astring(self) -> bytes | None:
        """`astring`, if there is one."""
        text = self.take_string()
        return text if text is not None else self.match(_ASTRING)

    def nstring(self) -> bytes | None:
        """`nstring = string / nil`"""
        return None if self.take_word(b"NIL") else self.string()

    def mailbox(self) -> str:
        """`mailbox = "INBOX" / astring`, decoded"""
        return decode_mailbox(self.astring(), utf8=self.utf8_names)

    def mailbox_name(self) -> str:
        """A mailbox where a name may hold wildcards that mean themselves (`mailboxes *`, as Dovecot reads it)."""
        return decode_mailbox(self.list_mailbox(), utf8=self.utf8_names)

    def list_mailbox(self) -> bytes:
        """`list-mailbox = 1*list-char / string`"""
        text = self.take_string()
        if text is None:
            text = self.match(_ASTRING)
        if text is None:
            raise BadSyntax("Invalid arguments")
        return text

    def take_flag(self) -> bytes | None:
        """`flag = "\\Answered" / … / flag-keyword / flag-extension`"""
        return self.match(_FLAG)


_TOKEN: Final = re.compile(rb'[^ ()"]+|"(?:[^"\\]|\\.)*"|[ ()"]', re.DOTALL)
_IN_NO_ATOM: Final = re.compile(rb"[\x00-\x1f\x7f]")


def general_fault(lines: Sequence[bytes]) -> str | None:
    """What is wrong with a command whatever it is: brackets or quotes that do not match, bad atoms.

    Dovecot reads the arguments of a command before it looks at what they mean, so that its clients are told
    of these first.  `lines` are a command's lines without its literals.
    """
    depth = 0
    for line in lines:
        within_atom = False
        for token in _TOKEN.findall(line):
            depth += (token == b"(") - (token == b")")
            if depth < 0:
                return "Unexpected ')'"
            if within_atom and token[:1] in {b"(", b'"'}:
                return "Invalid characters in atom"
            if token == b'"':
                return "Missing '\"'"
            within_atom = token[:1] not in {b" ", b"(", b")", b'"'}
            if within_atom and not token.isascii():
                return "8bit data in atom"
            if within_atom and _IN_NO_ATOM.search(token) is not None:
                return "Invalid characters in atom"
    return "Missing ')'" if depth else None


def decode_mailbox(name: bytes, *, utf8: bool = False) -> str:
    """A mailbox name from the wire.  Raises Refusal."""
    try:
        return mailbox_names.decode_utf8(name) if utf8 else mailbox_names.decode(name)
    except ValueError:
        raise Refusal(f"[CANNOT] Mailbox name is not valid {'UTF-8' if utf8 else 'mUTF-7'}") from None

"""What an alias, a .forward file or an :include: file lists: addresses, commands, files.

DESCRIPTION
    `destinations()` takes a line apart as Postfix does: RFC 822 address syntax, in which a command or a file is
    one more kind of address, with forms that people really write:

        alice, bob@example.org          two addresses; the comma may be left out
        Bob <bob@example.org> (Bob)     names and comments do not count
        "|/usr/bin/filter -x"           a command; quoted, because of the blanks
        /var/mail/archive  ~/old  /d/   files; the one with a slash at the end is a Maildir
        :include:/etc/postfix/list      the lines of a file
        friends: al, bo;                a group counts as its members
        \\alice                          alice: a backslash takes a character's special meaning away

    Each result is the text without quoting.  What it is, its first character says.

FAULTS
    None: every text means something, if not what its author had in mind.

STANDARDS
    RFC 822 §6.1, aliases(5)
"""

from collections.abc import Iterator
from typing import Final

_OPERATORS: Final = frozenset(b'|%!()<>@,;:\\".[]')
_SPACE: Final = frozenset(b" \t\r\n")
_BACKSLASH, _QUOTE, _OPEN, _CLOSE, _BRACKET, _END_BRACKET = b'\\"()[]'

_Token = tuple[bool, bytes]
"""Whether it is a word (atom, quoted string, domain literal) or an operator; its text without quoting."""


def destinations(line: bytes) -> list[bytes]:
    """The destinations of a line, in order, without quoting."""
    tokens = list(_tokens(line))
    found: list[bytes] = []
    right = len(tokens)  # what lies from here on is done
    at = right - 1
    word_may_follow, in_group = True, False

    def take(left: int) -> None:
        some = tokens[left + 1 : right]
        address = b"".join(text for _, text in some)
        if address or some:  # an empty one in quotes is one, too
            found.append(address)

    # From right to left: that is how a missing comma, the end of a group and <address> are told from the rest.
    while at >= 0:
        is_word, text = tokens[at]
        if is_word:
            if not word_may_follow:
                take(at)
                right = at + 1
            word_may_follow = False
        elif text == b";":
            take(at)
            right, in_group, word_may_follow = at, True, True
        elif text == b":" and in_group:
            take(at)
            at = _back_to(tokens, at, b",")
            right = max(at, 0)
            continue
        elif text == b">":
            take(at)
            right = at
            at = _back_to(tokens, at, b"<")
            take(at)
            at = _back_to(tokens, at, b">;,:")
            right, word_may_follow = max(at, 0), True
            continue
        elif text == b",":
            take(at)
            right, word_may_follow = at, True
        else:
            word_may_follow = True
        at -= 1
    take(-1)
    found.reverse()
    return found


def _back_to(tokens: list[_Token], at: int, operators: bytes) -> int:
    """The next token to the left that is one of these operators; -1 if there is none."""
    while at >= 0 and (tokens[at][0] or tokens[at][1] not in operators):
        at -= 1
    return at


def _tokens(line: bytes) -> Iterator[_Token]:
    at, end = 0, len(line)
    while at < end:
        octet = line[at]
        if octet in _SPACE:
            at += 1
        elif octet == _OPEN:
            at = _after_comment(line, at + 1)
        elif octet == _QUOTE:
            text, at = _collect(line, at + 1, until=frozenset((_QUOTE,)))
            at += 1
            yield True, text
        elif octet == _BRACKET:
            text, at = _collect(line, at + 1, until=frozenset((_END_BRACKET,)))
            at += 1
            yield True, b"[%s]" % text
        elif octet in _OPERATORS and octet != _BACKSLASH:
            at += 1
            yield False, bytes((octet,))
        else:
            text, at = _collect(line, at, until=_OPERATORS | _SPACE)
            yield True, text


def _collect(line: bytes, at: int, *, until: frozenset[int]) -> tuple[bytes, int]:
    """Text up to an octet of `until`, quoting taken off, and where it ends.  Line breaks become blanks."""
    text = bytearray()
    end = len(line)
    while at < end:
        octet = line[at]
        if octet == _BACKSLASH:
            at += 1
            if at == end:
                break
            octet = line[at]
        elif octet in until:
            break
        text.append(0x20 if octet in _SPACE else octet)
        at += 1
    return bytes(text), at


def _after_comment(line: bytes, at: int) -> int:
    level, end = 1, len(line)
    while at < end and level:
        octet = line[at]
        if octet == _OPEN:
            level += 1
        elif octet == _CLOSE:
            level -= 1
        elif octet == _BACKSLASH:
            at += 1
        at += 1
    return at

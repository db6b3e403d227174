"""Random IMAP sessions that two servers are to answer alike, and what of their answers is compared.

DESCRIPTION
    `random_session` gives steps for `fakes.imap_exchanges.Both`: mailboxes are selected, made and deleted, messages
    appended, fetched, marked, searched, sorted, copied, moved and expunged, in sets and sections that may be wrong.

    `comparable` leaves out what differs by decision (tests/system/imap_reply_differences.txt): keywords that no
    message has, mod-sequences, the order of FETCH's items and of flags.
"""

import random
import re
from collections.abc import Sequence
from typing import Final

from fakes.imap_scripts import BARE, BASE64, DEEP, ENCODED, FORWARD, MULTIPART, PLAIN, append

_MAILBOXES: Final = (b"INBOX", b"Trash", b"Sent", b'"Lists/a b"', b"deep/er/est", b"New", b"new/x", b"nobox")
_FLAGS: Final = (
    b"\\Seen",
    b"\\Flagged",
    b"\\Deleted",
    b"\\Answered",
    b"\\Draft",
    b"$Label1",
    b"NonJunk",
    b"x1",
)
_MESSAGES: Final = (PLAIN, MULTIPART, ENCODED, FORWARD, BARE, DEEP, b"a: b\r\n\r\nc")
_BASE64_MESSAGE: Final = BASE64 + b"aGVsbG8=\r\n"
_ITEMS: Final = (
    *(b"UID", b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE", b"BODY", b"BODYSTRUCTURE", b"PREVIEW"),
    *(
        b"RFC822.HEADER",
        b"RFC822.TEXT",
        b"RFC822",
        b"BINARY.PEEK[1.1]",
        b"BINARY.SIZE[1.1]",
        b"BINARY.SIZE[2]",
    ),
)
_SECTIONS: Final = (
    *(b"", b"HEADER", b"TEXT", b"1", b"2", b"3", b"1.1", b"1.2", b"2.1", b"1.MIME", b"2.MIME", b"1.1.MIME"),
    *(b"2.HEADER", b"2.TEXT", b"HEADER.FIELDS (SUBJECT FROM)", b"HEADER.FIELDS.NOT (SUBJECT DATE)"),
    *(b"2.HEADER.FIELDS (TO)", b"2.HEADER.FIELDS.NOT (To)", b"2.1.1", b"1.2.1"),
)
_TEXTS: Final = (
    b"hello",
    b"needle",
    b"world",
    b"a",
    b"example",
    b"K\xc3\xb6ln",
    b"gr\xc3\xbc\xc3\x9f",
    b"Re",
    b"",
)
_KEYS: Final = (
    *(
        b"ALL",
        b"SEEN",
        b"UNSEEN",
        b"ANSWERED",
        b"DELETED",
        b"UNDELETED",
        b"DRAFT",
        b"FLAGGED",
        b"NEW",
        b"OLD",
    ),
    *(
        b"RECENT",
        b"KEYWORD NonJunk",
        b"UNKEYWORD NonJunk",
        b"LARGER 300",
        b"SMALLER 400",
        b"SENTON 1-Jan-2024",
    ),
    *(b"BEFORE 3-Jan-2024", b"ON 4-Jan-2024", b"SINCE 5-Jan-2024", b"YOUNGER 100", b"SENTSINCE 2-Jan-2024"),
)
_RETURNS: Final = (
    *(b"", b"", b"RETURN () ", b"RETURN (MIN MAX) ", b"RETURN (COUNT) ", b"RETURN (ALL) ", b"RETURN (SAVE) "),
    *(b"RETURN (SAVE MIN) ", b"RETURN (PARTIAL 1:2) ", b"RETURN (PARTIAL 2:3 COUNT) "),
)
_SORT_KEYS: Final = (b"ARRIVAL", b"CC", b"DATE", b"FROM", b"SIZE", b"SUBJECT", b"TO")
_DISPLAYED: Final = (b"DISPLAYFROM", b"DISPLAYTO")
"""Keys that Dovecot does not look at behind others."""
_STATUS: Final = (b"MESSAGES", b"RECENT", b"UIDNEXT", b"UNSEEN", b"SIZE")
_FETCH: Final = re.compile(rb"\* [0-9]+ FETCH \(")
_NAME: Final = re.compile(rb"[A-Z0-9.]+(?:\[[^\]]*\](?:<[0-9]+>)?)?")
_LITERAL: Final = re.compile(rb"~?\{([0-9]+)\}\r\n")
_ATOM: Final = re.compile(rb"[^ ()\r]+")
_LEFT_OUT: Final = re.compile(rb"\* FLAGS |.*\[PERMANENTFLAGS |\* OK \[HIGHESTMODSEQ ")


def random_session(seed: int, length: int = 70) -> tuple[bytes, ...]:
    """Steps; every mailbox has been looked at before, so that both servers know what is recent there."""
    chance = random.Random(seed)
    looks = [b"x STATUS %b (MESSAGES)" % mailbox for mailbox in _MAILBOXES]
    keywords = b"x STORE 1 +FLAGS ($Label1 NonJunk x1)"
    return (*looks, b"x SELECT INBOX", keywords, *(_command(chance) for _ in range(length)))


def _command(chance: random.Random) -> bytes:
    pick = chance.choice
    uid = pick((b"", b"UID "))
    mailbox = pick(_MAILBOXES)
    match chance.choices(range(8), (22, 18, 17, 8, 9, 12, 10, 4))[0]:
        case 0:
            items = b" ".join(fetch_item(chance) for _ in range(chance.randint(1, 4)))
            return b"x %bFETCH %b (%b)" % (uid, message_set(chance), items)
        case 1:
            how = pick((b"+FLAGS", b"-FLAGS", b"FLAGS", b"+FLAGS.SILENT", b"FLAGS.SILENT"))
            flags = b" ".join(chance.sample(_FLAGS, chance.randint(0, 3)))
            return b"x %bSTORE %b %b (%b)" % (uid, message_set(chance), how, flags)
        case 2:
            keys = b" ".join(search_key(chance) for _ in range(chance.randint(1, 3)))
            if chance.random() < 0.7:
                return b"x %bSEARCH %bCHARSET UTF-8 %b" % (uid, pick(_RETURNS), keys)
            order = pick((b"", b"REVERSE ")) + pick((*_DISPLAYED, b" ".join(chance.sample(_SORT_KEYS, 2))))
            return b"x %bSORT %b(%b) UTF-8 %b" % (uid, pick(_RETURNS), order, keys)
        case 3:
            return b"x %b%b %b %b" % (uid, pick((b"COPY", b"MOVE")), message_set(chance), mailbox)
        case 4:
            flags = b" ".join(chance.sample(_FLAGS, chance.randint(0, 2)))
            message = pick((*_MESSAGES, _BASE64_MESSAGE))
            return append(
                mailbox, message, flags=flags, date=b"%02d-Jan-2024 10:00:00 +0000" % chance.randint(1, 9)
            )
        case 5:
            return pick((b"x EXPUNGE", b"x UID EXPUNGE " + message_set(chance), b"x NOOP", b"x CHECK"))
        case 6:
            items = b" ".join(chance.sample(_STATUS, 2))
            return pick((b"x SELECT " + mailbox, b"x STATUS %b (%b)" % (mailbox, items)))
        case _:
            return pick(
                (
                    b"x CREATE " + mailbox,
                    b"x SUBSCRIBE " + mailbox,
                    b"x UNSUBSCRIBE " + mailbox,
                    b"x DELETE " + pick((b"New", b"new/x", b"deep/er/est")),
                    b'x LIST "" "*" RETURN (CHILDREN SUBSCRIBED STATUS (MESSAGES UNSEEN))',
                    b'x LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"',
                )
            )


def message_set(chance: random.Random) -> bytes:
    """Numbers of messages, some of which there may not be."""
    if chance.random() < 0.15:
        return b"1:*"
    most = chance.choice((3, 6, 9, 12))
    ranges = []
    for _ in range(chance.choice((1, 1, 2, 3))):
        low, high = chance.randint(1, most), chance.randint(1, most)
        ranges.append(b"%d" % low if chance.random() < 0.6 else b"%d:%d" % (low, high))
    return b",".join(ranges)


def fetch_item(chance: random.Random) -> bytes:
    if chance.random() < 0.45:
        return chance.choice(_ITEMS)
    peek = b".PEEK" if chance.random() < 0.7 else b""
    partial = b"<%d.%d>" % (chance.choice((0, 1, 20, 400)), chance.choice((0, 7, 60, 5000)))
    return b"BODY%b[%b]%b" % (peek, chance.choice(_SECTIONS), chance.choice((b"", b"", partial)))


def search_key(chance: random.Random, depth: int = 0) -> bytes:
    draw = chance.random()
    if draw < 0.25 and depth < 3:
        one, other = search_key(chance, depth + 1), search_key(chance, depth + 1)
        return chance.choice((b"NOT %b" % one, b"OR %b %b" % (one, other), b"(%b %b)" % (one, other)))
    if draw < 0.55:
        return chance.choice(_KEYS)
    if draw < 0.65:
        return chance.choice((b"", b"UID ")) + message_set(chance)
    text = chance.choice(_TEXTS)
    fields = (b"FROM", b"TO", b"CC", b"SUBJECT", b"BODY", b"TEXT", b"HEADER Message-ID", b"HEADER x-odd")
    return b"%b {%d+}\r\n%b" % (chance.choice(fields), len(text), text)


def comparable(lines: Sequence[bytes]) -> list[bytes]:
    """The lines of an answer, FETCH by FETCH, without what may differ."""
    answer = b"".join(line + b"\r\n" for line in lines)
    found: list[bytes] = []
    position = 0
    while position < len(answer):
        start = _FETCH.match(answer, position)
        if start is not None:
            items, position = _items(answer, start.end())
            if items:
                found.append(start[0] + b" ".join(sorted(items)))
            continue
        end = answer.index(b"\r\n", position)
        line, position = answer[position:end], end + 2
        if _LEFT_OUT.match(line) is None:
            found.append(line)
    return found


def _items(answer: bytes, position: int) -> tuple[set[bytes], int]:
    """What a FETCH tells, each once, MODSEQ apart; and where it ends."""
    items: set[bytes] = set()
    while not answer.startswith(b")", position):
        name = _NAME.match(answer, position)
        assert name is not None, answer[position : position + 80]
        end = _end_of_value(answer, name.end() + 1)
        if name[0] == b"FLAGS":  # keywords come in the order of their letters or in that of Dovecot's index
            items.add(b"FLAGS " + b" ".join(sorted(answer[name.end() + 2 : end - 1].split(b" "))))
        elif not name[0].startswith(b"MODSEQ"):
            items.add(answer[position:end])
        position = end + answer.startswith(b" ", end)
    return items, position + 3


def _end_of_value(answer: bytes, position: int) -> int:
    if answer.startswith(b"(", position):
        position += 1
        while not answer.startswith(b")", position):
            blank = answer.startswith(b" ", position)
            position = position + 1 if blank else _end_of_value(answer, position)
        return position + 1
    if answer.startswith(b'"', position):
        position += 1
        while not answer.startswith(b'"', position):
            position += 2 if answer.startswith(b"\\", position) else 1
        return position + 1
    literal = _LITERAL.match(answer, position)
    if literal is not None:
        return literal.end() + int(literal[1])
    atom = _ATOM.match(answer, position)
    assert atom is not None, answer[position : position + 80]
    return atom.end()


def fetched_items(response: bytes) -> set[bytes]:
    """What one FETCH tells, each once, MODSEQ apart, flags in order."""
    start = _FETCH.match(response)
    assert start is not None, response
    return _items(response, start.end())[0]

"""Names that mailboxes may have, or not: separators at odd places, dots and tildes, controls, names of files that servers
keep, names that are too long, characters in two spellings, and what only looks like modified UTF-7."""

import random
from collections.abc import Iterator
from typing import Final

from pillarbox.wire.imap.mailbox_names import encode

_PARTS: Final = (
    *("", "/", "//", ".", "..", "...", ".a", "a.", "a.b", "~", "~a", "a~", " ", "a ", " a", "a", "b"),
    *(
        "INBOX",
        "inbox",
        "InBox",
        "Sent",
        "deep",
        "er",
        "est",
        "cur",
        "new",
        "tmp",
        "dovecot-uidlist",
        "subscriptions",
    ),
    *("é", "e\u0301", "ß", "日本", "😀", "\ufeff", "\u200b", "\u2028", "\ufffd", "\uffff", "\ue000"),
    *("%", "*", "a*", '"', "\\", 'a"b', "a\\b", "{5}", "(a)", "[x]", "NIL", "&", "&-", "a&b", "#news", "-"),
    *(
        "\t",
        "\1",
        "\x7f",
        "\x80",
        "\x9f",
        "a\nb",
        "x" * 100,
        "x" * 254,
        "x" * 255,
        "x" * 256,
        "é" * 127,
        "日" * 90,
    ),
)
_SPELLED: Final = (
    *(
        b"&",
        b"&AOk",
        b"&AOk-",
        b"&AGE-",
        b"&-",
        b"&AOk-&AOk-",
        b"&2AA-",
        b"&2D3cqQ-",
        b"&AAo-",
        b"&AC8-",
        b"&AC4-",
    ),
    *(
        b"&!!!-",
        b"&AOk=-",
        b"&A-",
        b"&AO-",
        b"&AOkA-",
        b"&AOkAZQ-",
        b"&ZeVnLA",
        b"&zeVnLA-",
        b"&AC8-a",
        b"&//8-",
    ),
    *(b"\xc3\xa9", b"\xff", b"a\xc3", b"a"),
)


def odd_names(seed: int, count: int) -> Iterator[bytes]:
    """Names as a client writes them."""
    chance = random.Random(seed)
    for _ in range(count):
        many = chance.choice((1, 1, 2, 2, 3))
        if chance.random() < 0.7:
            between = chance.choice(("/", "/", "/", "", "."))
            yield encode(between.join(chance.choice(_PARTS) for _ in range(many)))
        else:
            yield chance.choice((b"/", b"")).join(chance.choice(_SPELLED) for _ in range(many))


def commands(names: Iterator[bytes]) -> Iterator[bytes]:
    """What is done with each name, and with it and the next one."""
    name = next(names)
    for other in names:
        one, two = (b"{%d+}\r\n%b" % (len(text), text) for text in (name, other))
        yield b"CREATE " + one
        yield b'LIST "" ' + (
            b"{%d+}\r\n" % len(plain) + plain if (plain := _without_wildcards(name)) else b"%"
        )
        yield from (b"SUBSCRIBE " + one, b"STATUS " + one + b" (MESSAGES)", b"APPEND " + one + b" {1+}\r\na")
        yield from (
            b"RENAME %b %b" % (one, two),
            b"RENAME Sent " + two,
            b"RENAME %b Sent" % two,
            b'LIST "" *',
        )
        yield from (b"DELETE " + two, b"DELETE " + one, b"UNSUBSCRIBE " + one, b'LSUB "" *')
        name = other


def _without_wildcards(name: bytes) -> bytes:
    return name.translate(None, b"*%")

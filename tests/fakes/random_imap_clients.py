"""Random IMAP sessions of three clients and another program in the same mailboxes, for two servers to play.

DESCRIPTION
    `random_play` gives steps for `fakes.imap_clients`: commands of every kind and extension that Dovecot 2.3 has, said
    by one of three clients, and changes that another program makes in the Maildir in between.  What is said is a
    matter of the seed alone.

    `{modseq}` and `{validity}` stand for what the server has told the client last, `{later}` for the mod-sequence after
    it.
"""

import random
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from fakes.imap_scripts import BARE, BASE64, DEEP, ENCODED, FORWARD, MULTIPART, PLAIN, append, literal
from fakes.random_imap import fetch_item, message_set, search_key

CLIENTS: Final = 3
PROGRAM: Final = -1
"""In the place of a client: a program that changes the Maildir."""
_MAILBOXES: Final = (
    b"INBOX",
    b"INBOX",
    b"Work",
    b"Work",
    b"Sent",
    b'"a b"',
    b"top/sub",
    b"top/sub/leaf",
    b"no",
)
_NAMES: Final = (
    b"Work",
    b"Sent",
    b'"a b"',
    b"top",
    b"top/sub",
    b"top/sub/leaf",
    b"new",
    b"new/x",
    b"new/x/y",
    b"z",
)
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
_MESSAGES: Final = (
    PLAIN,
    MULTIPART,
    ENCODED,
    FORWARD,
    BARE,
    DEEP,
    b"a: b\r\n\r\nc",
    BASE64 + b"aGVsbG8=\r\n",
)
_STATUS: Final = (b"MESSAGES", b"UIDNEXT", b"UNSEEN", b"SIZE", b"UIDVALIDITY")
_ENTRIES: Final = (b"/private/comment", b"/shared/comment", b"/private/vendor/x", b"/shared/vendor/x/y")
_RIGHTS: Final = (b"lr", b"lrs", b"lrswite", b"lrswipkxtea", b"+i", b"-w", b"+te", b"-x")
"""Always with `r`: Dovecot leaves out of the quota what the user may not read."""
_RETURNS: Final = (b"MIN", b"MAX", b"COUNT", b"ALL", b"SAVE", b"PARTIAL 1:2", b"PARTIAL 2:9")
_SORT_KEYS: Final = (b"ARRIVAL", b"CC", b"DATE", b"FROM", b"SIZE", b"SUBJECT", b"TO")
_RECENT: Final = re.compile(rb"\b(?:NEW|OLD|RECENT)\b")
"""Whose \\Recent messages are depends on who looks first."""
_SELECTIONS: Final = (b"", b"", b" (CONDSTORE)")
_SYNCHRONISATIONS: Final = (b"", b" (QRESYNC ({validity} {modseq}))", b" (QRESYNC ({validity} {modseq} 1:4))")
_LIST_RETURNS: Final = (
    *(
        b"",
        b" RETURN (CHILDREN)",
        b" RETURN (SUBSCRIBED)",
        b" RETURN (STATUS (MESSAGES UNSEEN))",
        b" RETURN ()",
    ),
    b" RETURN (SPECIAL-USE CHILDREN SUBSCRIBED)",
)
_NOTIFICATIONS: Final = (
    b"NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))",
    b"NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))",
)
"""After NONE, or with items to be fetched, Dovecot 2.3 tells of messages that it has not told of."""


class Step(NamedTuple):
    """What a client says, or what another program does: `deliver`, `flag` or `remove`, the mailbox, the message."""

    client: int
    line: bytes


def prepared() -> tuple[Step, ...]:
    """The tree before the play, made by the first client."""
    names = (b"Work", b"Sent", b'"a b"', b"top/sub/leaf", b"top/sub")
    steps = [Step(0, b"CREATE " + name) for name in names]
    for number, message in enumerate((*_MESSAGES, *_MESSAGES[:3])):
        flags = b" ".join((_FLAGS[number % 8],) if number % 3 else ())
        mailbox = b"Work" if number % 4 == 3 else b"INBOX"
        date = b"%02d-Jan-2024 10:00:00 +0000" % (number + 1)
        steps.append(Step(0, append(mailbox, message, flags=flags, date=date).removeprefix(b"x ")))
    return (*steps, *(Step(0, b"STATUS %b (MESSAGES)" % name) for name in (b"INBOX", *names)))


def random_play(seed: int, length: int = 120) -> tuple[Step, ...]:
    """Steps; each client has selected a mailbox before."""
    chance = random.Random(seed)
    writer = _Writer(chance)
    steps = []
    for client in range(CLIENTS):
        if chance.random() < 0.3:
            steps.append(Step(client, b"ENABLE QRESYNC"))
            writer.synchronising.add(client)
        steps.append(Step(client, b"SELECT " + chance.choice((b"INBOX", b"INBOX", b"Work"))))
    with_program = chance.random() < 0.5
    while len(steps) < length:
        if with_program and chance.random() < 0.1:
            steps.append(Step(PROGRAM, writer.change()))
        else:
            client = chance.randrange(CLIENTS)
            command = writer.command(client)
            if not (with_program and b"QUOTA" in command):  # what a program does counts a second later
                steps.append(Step(client, command))
    return tuple(steps)


class _Writer:
    """Commands at random."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._pick = chance.choice
        self._client = 0
        self.synchronising: set[int] = set()  # clients of QRESYNC
        self._kinds = (
            (16, self._fetch),
            (18, self._store),
            (14, self._search),
            (8, self._copy),
            (9, self._append),
            (12, self._expunge),
            (8, self._select),
            (6, self._mailboxes),
            (5, self._list),
            (4, self._status),
            (3, self._metadata),
            (3, self._rights),
            (2, self._quota),
            (3, self._idle),
            (2, self._notify),
            (2, self._rest),
        )

    def command(self, client: int) -> bytes:
        """One of them."""
        self._client = client
        weights, makers = zip(*self._kinds, strict=True)
        make: Callable[[], bytes] = self._chance.choices(makers, weights)[0]
        return make()

    def change(self) -> bytes:
        """What another program does."""
        place = self._pick((b"INBOX", b"INBOX", b"Work"))
        match self._chance.randrange(4):
            case 0:
                return b"deliver %b %d" % (place, self._chance.randrange(len(_MESSAGES)))
            case 1 | 2:
                flags = b"".join(
                    sorted(self._chance.sample((b"F", b"R", b"S", b"T"), self._chance.randrange(3)))
                )
                return b"flag %b %d %b" % (place, self._chance.randrange(8), flags)
            case _:
                return b"remove %b %d" % (place, self._chance.randrange(8))

    def _uid(self) -> bytes:
        return self._pick((b"", b"UID "))

    def _set(self) -> bytes:
        return self._pick((message_set(self._chance), message_set(self._chance), b"$", b"*", b"2:*"))

    def _fetch(self) -> bytes:
        items = b" ".join(fetch_item(self._chance) for _ in range(self._chance.randint(1, 3)))
        uid = self._uid()
        modifier = self._pick((b"", b"", b"", b" (CHANGEDSINCE {modseq})"))
        if uid and modifier and self._chance.random() < 0.3:
            modifier = modifier.replace(b")", b" VANISHED)")
        return b"%bFETCH %b (%b)%b" % (uid, self._set(), items, modifier)

    def _store(self) -> bytes:
        how = self._pick(
            (b"+FLAGS", b"-FLAGS", b"FLAGS", b"+FLAGS.SILENT", b"FLAGS.SILENT", b"-FLAGS.SILENT")
        )
        flags = b" ".join(self._chance.sample(_FLAGS, self._chance.randint(0, 3)))
        modifier = self._pick((b"", b"", b"", b"(UNCHANGEDSINCE {modseq}) "))
        return b"%bSTORE %b %b%b (%b)" % (self._uid(), self._set(), modifier, how, flags)

    def _search(self) -> bytes:
        found = [search_key(self._chance) for _ in range(self._chance.randint(1, 3))]
        keys = b" ".join(key for key in found if not _RECENT.search(key)) or b"ALL"
        if self._chance.random() < 0.1:
            keys = b"MODSEQ {later} " + keys
        returns = b"RETURN (%b) " % b" ".join(self._chance.sample(_RETURNS, self._chance.randrange(3)))
        returns = self._pick((b"", returns))
        match self._chance.randrange(6):
            case 0:
                order = self._pick((b"", b"REVERSE ")) + b" ".join(self._chance.sample(_SORT_KEYS, 2))
                return b"%bSORT %b(%b) UTF-8 %b" % (self._uid(), returns, order, keys)
            case 1:
                algorithm = self._pick((b"REFERENCES", b"REFS", b"ORDEREDSUBJECT"))
                return b"%bTHREAD %b UTF-8 %b" % (self._uid(), algorithm, keys)
            case _:
                return b"%bSEARCH %bCHARSET UTF-8 %b" % (self._uid(), returns, keys)

    def _copy(self) -> bytes:
        return b"%b%b %b %b" % (
            self._uid(),
            self._pick((b"COPY", b"MOVE")),
            self._set(),
            self._pick(_MAILBOXES),
        )

    def _append(self) -> bytes:
        mailbox, message = self._pick(_MAILBOXES), self._pick(_MESSAGES)
        flags = b" ".join(self._chance.sample(_FLAGS, self._chance.randint(0, 2)))
        date = b"%02d-Jan-2024 10:00:00 +0000" % self._chance.randint(1, 9)
        match self._chance.randrange(5):
            case 0:
                url = b"/%b/;UID=%d" % (self._pick((b"INBOX", b"Work")), self._chance.randint(1, 9))
                url += self._pick((b"", b"/;SECTION=HEADER", b"/;SECTION=1", b"/;SECTION=TEXT"))
                parts = [b"URL " + url, b"TEXT " + literal(b"text\r\n")]
                self._chance.shuffle(parts)
                return b'APPEND %b "%b" CATENATE (%b)' % (mailbox, date, b" ".join(parts))
            case 1:
                one, other = literal(message), literal(self._pick(_MESSAGES))
                return b'APPEND %b (%b) "%b" %b "%b" %b' % (mailbox, flags, date, one, date, other)
            case _:
                return append(mailbox, message, flags=flags, date=date).removeprefix(b"x ")

    def _expunge(self) -> bytes:
        return self._pick((b"EXPUNGE", b"UID EXPUNGE " + self._set(), b"NOOP", b"NOOP", b"CHECK"))

    def _select(self) -> bytes:
        word = self._pick((b"SELECT ", b"SELECT ", b"EXAMINE "))
        selection = word + self._pick(_MAILBOXES)
        selection += self._pick(_SYNCHRONISATIONS if self._client in self.synchronising else _SELECTIONS)
        return self._pick((selection, selection, selection, b"CLOSE", b"UNSELECT"))

    def _mailboxes(self) -> bytes:
        name, other = self._pick(_NAMES), self._pick(_NAMES)
        return self._pick(
            (
                b"CREATE " + name,
                b"CREATE " + name,
                b"DELETE " + name,
                b"RENAME %b %b" % (name, other),
                b"SUBSCRIBE " + name,
                b"UNSUBSCRIBE " + name,
            )
        )

    def _list(self) -> bytes:
        pattern = self._pick((b"*", b"%", b"top/%", b"*b*", b"%/%", b"INBOX", b'("n*" "top/*")', b"new"))
        if self._chance.random() < 0.2:
            return b'LSUB "" ' + self._pick((b"*", b"%", b"top/%", b"new/*"))
        selection = self._pick(
            (b"", b"", b"(SUBSCRIBED) ", b"(SUBSCRIBED RECURSIVEMATCH) ", b"(SPECIAL-USE) ")
        )
        return b'LIST %b"" %b%b' % (selection, pattern, self._pick(_LIST_RETURNS))

    def _status(self) -> bytes:
        items = b" ".join(self._chance.sample(_STATUS, self._chance.randint(1, 3)))
        return b"STATUS %b (%b)" % (self._pick(_MAILBOXES), items)

    def _metadata(self) -> bytes:
        mailbox, entry = self._pick((*_MAILBOXES, b'""')), self._pick(_ENTRIES)
        value = self._pick((b"NIL", b'"v"', b'"a longer one"', b'""'))
        options = self._pick((b"", b"", b"(DEPTH 1) ", b"(MAXSIZE 3) ", b"(DEPTH infinity) "))
        return self._pick(
            (
                b"SETMETADATA %b (%b %b)" % (mailbox, entry, value),
                b"GETMETADATA %b%b %b"
                % (options, mailbox, self._pick((entry, b"/private", b"(/private /shared)"))),
            )
        )

    def _rights(self) -> bytes:
        mailbox, who = self._pick(_NAMES), self._pick((b"anyone", b"owner", b"joe", b"-joe"))
        return self._pick(
            (
                b"MYRIGHTS " + mailbox,
                b"GETACL " + mailbox,
                b"LISTRIGHTS %b %b" % (mailbox, who),
                b"SETACL %b %b %b" % (mailbox, who, self._pick(_RIGHTS)),
                b"DELETEACL %b %b" % (mailbox, who),
            )
        )

    def _quota(self) -> bytes:
        return self._pick((b"GETQUOTAROOT " + self._pick(_MAILBOXES), b'GETQUOTA "User quota"'))

    def _idle(self) -> bytes:
        """The same word begins and ends it."""
        return b"IDLE"

    def _notify(self) -> bytes:
        return self._pick(_NOTIFICATIONS)

    def _rest(self) -> bytes:
        return self._pick((b"NAMESPACE", b"ID NIL", b"ENABLE CONDSTORE", b"COMPRESS DEFLATE", b"FOO"))


def message(number: int) -> bytes:
    """What `deliver` delivers."""
    return _MESSAGES[number].replace(b"\r\n", b"\n")

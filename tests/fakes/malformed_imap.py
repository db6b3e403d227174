"""IMAP commands with words lost, doubled, exchanged and spoilt, and what kind of answer they get.

DESCRIPTION
    `malformed()` makes commands from the ones that are right (`RIGHT`); their literals announce as many octets as
    follow, so that no server waits for more.  `kind()` is OK, NO or BAD, whoever is answered.
"""

import random
import re
from collections.abc import Iterator
from typing import Final

RIGHT: Final = (
    b"NOOP",
    b"CAPABILITY",
    b"NAMESPACE",
    b"CHECK",
    b"UNSELECT",
    b"CLOSE",
    b"EXPUNGE",
    b'ID ("name" "x" "version" NIL)',
    b"ENABLE CONDSTORE QRESYNC",
    b"SELECT INBOX",
    b"SELECT INBOX (CONDSTORE)",
    b"EXAMINE INBOX (QRESYNC (1 1 1:3 (1,3 2,4)))",
    b"CREATE foo",
    b"CREATE foo (USE (\\Drafts))",
    b"DELETE nobox",
    b"RENAME nobox bar",
    b"SUBSCRIBE Trash",
    b"UNSUBSCRIBE Trash",
    b'LIST "" "*"',
    b'LIST (SUBSCRIBED RECURSIVEMATCH) "" ("*" "a%") RETURN (CHILDREN SUBSCRIBED STATUS (MESSAGES UNSEEN))',
    b'LSUB "" %',
    b"STATUS Sent (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)",
    b'STATUS "Lists/a b" (SIZE HIGHESTMODSEQ)',
    b'APPEND Trash (\\Seen x) "01-Jan-2024 10:00:00 +0000" {5+}\r\nhello',
    b"APPEND Trash {5+}\r\nhello",
    b"APPEND Trash (\\Seen) {5+}\r\nhello (x) {2+}\r\nab",
    b'APPEND Trash CATENATE (URL "/INBOX/;UID=1" TEXT {3+}\r\nabc)',
    b"FETCH 1 FLAGS",
    b"FETCH 1:3,5 (UID FLAGS INTERNALDATE RFC822.SIZE)",
    b"FETCH 2 BODY.PEEK[1.MIME]<0.10>",
    b"FETCH 1 (BODY.PEEK[HEADER.FIELDS (SUBJECT From)] BODYSTRUCTURE ENVELOPE)",
    b"FETCH 1:* FAST",
    b"FETCH 1:* (FLAGS) (CHANGEDSINCE 1)",
    b"UID FETCH 1:* (FLAGS PREVIEW) (CHANGEDSINCE 1 VANISHED)",
    b"FETCH 1 (BINARY.PEEK[1]<0.5> BINARY.SIZE[1])",
    b"FETCH 1 RFC822.HEADER",
    b"UID FETCH * UID",
    b"STORE 1 +FLAGS (\\Seen foo)",
    b"STORE 1:2 FLAGS.SILENT \\Seen \\Flagged",
    b"STORE 1 (UNCHANGEDSINCE 1) -FLAGS (x)",
    b"UID STORE 1,3 +FLAGS.SILENT ($Label1)",
    b"COPY 1 Trash",
    b'UID COPY 1:2 "Trash"',
    b"UID MOVE 99 Trash",
    b"MOVE 99 Trash",
    b"UID EXPUNGE 99",
    b"SEARCH ALL",
    b"SEARCH SEEN UNFLAGGED NOT DELETED",
    b'SEARCH OR SUBJECT "hello" FROM x',
    b"SEARCH (1:3 UID 1:*) KEYWORD foo",
    b"SEARCH CHARSET UTF-8 TEXT {5+}\r\nhello",
    b'SEARCH SINCE 1-Jan-2024 SENTBEFORE "01-Feb-2024"',
    b"SEARCH HEADER Subject hello LARGER 10 SMALLER 10000",
    b"SEARCH RETURN (MIN MAX COUNT ALL) ALL",
    b"SEARCH RETURN (SAVE) UNSEEN",
    b"SEARCH YOUNGER 100 OLDER 5",
    b'SEARCH MODSEQ "/flags/\\\\Seen" all 1',
    b"UID SEARCH RETURN (PARTIAL 1:3) UID 1:*",
    b"SORT (REVERSE DATE SUBJECT) UTF-8 ALL",
    b"UID SORT RETURN (COUNT MIN) (ARRIVAL) US-ASCII SEEN",
    b"THREAD REFERENCES UTF-8 ALL",
    b"UID THREAD ORDEREDSUBJECT US-ASCII SUBJECT hello",
    b"NOTIFY SET STATUS (selected (MessageNew (UID FLAGS) MessageExpunge)) (personal (MailboxName))",
    b'NOTIFY SET (subtree "foo" (MessageNew MessageExpunge))',
    b"NOTIFY NONE",
    b'CANCELUPDATE "a" "b"',
    b"GETMETADATA (DEPTH 1 MAXSIZE 10) INBOX (/private/comment /shared/comment)",
    b'GETMETADATA "" /shared/admin',
    b'SETMETADATA INBOX (/private/comment "abc" /private/x NIL)',
    b'GENURLAUTH "imap://tester@mail.test/INBOX/;UID=1;URLAUTH=anonymous" INTERNAL',
    b"RESETKEY INBOX INTERNAL",
    b'URLFETCH "imap://tester@mail.test/INBOX/;UID=1;URLAUTH=anonymous:internal:0123"',
)
"""One or more of each command that works where Dovecot's imap has it."""
_WORD: Final = re.compile(
    rb'\{[0-9]+\+\}\r\n[a-z]*|"(?:[^"\\]|\\.)*"|[^ ()"\r\n\[\]<>:,]+|[ ()\[\]<>:,]', re.DOTALL
)
_SPOILT: Final = (
    *(b"(", b")", b"[", b"]", b'"', b"{", b"}", b"\\", b"*", b"%", b"<", b">", b",", b":", b".", b" ", b"  "),
    *(b"\t", b"\0", b"\1", b"\x7f", b"\xc3", b"\xc3\xa9", b"0", b"-", b"NIL", b"~", b"&", b"$", b"+"),
    *(b"4294967296", b'""'),
)
_LITERAL: Final = re.compile(rb"~?\{([0-9]*)(\+?)\}(\r\n|\Z)")
_ANSWER: Final = re.compile(rb"(?:x|\*) (OK|NO|BAD|BYE)\b")
_LEFT_OUT: Final = (b"COMPRESS", b"LOGOUT", b"IDLE")


def malformed(seed: int, of_each: int) -> Iterator[bytes]:
    """Of each command itself, and `of_each` times something like it."""
    chance = random.Random(seed)
    for right in RIGHT:
        yield right
        made = 0
        while made < of_each:
            line = right
            for _ in range(chance.choice((1, 1, 1, 2, 3))):
                line = _spoil(chance, line)
            if line.strip() and not line.upper().startswith(_LEFT_OUT) and _is_whole(line):
                made += 1
                yield line


def kind(answer: bytes) -> str:
    """OK, NO, BAD or BYE; with a star if no tag stands before it; none if there is no answer."""
    for line in reversed(answer.split(b"\r\n")):
        if (found := _ANSWER.match(line)) is not None:
            return ("*" if line.startswith(b"*") else "") + found[1].decode("ascii")
    return "none"


def _spoil(chance: random.Random, line: bytes) -> bytes:
    words = _WORD.findall(line)
    if not words:
        return line
    at, other = chance.randrange(len(words)), chance.randrange(len(words))
    match chance.randrange(8):
        case 0:
            del words[at]
        case 1:
            words.insert(at, words[at])
        case 2:
            words[at], words[other] = words[other], words[at]
        case 3:
            del words[at:]
        case 4:
            words[at] = chance.choice(_SPOILT)
        case 5 | 6:
            words.insert(at, chance.choice(_SPOILT))
        case _:
            word, place = words[at], chance.randrange(len(words[at]))
            if not word.startswith(b"{"):
                words[at] = word[:place] + chance.choice(_SPOILT) + word[place + chance.randrange(2) :]
    return b"".join(words)


def _is_whole(line: bytes) -> bool:
    """Whether each literal is there, and comes without being asked for."""
    while (literal := _LITERAL.search(line)) is not None:
        if b"\r\n" in line[: literal.start()] or not (literal[1] and literal[2] and literal[3]):
            return False
        size = int(literal[1][:5])
        line = line[literal.end() :]
        if len(line) < size:
            return False
        line = line[size:]
    return b"\r\n" not in line

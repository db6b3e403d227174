"""Bytes from an IMAP client, before login and after it: every command is read or refused, none raises.

The same bytes cut in two must give the same commands.
"""

from pillarbox.wire.imap.command_order import State
from pillarbox.wire.imap.commands import AppendOffer, Command
from pillarbox.wire.imap.server import ImapServer

SEEDS: list[bytes] = [
    b'\x00a LOGIN {2+}\r\nme "x\\"y"\r\nb AUTHENTICATE PLAIN =\r\nc STARTTLS\r\n',
    b'\x02a ID ("name" NIL)\r\nb ENABLE X\r\nc SELECT "a b"\r\nd LIST (SUBSCRIBED) "" (a "b%") RETURN (STATUS (SIZE))\r\n',
    b'\x01a APPEND &APw- (\\Seen x) " 1-Jan-2024 10:00:00 +0200" {3+}\r\nabc {1}\r\nx\r\nb NOOP\r\n',
    b'\x80a UID FETCH 1:*,4 (FLAGS BODY.PEEK[1.HEADER.FIELDS (From "To")]<0.5> BODY[] RFC822.TEXT)\r\n',
    b"\x02a STORE 1 +FLAGS.SILENT (\\Deleted $x)\r\nb UID EXPUNGE 1:4\r\nc MOVE 1 {2+}\r\nab\r\nd IDLE\r\nDONE\r\n",
    b'\xe5a UID SEARCH RETURN (MIN) CHARSET KOI8-R OR NOT (FROM "x") HEADER a {1+}\r\nb SINCE 1-Jan-2024 YOUNGER 5\r\n',
    b"\x02a SORT RETURN (PARTIAL -1:-5 SAVE) (REVERSE DATE SUBJECT) UTF-8 FUZZY SUBJECT {1+}\r\nx\r\nb THREAD REFS US-ASCII $\r\n",
    b"\x55a SELECT x (QRESYNC (1 2 1:3,5 (1,3 2,4)) CONDSTORE)\r\nb UID FETCH $ (PREVIEW (LAZY) BINARY.SIZE[1.2]) (CHANGEDSINCE 5 VANISHED)\r\n",
    b'\xaaa APPEND x CATENATE (URL "/a;UIDVALIDITY=1/;UID=2/;SECTION=1.MIME" TEXT {2+}\r\nab URL {1+}\r\nu)\r\nb NOOP\r\n',
    b"\x02a UID REPLACE 5 x (\\Seen) UTF8 (~{3+}\r\na\0b)\r\nb STORE 1:* (UNCHANGEDSINCE 12) FLAGS ()\r\nc COMPRESS DEFLATE\r\n",
    b'\x02a CREATE x (USE (\\Sent))\r\nb SEARCH SAVEDSINCE 1-Jan-2024 MODSEQ "/flags/x" all 7\r\nc CANCELUPDATE "a" "b"\r\n',
    b'\x01a ENABLE IMAP4rev2\r\nb SELECT "\xc3\x9cml\xc3\xa4ut &-"\r\nc STATUS {2+}\r\n\xc3\xbc (DELETED MAILBOXID)\r\nd SEARCH EMAILID M1 THREADID T1\r\n',
    b'\x02a GETMETADATA (MAXSIZE 10 DEPTH infinity) x (/private/a "/shared/b")\r\nb SETMETADATA "" (/private/a NIL /shared/b ~{2+}\r\n\0x)\r\n',
    b'\x02a NOTIFY SET STATUS (selected (MessageNew (UID BODY.PEEK[HEADER]) MessageExpunge FlagChange)) (subtree (a "b") NONE) (mailboxes x (MailboxName))\r\nb NOTIFY NONE\r\n',
    b'\x01a LIST "" * RETURN (METADATA (/private/a "/shared/b") STATUS (SIZE))\r\nb UID FETCH 1 UID (PARTIAL -1:-2)\r\n',
    b'\x01a GENURLAUTH imap://u@h/x/;UID=1;URLAUTH=anonymous INTERNAL "a b" X\r\nb RESETKEY x INTERNAL\r\nc URLFETCH {1+}\r\nu (v BINARY BODYPARTSTRUCTURE)\r\n',
    b'\x7fa STATUS x (MESSAGES)\r\nb LSUB "" %\r\nc RENAME a b\r\n'
    + b"x" * 70000
    + b" {5+}\r\n12345\r\nd NOOP\r\n",
]
WORDS = (
    rb'{3+}|{3}|~{1}|"|\"|(|)|[|]|<0.1>|1:*|UID |FETCH |SEARCH |STORE |APPEND |LIST |RETURN |CHARSET |NOT '
    rb"|OR |BODY[|HEADER.FIELDS|&APw-|\Seen|NIL|STATUS|LITERAL"
)
DICTIONARY: list[bytes] = [*WORDS.split(b"|"), b"\r\n", b"\n"]


def fuzz_one(data: bytes) -> None:
    """The first octet chooses the state, how names are written and where the rest is cut."""
    if not data:
        return
    state = list(State)[data[0] % 3]
    sent = data[1:]
    utf8 = bool(data[0] % 2)
    whole = _commands(state, [sent], utf8=utf8)
    cut = len(sent) * data[0] // 256
    assert whole == _commands(state, [sent[:cut], sent[cut:]], utf8=utf8)


def _commands(state: State, chunks: list[bytes], *, utf8: bool) -> list[str]:
    engine = ImapServer(state=state)
    engine.utf8_names = utf8
    found: list[str] = []
    for chunk in chunks:
        if not chunk:
            continue
        engine.receive_data(chunk)
        while isinstance(command := engine.next_command(), Command):
            # Of a line too long only the beginning counts, which may be cut.
            found.append(repr(command))
            if isinstance(command, AppendOffer):
                (engine.refuse_literal if command.size % 2 else engine.accept_literal)()
    return found

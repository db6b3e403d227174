r"""Three IMAP clients and another program, who play steps of `fakes.random_imap_clients` with a server.

DESCRIPTION
    `Play.have` gives an answer for each step, in a form in which those of two servers can be compared: a client follows
    its mailbox as RFC 3501 §7.4.1 has it, and what it heard of a message while a command ran, or since the last
    one, is told of that message, not of its number at the time.  So neither the order of untagged answers
    counts nor how many there were, but all that a client knows in the end.

    Left out are times, mod-sequences, UID validities, keywords that nobody has, \Recent (whose it is depends on who
    looks first), and what differs by decision: hints of LIST, codes of RFC 5530 that Dovecot 2.3 has not.

    `shrunk` finds the few steps of many that are enough for a difference.
"""

import os
import re
import shutil
import socket
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from fakes.imap_exchanges import MARKED
from fakes.mail_system import PATIENCE
from fakes.random_imap import fetched_items
from fakes.random_imap_clients import PROGRAM, Step, message, prepared

_LITERAL_AT_END: Final = re.compile(rb"\{([0-9]+)\}\r\n\Z")
_TAGGED: Final = re.compile(rb"x (?:OK|NO|BAD) ")
_TIMES: Final = re.compile(rb" \([0-9.]+(?: \+ [0-9.]+)* secs\)\.?")
_MODSEQ: Final = re.compile(rb"(?:MODSEQ \(?|HIGHESTMODSEQ )([0-9]+)")
_UIDVALIDITY: Final = re.compile(rb"\* OK \[UIDVALIDITY ([0-9]+)\]")
_COUNT: Final = re.compile(rb"\* ([0-9]+) (EXISTS|RECENT|EXPUNGE)\r\n\Z")
_FETCH: Final = re.compile(rb"\* ([0-9]+) FETCH \(")
_VANISHED: Final = re.compile(rb"\* VANISHED ([0-9:,]+)\r\n\Z")
_UNKNOWN: Final = b"%d" % (2**63 - 2)
"""A mod-sequence, where the client was told none."""
_NOTICED: Final = 1.5
"""Seconds after which a change by another program is known, or makes no difference."""
_SEEN: Final = {
    b"deliver": re.compile(rb"\* [0-9]+ EXISTS"),
    b"flag": re.compile(rb"\* [0-9]+ FETCH"),
    b"remove": re.compile(rb"\* (?:[0-9]+ EXPUNGE|VANISHED)"),
}
_SELECTING: Final = re.compile(rb"SELECT|EXAMINE")
_LEAVING: Final = re.compile(rb"CLOSE|UNSELECT")
_LOOKING: Final = re.compile(rb"(?:UID )?(?:SEARCH|SORT|THREAD) |STATUS |LIST .*STATUS|.*CHANGEDSINCE")
"""Before these a client asks what is new: whether they count what has happened meanwhile is the server's choice."""
_FOUND: Final = re.compile(rb"\* (?:SEARCH|ESEARCH|SORT|THREAD)\b")
_LEFT_OUT: Final = re.compile(
    rb"\* (?:FLAGS |OK \[(?:PERMANENTFLAGS|HIGHESTMODSEQ|MAILBOXID|NOMODSEQ) |OK Still here|CAPABILITY )"
)
_EQUAL: Final = (
    (_TIMES, b""),
    (MARKED, b""),
    (re.compile(rb"\A\* THREAD \r\n"), b"* THREAD\r\n"),  # RFC 5256 §5: no space where no thread follows
    (
        re.compile(
            rb"\A(x NO )\[(?:NONEXISTENT|CANNOT|CLIENTBUG|LIMIT|INUSE|READ-ONLY|ALREADYEXISTS|NOPERM)\] "
        ),
        rb"\1",
    ),
    (re.compile(rb"\[MAILBOXID \([^)]*\)\] "), b""),
    (re.compile(rb"\A(x OK )\[HIGHESTMODSEQ [0-9]+\] "), rb"\1"),  # when it is told is the server's choice
    (re.compile(rb"(\[(?:APPENDUID|COPYUID|UIDVALIDITY|HIGHESTMODSEQ)|UIDVALIDITY) [0-9]+"), rb"\1 N"),
    (re.compile(rb"(MODSEQ) [0-9]+"), rb"\1 N"),
    (
        re.compile(rb'"\d\d-[A-Z][a-z]{2}-\d{4} [0-9:]{8} [-+]\d{4}"(?<!-Jan-2024 10:00:00 \+0000")'),
        b'"DATE"',
    ),
)


class Client:
    """One connection, and what its user knows of the mailbox."""

    def __init__(self, port: int, user: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._heard = b""
        self._inflate: zlib._Decompress | None = None
        self._deflate: zlib._Compress | None = None
        self._modseq = _UNKNOWN
        self._validity = b"1"
        self._view: list[int] = []
        self._uids: dict[int, int] = {}
        self._before: list[bytes] = []
        self._selected = b""
        self._idles = False
        self._is_notified = False
        self.is_gone = False
        self._line()
        self._converse(b"LOGIN %b secret" % user.encode())

    def say(self, line: bytes) -> list[bytes]:
        """The answer to a command, comparable; whoever idles, or is notified, hears first what there is to hear."""
        said, self._before = self._before, []
        if self._idles:
            self._idles = False
            self._send(b"DONE\r\n")
            said += self._answer()
            said[-1:] = self._converse(b"NOOP")[:-1]
            line = b"NOOP" if line == b"IDLE" else line
        elif self._is_notified or _LOOKING.match(line):
            said += self._converse(b"NOOP")[:-1]
        told = []
        if _SELECTING.match(line) and said:
            told, said = self._told(b"NOOP", said), []
        if not self.is_gone:
            line = line.replace(b"{modseq}", self._modseq).replace(b"{validity}", self._validity)
            line = line.replace(b"{later}", b"%d" % (int(self._modseq) + 1))
            said += self._converse(line)
            if not self._idles and not self.is_gone:
                said[-1:-1] = self._converse(b"NOOP")[:-1]
        if line.startswith(b"NOTIFY") and said[-1].startswith(b"x OK"):
            self._is_notified = line != b"NOTIFY NONE"
        return told + self._told(line, said)

    def hear_of(self, change: bytes, mailbox: bytes) -> None:
        """Another program has changed a mailbox: if it is the selected one, ask for a while until it is known."""
        if not self.has_selected(mailbox):
            return
        latest = time.monotonic() + _NOTICED
        seen = False
        while not seen and time.monotonic() < latest and not self.is_gone:
            news = self._converse(b"NOOP")[:-1]
            seen = any(_SEEN[change].match(response) for response in news)
            self._before += news

    def has_selected(self, mailbox: bytes) -> bool:
        """Whether it will hear of what happens there when it asks."""
        return mailbox == self._selected and not self._idles and not self.is_gone

    def close(self) -> None:
        """It goes without a word."""
        self._socket.close()

    def _converse(self, line: bytes) -> list[bytes]:
        self._send(b"x %b\r\n" % line)
        said = self._answer()
        self._idles = line == b"IDLE" and said[-1].startswith(b"+")
        if line == b"COMPRESS DEFLATE" and said and said[-1].startswith(b"x OK"):
            self._inflate = zlib.decompressobj(-15)
            self._deflate = zlib.compressobj(wbits=-15)
        return said

    def _send(self, data: bytes) -> None:
        if self._deflate is not None:
            data = self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        try:
            self._socket.sendall(data)
        except OSError:  # it has gone, and what it said is read
            pass

    def _answer(self) -> list[bytes]:
        """Responses up to the tagged one, or to one that asks for more, each with its literals."""
        said: list[bytes] = []
        while not said or not (_TAGGED.match(said[-1]) or said[-1].startswith(b"+")):
            response = self._line()
            while (literal := _LITERAL_AT_END.search(response)) is not None:
                response += self._octets(int(literal[1])) + self._line()
            if not response:
                self.is_gone = True
                said.append(b"(closed)\r\n")
                break
            said.append(response)
        return said

    def _line(self) -> bytes:
        while b"\n" not in self._heard and self._hear():
            pass
        line, end, rest = self._heard.partition(b"\n")
        self._heard = rest
        return line + end

    def _octets(self, count: int) -> bytes:
        while len(self._heard) < count and self._hear():
            pass
        octets, self._heard = self._heard[:count], self._heard[count:]
        return octets

    def _hear(self) -> bool:
        try:
            data = self._socket.recv(1 << 16)
        except ConnectionError:
            data = b""
        if self._inflate is not None:
            self._heard += self._inflate.decompress(data)
        else:
            self._heard += data
        return bool(data)

    def _told(self, line: bytes, said: Sequence[bytes]) -> list[bytes]:
        """What was heard, of messages as they were called before, or in the order in which they are new."""
        selects = _SELECTING.match(line) is not None
        if selects:
            self._modseq = _UNKNOWN
        heard = _Heard(self._view if not selects else [], self._uids)
        for response in said:
            self._remember(response)
            heard.take(response)
        has_selected = any(b" EXISTS\r\n" in response for response in said)
        if selects or _LEAVING.match(line):
            self._selected = line.split(b" ")[1] if selects and has_selected else b""
        self._view = [] if (selects or _LEAVING.match(line)) and not has_selected else heard.view
        if any(identity not in self._uids for identity in self._view):
            for response in self._converse(b"FETCH 1:* UID")[:-1]:
                heard.take(response)
        return heard.told(line)

    def _remember(self, response: bytes) -> None:
        for found in _MODSEQ.finditer(response):
            known = () if self._modseq == _UNKNOWN else (self._modseq,)
            self._modseq = max((*known, found[1]), key=int)
        if (validity := _UIDVALIDITY.match(response)) is not None:
            self._validity = validity[1]


class _Heard:
    """What came in one answer."""

    def __init__(self, view: list[int], uids: dict[int, int]) -> None:
        self.view = view
        self._uids = uids
        self._names = {identity: b"%d" % number for number, identity in enumerate(view, 1)}
        self._next = max((0, *uids, *view)) + 1
        self._gone: list[int] = []
        self._items: dict[int, dict[bytes, bytes]] = {}
        self._others: list[bytes] = []

    def take(self, response: bytes) -> None:
        """One response."""
        if (count := _COUNT.match(response)) is not None:
            if count[2] == b"EXISTS":
                self._exist(int(count[1]))
            elif count[2] == b"EXPUNGE":
                self._lose(int(count[1]))
        elif (vanished := _VANISHED.match(response)) is not None:
            for uid in _numbers(vanished[1]):
                self._lose_uid(uid)
        elif (fetched := _FETCH.match(response)) is not None:
            self._fetch(int(fetched[1]), response)
        elif _LEFT_OUT.match(response) is None:
            self._others.append(_equal(response))

    def told(self, line: bytes) -> list[bytes]:
        """All of it, comparable, of the answer to a command."""
        new = [identity for identity in self.view if identity not in self._names]
        names = {**self._names, **{identity: b"new %d" % number for number, identity in enumerate(new, 1)}}
        others = self._others
        if self._gone:  # whether they were still found is the server's choice
            others = [other for other in others if _FOUND.match(other) is None]
        told = sorted(b"gone " + names[identity] for identity in self._gone if identity in names)
        told += [b"new %d" % len(new)] if new else []
        for identity, values in sorted(self._items.items()):
            shown = [value for name, value in sorted(values.items()) if name != b"UID"]
            if shown and identity in names and identity not in self._gone:
                told.append(names[identity] + b": " + b" ".join(shown))
        return [*told, *sorted(others[:-1]), *others[-1:]]

    def _exist(self, number: int) -> None:
        if number < len(self.view):
            self._others.append(b"impossible EXISTS %d" % number)
        while len(self.view) < number:
            self.view.append(self._next)
            self._next += 1

    def _lose(self, number: int) -> None:
        if 0 < number <= len(self.view):
            self._gone.append(self.view.pop(number - 1))
        else:
            self._others.append(b"impossible EXPUNGE %d" % number)

    def _lose_uid(self, uid: int) -> None:
        """A message of whom the UID is not known yet is new."""
        known = [identity for identity in self.view if self._uids.get(identity) == uid]
        known = known or [identity for identity in self.view if identity not in self._uids]
        if known:
            self._lose(self.view.index(known[0]) + 1)

    def _fetch(self, number: int, response: bytes) -> None:
        if not 0 < number <= len(self.view):
            self._others.append(b"impossible FETCH %d" % number)
            return
        identity = self.view[number - 1]
        known = self._items.setdefault(identity, {})
        for item in fetched_items(response):
            known[item.split(b" ")[0]] = item.replace(b" \\Recent", b"").rstrip(b" ")
            if item.startswith(b"UID "):
                self._uids[identity] = int(item[4:])


def _numbers(text: bytes) -> list[int]:
    """A set."""
    found: list[int] = []
    for part in text.split(b","):
        low, _, high = part.partition(b":")
        found += range(int(low), int(high or low) + 1)
    return found


def _equal(response: bytes) -> bytes:
    for pattern, text in _EQUAL:
        response = pattern.sub(text, response)
    return response


class Play:
    """A user's clients on one server."""

    def __init__(self, port: int, user: str, home: Path) -> None:
        self._clients: dict[int, Client] = {}
        self._port = port
        self._user = user
        self._maildir = home / "Maildir"
        self._delivered = 0

    def have(self, step: Step) -> list[bytes]:
        """The answer."""
        if step.client == PROGRAM:
            changed = self._change(step.line)
            if changed != [b"nothing"]:
                for client in self._clients.values():
                    client.hear_of(*step.line.split(b" ")[:2])
            return changed
        known = self._clients.get(step.client)
        if known is not None and known.is_gone:
            known.close()
        if known is None or known.is_gone:
            known = self._clients[step.client] = Client(self._port, self._user)
        return known.say(step.line)

    def close(self) -> None:
        """All go."""
        for client in self._clients.values():
            client.close()

    def _change(self, line: bytes) -> list[bytes]:
        word, mailbox, *rest = line.decode("ascii").split(" ")
        directory = self._maildir if mailbox == "INBOX" else self._maildir / f".{mailbox}"
        if not any(client.has_selected(mailbox.encode()) for client in self._clients.values()):
            return [b"nothing"]  # whose UIDs would not be known to the servers at the same time
        if word == "deliver":
            self._delivered += 1
            path = directory / "tmp" / f"17000{self._delivered:05}.M1P1.program"
            path.write_bytes(message(int(rest[0])))
            shutil.chown(path, "nobody", "nogroup")
            os.utime(path, (1704103200, 1704103200))
            path.rename(directory / "new" / path.name)
            return [b"delivered"]
        files = self._files(directory)
        number = int(rest[0])
        if number >= len(files):
            return [b"nothing"]
        path = files[number]
        if word == "remove":
            path.unlink()
            return [b"removed"]
        if path.parent.name == "cur" and path.name.partition(":2,")[2] == rest[1]:
            return [b"nothing"]
        letters = "".join(c for c in path.name.partition(":2,")[2] if c.islower())
        path.rename(directory / "cur" / f"{path.name.partition(':2,')[0]}:2,{rest[1]}{letters}")
        return [b"flagged"]

    @staticmethod
    def _files(directory: Path) -> list[Path]:
        """The files of messages that have UIDs, in the order of these."""
        paths = {
            path.name.partition(":2,")[0]: path
            for place in ("cur", "new")
            for path in (directory / place).iterdir()
        }
        uidlist = directory / "dovecot-uidlist"
        lines = uidlist.read_text("latin-1").splitlines()[1:] if uidlist.exists() else []
        return [paths[name] for name in (line.partition(" :")[2] for line in lines) if name in paths]


class Rule(NamedTuple):
    """A command's answers that may differ; `ends`: so do the mailboxes then."""

    command: re.Pattern[bytes]
    theirs: re.Pattern[bytes]
    ours: re.Pattern[bytes]
    ends: bool

    def allows(self, found: "Difference") -> bool:
        """Whether a difference is one of these."""
        return all(
            pattern.search(text) is not None
            for pattern, text in (
                (self.command, found.step.line),
                (self.theirs, b"".join(found.theirs)),
                (self.ours, b"".join(found.ours)),
            )
        )


class Difference(NamedTuple):
    """A step, and the lines of the answers that the other server has not."""

    number: int
    step: Step
    ours: list[bytes]
    theirs: list[bytes]


def rules(text: str) -> list[Rule]:
    """Of a list: command, Dovecot's lines, ours (regular expressions), `goes on` or `ends`, and why."""
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            *patterns, what, why = line.split(" | ")
            assert what in ("goes on", "ends"), line
            assert why, line
            command, theirs, ours = (re.compile(pattern.encode()) for pattern in patterns)
            found.append(Rule(command, theirs, ours, ends=what == "ends"))
    return found


def difference(
    plays: Sequence[Play], steps: Sequence[Step], allowed: Sequence[Rule] = ()
) -> Difference | None:
    """The first step at which the servers differ and no rule allows it; the plays end."""
    try:
        for step in prepared():
            for play in plays:
                play.have(step)
        for number, step in enumerate(steps):
            ours, theirs = (play.have(step) for play in plays)
            if ours == theirs:
                continue
            here = [line for line in ours if line not in theirs]
            there = [line for line in theirs if line not in ours]
            found = Difference(number, step, here or ours, there or theirs)
            rule = next((rule for rule in allowed if rule.allows(found)), None)
            if rule is None:
                return found
            if rule.ends:
                break
        return None
    finally:
        for play in plays:
            play.close()


def shrunk(steps: Sequence[Step], fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    """As few steps as are found by leaving out some, of which `fails` still says yes."""
    kept = list(steps)
    size = max(1, len(kept) // 2)
    while size:
        place = 0
        while place < len(kept):
            fewer = kept[:place] + kept[place + size :]
            if fails(fewer):
                kept = fewer
            else:
                place += size
        size //= 2
    return kept

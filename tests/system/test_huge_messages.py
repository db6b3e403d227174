"""A message of 150 MB through every door: it arrives whole, and no process holds more than a little of it."""

import hashlib
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest
from bench.processes import tree

from fakes.dovecot_pair import Server

pytestmark = [pytest.mark.system, pytest.mark.root]

LINE: Final = b"%s\r\n" % (b"All work and no play makes Jack a dull boy. " * 23)[:1022]
PIECE: Final = LINE * 1024
PIECES: Final = 150
MOST_KIB: Final = 60 * 1024
"""What a process may grow by; a message held once would be 150 MiB."""
HEAD: Final = (
    b"Subject: huge\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsmall\r\n"
    b"--b\r\nContent-Type: text/x-log\r\n\r\n"
)
TAIL: Final = b"--b--\r\n"
SIZE: Final = len(HEAD) + PIECES * len(PIECE) + len(TAIL)
DOVEADM: Final = [sys.executable, "-m", "pillarbox.tools.doveadm"]
MEASURED: Final = [
    sys.executable,
    "-c",
    "import resource, subprocess, sys\n"
    "status = subprocess.call(sys.argv[1:])\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n"
    "sys.exit(status)",
]
"""Runs a command and tells how much memory it had at most: of a process that we began ourselves, ours would count."""
SETTINGS: Final = """\
protocols = imap pop3 lmtp
mail_location = maildir:~/Maildir
mail_temp_dir = {base}/temporary
service pop3-login {
  inet_listener pop3 {
    port = POP3
  }
}
"""


def pieces() -> Iterator[bytes]:
    """The message."""
    yield HEAD
    for _ in range(PIECES):
        yield PIECE
    yield TAIL


def digest(parts: Iterator[bytes]) -> str:
    """To compare without keeping."""
    found = hashlib.sha1(usedforsecurity=False)
    for part in parts:
        found.update(part)
    return found.hexdigest()


class Wire:
    """A connection that never holds what it carries."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.settimeout(60)
        self._socket.connect(address)
        self._file = self._socket.makefile("rb")
        self.line()

    def line(self) -> bytes:
        """The next line."""
        return self._file.readline()

    def say(self, data: bytes) -> bytes:
        """Send something; the next line."""
        self._socket.sendall(data)
        return self.line()

    def send(self, parts: Iterator[bytes]) -> None:
        """Send much."""
        for part in parts:
            self._socket.sendall(part)

    def take(self, octets: int) -> str:
        """Digest of so many octets that come."""

        def parts() -> Iterator[bytes]:
            left = octets
            while left:
                part = self._file.read(min(left, 1 << 20))
                assert part
                left -= len(part)
                yield part

        return digest(parts())

    def until(self, start: bytes) -> bytes:
        """Skip to a line that begins so."""
        while not (line := self.line()).startswith(start):
            assert line
        return line

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


def peaks(pids: list[int]) -> dict[int, int]:
    """KiB that each process has ever had in memory at once."""
    found = {}
    for pid in pids:
        try:
            found[pid] = int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])
        except (OSError, IndexError):
            continue
    return found


def doveadm(
    server: Server, *words: str, said: Iterable[bytes] = (), program: str = "doveadm"
) -> tuple[str, int]:
    """A command, to which something is said; the digest of what it prints, and the most memory it had in KiB."""
    module = f"pillarbox.tools.{program}"
    command = [*MEASURED, sys.executable, "-m", module, "-c", str(server.configuration), *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for piece in said:
            process.stdin.write(piece)
        process.stdin.close()
        stdout = process.stdout
        found = digest(iter(lambda: stdout.read(1 << 20), b""))
        told = process.stderr.read()
    assert process.returncode == 0, told
    return found, int(told)


def saved_by_doveadm(server: Server, tell: Callable[[str], None]) -> None:
    """save, fetch and search, and dovecot-lda, hold no more of it than the server does."""
    doveadm(server, "mailbox", "create", "-u", "me", "Other")
    _, usual = doveadm(server, "search", "-u", "me", "mailbox", "Other", "all")
    _, saving = doveadm(server, "save", "-u", "me", "-m", "Other", said=pieces())
    text, fetching = doveadm(server, "fetch", "-u", "me", "text", "mailbox", "Other", "1")

    def printed() -> Iterator[bytes]:
        yield b"text:\n"
        for piece in pieces():
            yield piece.replace(b"\r\n", b"\n")

    assert text == digest(printed())
    _, decoding = doveadm(server, "fetch", "-u", "me", "text.utf8 body.2 binary.2", "mailbox", "Other", "1")
    _, searching = doveadm(server, "search", "-u", "me", "mailbox", "Other", "body", "small")
    _, delivering = doveadm(server, "-d", "me", "-m", "Other", said=pieces(), program="dovecot_lda")
    assert doveadm(server, "fetch", "-u", "me", "text", "mailbox", "Other", "uid", "2")[0] == text
    most = max(saving, fetching, decoding, searching, delivering) - usual
    assert most < MOST_KIB
    tell(
        f"dovecot-lda, doveadm save, fetch and search of {SIZE >> 20} MiB: peak {most >> 10} MiB more than a search of nothing"
    )


def test_a_huge_message(tell: Callable[[str], None]) -> None:
    """APPEND, LMTP, FETCH of the whole, of parts and of pieces, RETR, COPY and a search."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        pop3_port = sock.getsockname()[1]
    server = Server(
        [sys.executable, "-m", "pillarbox.tools.dovecot"],
        DOVEADM,
        SETTINGS.replace("POP3", str(pop3_port)),
        "allow_all_users=yes",
        name="huge",
    )
    temporary = server.base / "temporary"
    temporary.mkdir()
    temporary.chmod(0o1777)
    try:
        server.start()
        expected = digest(pieces())
        imap = Wire(("127.0.0.1", server.port))
        imap.say(b"a LOGIN me secret\r\n")
        imap.send(iter([b"a SELECT INBOX\r\n"]))
        imap.until(b"a OK")
        pids = tree(int((server.base / "run" / "master.pid").read_text()))
        before = peaks(pids)
        begun = time.monotonic()

        assert imap.say(b"a APPEND INBOX {%d}\r\n" % SIZE).startswith(b"+ ")
        imap.send(pieces())
        imap.send(iter([b"\r\n"]))
        imap.until(b"a OK [APPENDUID")
        lmtp = Wire(str(server.base / "run" / "lmtp"))
        lmtp.send(iter([b"LHLO x\r\nMAIL FROM:<s@example.org>\r\nRCPT TO:<me>\r\nDATA\r\n"]))
        lmtp.until(b"354")
        lmtp.send(pieces())
        assert lmtp.say(b".\r\n").startswith(b"250 2.0.0 <me>")
        lmtp.close()
        imap.send(iter([b"a NOOP\r\n"]))
        imap.until(b"a OK")

        label = imap.say(b"a FETCH 1 BODY.PEEK[]\r\n")
        assert b"* 1 FETCH (BODY[] {%d}\r\n" % SIZE == label
        assert expected == imap.take(SIZE)
        imap.until(b"a OK")
        assert b"<7> {%d}\r\n" % len(PIECE) in imap.say(b"a FETCH 1 BODY.PEEK[2]<7.%d>\r\n" % len(PIECE))
        imap.take(len(PIECE))
        imap.until(b"a OK")
        for at in range(0, SIZE, SIZE // 50):
            assert b"<%d> {20}\r\n" % at in imap.say(b"a FETCH 1 BODY.PEEK[]<%d.20>\r\n" % at)
            imap.until(b"a OK")
        structure = imap.say(b"a UID FETCH 1:* (RFC822.SIZE ENVELOPE BODYSTRUCTURE)\r\n")
        assert (
            b'"x-log" ("charset" "us-ascii") NIL NIL "7bit" %d %d'
            % (PIECES * len(PIECE) - 2, PIECES * 1024 - 1)
            in structure
        )
        imap.until(b"a OK")
        imap.send(iter([b"a SEARCH BODY small\r\n"]))
        assert b"* SEARCH 1 2\r\n" == imap.line()
        imap.until(b"a OK")

        pop3 = Wire(("127.0.0.1", pop3_port))
        pop3.say(b"USER me\r\n")
        pop3.say(b"PASS secret\r\n")
        assert b"+OK %d octets\r\n" % SIZE == pop3.say(b"RETR 1\r\n")
        assert expected == pop3.take(SIZE)
        assert b".\r\n" == pop3.line()
        pop3.close()
        elapsed = time.monotonic() - begun

        grown = {
            pid: peak - before.get(pid, 0)
            for pid, peak in peaks(tree(int((server.base / "run" / "master.pid").read_text()))).items()
        }
        assert max(grown.values()) < MOST_KIB, grown
        maildir = server.home() / "Maildir"
        assert [] == list((maildir / "tmp").iterdir()) == list(temporary.iterdir())
        saved_by_doveadm(server, tell)
        tell(
            f"{SIZE >> 20} MiB in two ways and out in three: {elapsed:.1f} s, peak {max(grown.values()) >> 10} MiB more"
        )
        imap.close()
    finally:
        server.end()

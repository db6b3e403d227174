"""Sessions of clients that are slow, hasty, too long or hostile, and of disks and tables that fail."""

import errno
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from fakes.smtp_conversation import CLIENT, converse
from fakes.smtp_words import DATA, HELLO, MAIL, QUIT, RCPT, TEXT, after_hello
from pillarbox.files.file_system import DiskFileSystem
from pillarbox.files.write_order import NOT_WRITTEN, Order, WrittenOut

LAST_WORDS = [
    ("a header", b"Subject: x\r\n", "221 2.7.0 Error: I can break rules, too. Goodbye."),
    ("a chunk of no size", b"BDAT x\r\n", "521 5.5.4 Syntax: BDAT count [LAST]"),
]


@pytest.mark.parametrize(
    ("sent", "reply"), [row[1:] for row in LAST_WORDS], ids=[row[0] for row in LAST_WORDS]
)
def test_commands_that_end_the_session(sent: bytes, reply: str, tmp_path: Path) -> None:
    """Whoever sends these does not speak SMTP, or would have content taken for commands."""
    done = converse(tmp_path / "q", [HELLO, sent, b"NOOP\r\n", QUIT])
    assert after_hello(done.replies) == [reply]


def test_a_message_that_grows_too_big(tmp_path: Path) -> None:
    """552 after the final dot, nothing in the queue; the next message is taken."""
    settings = {"message_size_limit": "1000"}
    big = b"x" * 600 + b"\r\n" + b"y" * 600 + b"\r\n.\r\n"
    done = converse(
        tmp_path / "q",
        [HELLO, MAIL + RCPT + b"DATA\r\n", big[:500], big[500:], *DATA[1:], QUIT],
        settings=settings,
    )
    assert after_hello(done.replies)[3] == "552 5.3.4 Error: message file too big"
    assert done.incoming == done.queued
    assert len(done.queued) == 1


def test_a_mail_loop_is_broken(tmp_path: Path) -> None:
    """hopcount_limit: the Received: of this host is one of them."""
    start, hop, end = MAIL + RCPT + b"DATA\r\n", b"Received: x\r\n", b"\r\n.\r\n"
    done = converse(tmp_path / "q", [HELLO, start, hop * 48 + end, start, hop * 49 + end, QUIT])
    replies = after_hello(done.replies)
    assert replies[3].startswith("250 2.0.0 Ok: queued as ")
    assert replies[7] == "554 5.4.0 Error: too many hops"
    assert done.incoming == done.queued
    assert any(line.endswith(": message rejected: hopcount exceeded") for line in done.lines)


def test_a_mail_loop_counts_more_than_what_else_is_wrong(tmp_path: Path) -> None:
    """As from cleanup(8): the client hears of the loop, and the log of both."""
    hops = b"Received: x\r\n" * 50 + b"X: \xfc\r\n\r\n.\r\n"
    settings = {"strict_7bit_headers": "yes"}
    done = converse(tmp_path / "q", [HELLO, MAIL + RCPT + b"DATA\r\n", hops, QUIT], settings=settings)
    assert after_hello(done.replies)[3] == "554 5.4.0 Error: too many hops"
    assert any("reject: mime-error improper use of 8-bit data" in line for line in done.lines)
    assert not any("reject: END-OF-MESSAGE" in line for line in done.lines)


def test_too_many_recipients(tmp_path: Path) -> None:
    """The rest gets 452, the message goes to those before."""
    rcpts = RCPT + b"RCPT TO:<you@box.test>\r\n" + b"RCPT TO:<root@mx.test>\r\n"
    done = converse(
        tmp_path / "q",
        [HELLO, MAIL + rcpts + b"DATA\r\n", TEXT, QUIT],
        settings={"smtpd_recipient_limit": "2"},
    )
    assert after_hello(done.replies)[3] == "452 4.5.3 Error: too many recipients"
    assert len(done.message()[0].recipients) == 2


def test_too_many_errors(tmp_path: Path) -> None:
    """smtpd_hard_error_limit: 421 and away."""
    done = converse(tmp_path / "q", [HELLO, b"FOO\r\n" * 5], settings={"smtpd_hard_error_limit": "3"})
    assert after_hello(done.replies) == [
        *["500 5.5.2 Error: command not recognized"] * 3,
        "421 4.7.0 mx.test Error: too many errors",
    ]
    assert done.lines[1:] == [
        f"too many errors after UNKNOWN from {CLIENT}",
        f"disconnect from {CLIENT} ehlo=1 unknown=0/3 commands=1/4",
    ]


def test_commands_that_do_nothing_are_counted(tmp_path: Path) -> None:
    """smtpd_junk_command_limit: more of them are errors; a message sets the count back."""
    settings = {"smtpd_junk_command_limit": "4", "smtpd_hard_error_limit": "3"}
    done = converse(tmp_path / "q", [b"NOOP\r\n"] * 9, settings=settings)
    assert done.replies == ["250 2.0.0 Ok"] * 8 + ["421 4.7.0 mx.test Error: too many errors"]
    some = [b"NOOP\r\n"] * 3
    done = converse(tmp_path / "q", [HELLO, *some, *DATA[1:], *some, QUIT], settings=settings)
    assert done.replies[-1] == "221 2.0.0 Bye"


def test_a_browser_is_shown_the_door(tmp_path: Path) -> None:
    """smtpd_forbidden_commands."""
    done = converse(tmp_path / "q", b"GET / HTTP/1.1\r\nHost: x\r\n")
    assert done.replies == ["221 2.7.0 Error: I can break rules, too. Goodbye."]
    assert done.lines[1] == f"warning: non-SMTP command from {CLIENT}: GET / HTTP/1.1"


HASTY = [
    ("behind HELO", [b"HELO c.test\r\nMAIL FROM:<a@b.test>\r\n"], "HELO"),
    ("behind EHLO", [HELLO + MAIL], "EHLO"),
    ("before the answer to DATA", [HELLO, MAIL + RCPT + b"DATA\r\n" + TEXT], "DATA"),
    ("behind STARTTLS", [HELLO, b"STARTTLS\r\nEHLO injected\r\n"], "STARTTLS"),
    ("without ESMTP", [b"HELO c.test\r\n", MAIL + RCPT], "MAIL"),
]


def test_a_client_that_talks_before_it_is_greeted(tmp_path: Path) -> None:
    """smtpd_forbid_unauth_pipelining: 554 in place of the greeting, as Postfix's; without it, a line in the log."""
    done = converse(tmp_path / "q", [b"QUIT\r\n"], early=True)
    assert done.said == b"554 5.5.0 Error: SMTP protocol synchronization\r\n"
    told = f"improper command pipelining after CONNECT from {CLIENT}: QUIT\\r\\n"
    assert done.lines == [f"connect from {CLIENT}", told, f"disconnect from {CLIENT} commands=0/0"]
    allowed = {"smtpd_forbid_unauth_pipelining": "no"}
    done = converse(tmp_path / "r", [HELLO, QUIT], early=True, settings=allowed)
    assert done.said.startswith(b"220 mx.test ESMTP Postfix\r\n250-mx.test\r\n")
    assert done.lines[1] == f"improper command pipelining after CONNECT from {CLIENT}: EHLO c.test\\r\\n"
    assert done.lines[-1] == f"disconnect from {CLIENT} ehlo=1 quit=1 commands=2"


@pytest.mark.parametrize(("sent", "after"), [row[1:] for row in HASTY], ids=[row[0] for row in HASTY])
def test_who_does_not_listen_is_cut_off(sent: list[bytes], after: str, tmp_path: Path) -> None:
    """smtpd_forbid_unauth_pipelining: 554 and the end of the session, with what was sent ahead in the log."""
    done = converse(tmp_path / "q", sent, tls=True)
    assert done.replies[-1] == "554 5.5.0 Error: SMTP protocol synchronization"
    assert any(
        line.startswith(f"improper command pipelining after {after} from {CLIENT}: ") for line in done.lines
    )
    assert done.incoming == []


def test_aliases_without_end_defer(tmp_path: Path) -> None:
    """What cannot be expanded is not taken, as is told after the content; DATA or BDAT again does not take it either."""
    rcpt = b"RCPT TO:<all@alias.test>\r\n"
    settings = {"virtual_alias_expansion_limit": "1"}
    failed = "451 4.6.0 Alias expansion error"
    sent = [HELLO, MAIL + rcpt, b"DATA\r\n", b"Subject: x\r\n\r\nx\r\n.\r\n", b"DATA\r\n", QUIT]
    done = converse(tmp_path / "q", sent, settings=settings)
    assert after_hello(done.replies)[2:] == [
        "354 End data with <CR><LF>.<CR><LF>",
        failed,
        "503 5.5.1 Error: need RCPT command",
        "221 2.0.0 Bye",
    ]
    pieces = [b"BDAT 8\r\nab\r\n", b"cd\r\n", b"BDAT 0 LAST\r\n", QUIT]
    done = converse(tmp_path / "q", [HELLO, MAIL + rcpt, *pieces], settings=settings)
    assert after_hello(done.replies)[2:] == ["250 2.0.0 Ok: 8 bytes", failed, "221 2.0.0 Bye"]
    assert done.incoming == []


class BadDisk(DiskFileSystem):
    """A disk on which one operation fails."""

    def __init__(self, operation: str, number: int) -> None:
        self._operation = operation
        self._number = number

    def __getattribute__(self, name: str) -> object:
        if not name.startswith("_") and name == self._operation:
            raise OSError(self._number, "injected")
        return super().__getattribute__(name)

    def begin_write_out(self, fd: int, known: Order | None = None) -> Order:
        """A directory is synced where the file system keeps no order."""
        return Order.NONE if self._operation == "sync_directory" else super().begin_write_out(fd, known)

    def finish_write_out(self, fds: Sequence[int]) -> list[OSError | None]:
        """See the class."""
        errors = super().finish_write_out(fds)
        return [OSError(self._number, "injected")] * len(fds) if self._operation == "write_out" else errors

    def write_out(self, fds: Sequence[int], known: Order | None = None) -> WrittenOut:
        """As `begin_write_out()`."""
        return NOT_WRITTEN if self._operation == "sync_directory" else super().write_out(fds)

    def fsync_all(self, fds: Sequence[int]) -> list[OSError | None]:
        """Directories and files can fail apart."""
        kinds = ["sync_directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else "fsync" for fd in fds]
        return [OSError(self._number, "injected") if kind == self._operation else None for kind in kinds]


BROKEN = [
    ("open", errno.ENOSPC, "452 4.3.1 Insufficient system storage"),
    ("write_all", errno.ENOSPC, "452 4.3.1 Insufficient system storage"),
    ("write_all", errno.EIO, "451 4.3.0 Error: queue file write error"),
    ("write_out", errno.EIO, "451 4.3.0 Error: queue file write error"),
    ("fsync", errno.EIO, "451 4.3.0 Error: queue file write error"),
    ("rename", errno.EDQUOT, "452 4.3.1 Insufficient system storage"),
    ("sync_directory", errno.EIO, "451 4.3.0 Error: queue file write error"),
]


@pytest.mark.parametrize(("operation", "number", "reply"), BROKEN)
def test_a_disk_that_fails_is_never_told_250(operation: str, number: int, reply: str, tmp_path: Path) -> None:
    """A temporary error, nothing left in incoming, and the session lives."""
    done = converse(
        tmp_path / "q", [HELLO, MAIL, RCPT, b"DATA\r\n", TEXT, QUIT], file_system=BadDisk(operation, number)
    )
    said = after_hello(done.replies)
    assert reply in said
    assert said[-1].startswith("221 ")
    assert not any("queued as" in line for line in said)
    assert (done.incoming, done.queued) == ([], [])


def test_a_disk_that_fails_under_a_large_message(tmp_path: Path) -> None:
    """Content that is written while it comes meets the same fault, told after the final dot."""
    content = [b"x" * 100 + b"\r\n"] * 6000
    done = converse(
        tmp_path / "q",
        [HELLO, MAIL + RCPT + b"DATA\r\n", b"".join(content), b"".join(content), b".\r\n", QUIT],
        file_system=BadDisk("write_all", errno.EIO),
    )
    assert after_hello(done.replies)[3:] == ["451 4.3.0 Error: queue file write error", "221 2.0.0 Bye"]
    assert done.incoming == []


def test_room_on_the_disk_is_looked_at_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While there is some; a disk that is full refuses MAIL with 452, and is asked each time."""
    asked = 0

    def statvfs(path: str) -> SimpleNamespace:
        nonlocal asked
        asked += 1
        return SimpleNamespace(f_bavail=0 if asked <= 3 else 2**40, f_frsize=4096)

    monkeypatch.setattr(os, "statvfs", statvfs)
    lines = [HELLO, *[MAIL, b"RSET\r\n"] * 20, QUIT]
    done = converse(tmp_path / "q", lines, settings={"message_size_limit": "1000"})
    said = [line[:9] for line in after_hello(done.replies) if not line.startswith("250 2.0.0")]
    assert said[0] == "452 4.3.1"
    assert said[2:] == [
        *["250 2.1.0"] * 18,
        "221 2.0.0",
    ]  # the second may have come in another second, or not
    assert asked < 12


ENDS: list[tuple[str, Iterable[bytes], bool, list[str]]] = [
    ("says nothing", [], False, ["lost connection after CONNECT", "commands=0/0"]),
    ("goes after RCPT", [HELLO, MAIL + b"RCPT TO:<no@box.test>\r\n"], False,
     ["lost connection after RCPT", "ehlo=1 mail=1 rcpt=0/1 commands=2/3"]),
    ("falls silent", [HELLO], True, ["timeout after EHLO", "ehlo=1 commands=1"]),
    ("goes in the middle of a chunk", [HELLO, MAIL + RCPT, b"BDAT 9\r\nab"], False,
     ["lost connection after BDAT (2 bytes)", "ehlo=1 mail=1 rcpt=1 bdat=0/1 commands=3/4"]),
    ("goes in the middle of content", [HELLO, MAIL + RCPT + b"DATA\r\n", b"ab\r\n"], False,
     ["lost connection after DATA (4 bytes)", "ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4"]),
    ("goes in the middle of AUTH", [HELLO, b"AUTH LOGIN\r\n"], False,
     ["lost connection after AUTH", "ehlo=1 auth=0/1 commands=1/2"]),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "silent", "told"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS])
def test_clients_that_go_without_a_word(
    sent: list[bytes], silent: bool, told: list[str], tmp_path: Path
) -> None:
    """The log says where; nothing of theirs stays in the queue."""
    done = converse(tmp_path / "q", sent, silent=silent)
    assert [line for line in done.lines if f"{told[0]} from {CLIENT}" in line]
    assert done.lines[-1] == f"disconnect from {CLIENT} {told[1]}"
    assert done.incoming == []
    if silent:
        assert done.replies[-1] == "421 4.4.2 mx.test Error: timeout exceeded"


def test_a_name_cannot_forge_trace_or_log(tmp_path: Path) -> None:
    """HELO is neutered: it ends no field, begins no line, and claims no address."""
    hello = b"EHLO x (good.test [9.9.9.9])\rReceived:\tfrom> to=<a@b> ;\r\n"
    done = converse(
        tmp_path / "q", [hello, MAIL + b"RCPT TO:<no@box.test>\r\n" + RCPT + b"DATA\r\n", TEXT, QUIT]
    )
    message, lines = done.message()
    name = b"x??good.test?[9.9.9.9]??Received:?from??to=?a?b???"
    assert lines[0] == b"Received: from %s (client.test [192.0.2.7])" % name
    assert message.attributes[b"helo_name"] == name
    assert done.lines[1].endswith(f"proto=ESMTP helo=<{name.decode()}>")


def octets(text: bytes) -> list[bytes]:
    return [text[at : at + 1] for at in range(len(text))]


_SLOW = {"smtpd_timeout": "10s", "smtpd_min_data_rate": "4"}


SLOW_CLIENTS = [
    # settings, packets, seconds before each, whether the client is sent away
    ({}, [*octets(HELLO), QUIT], 1.0, False),
    ({"smtpd_per_request_deadline": "yes"}, [*octets(HELLO), QUIT], 1.0, True),
    ({"smtpd_per_record_deadline": "yes"}, [*octets(HELLO), QUIT], 1.0, True),
    ({"smtpd_per_request_deadline": "yes"}, [HELLO, MAIL, RCPT, QUIT], 9.0, False),
    ({"smtpd_per_request_deadline": "yes"}, [*DATA[:2], *[b"abcdefgh\r\n"] * 20, b".\r\n", QUIT], 2.0, False),
    ({"smtpd_per_request_deadline": "yes"}, [*DATA[:2], *[b"abcdefgh\r\n"] * 20, b".\r\n", QUIT], 4.0, True),
]


@pytest.mark.parametrize(("settings", "chunks", "seconds", "ends"), SLOW_CLIENTS)
def test_clients_that_take_their_time(
    tmp_path: Path, settings: dict[str, str], chunks: list[bytes], seconds: float, ends: bool
) -> None:
    """smtpd_per_request_deadline: ten seconds for a command; content earns a second with four octets."""
    done = converse(tmp_path / "q", chunks, pause=seconds, settings={**_SLOW, **settings})
    assert (done.replies[-1] == "421 4.4.2 mx.test Error: timeout exceeded") is ends
    assert (done.replies[-1] == "221 2.0.0 Bye") is not ends

"""doveadm -S SOCKET|HOST[:PORT]: commands for users' mailboxes, done by a doveadm service.

DESCRIPTION
    Whose mailboxes is found out here, as always; for each user the service is asked, on one connection.  It says
    the values of rows, which are printed here.  What it logs meanwhile is told as its.

FAULTS
    Fatal  it cannot be reached

STANDARDS
    doveadm(1), -S; Dovecot 2.3, doveadm protocol 1.2
"""

import sys
from collections.abc import Iterator
from typing import IO

from pillarbox.tools.doveadm_commands.accounts import MailCommand
from pillarbox.tools.doveadm_commands.common_output import Columns
from pillarbox.tools.doveadm_commands.doveadm_service import Commands, Login, LoginFailed
from pillarbox.tools.doveadm_commands.faults import EX_NOUSER, EX_TEMPFAIL
from pillarbox.tools.doveadm_commands.output import RowWriter
from pillarbox.wire.doveadm_protocol import Asked


class RemoteCommands:
    """One command, for each of its users."""

    def __init__(self, command: MailCommand) -> None:
        self._command = command
        self._where = command.options["-S"]
        self._connection: Commands | None = None
        self._writer: RowWriter | None = None
        self._values: list[str] = []
        """Of a row that is not complete."""
        self._columns: Columns | None = command.shown_columns
        if self._columns is not None:
            self._writer = self._columns.writer()

    def run(self, user: str) -> int:
        """Have it done for a user; the exit status.  Fatal."""
        command = self._command
        name = tuple(command.name.split(" "))
        try:
            if self._connection is None:
                self._connection = Commands(self._where, Login.of(command.configuration))
            status = self._connection.run(
                Asked("", user, (*name, *self._arguments())),
                len(name),
                message=None if command.message is None else _lines(command.message),
                values=self._print,
                logged=lambda severity, text: self._told(user, severity, text),
            )
        except LoginFailed as fault:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            if str(fault) != "EOF":
                _say(user, "Error", str(fault))
            _say(user, "Error", f"{self._where}: Command {command.name} failed for {user}: EOF")
            return EX_TEMPFAIL
        self._values.clear()
        if status == EX_NOUSER:
            _say(user, "Error", f"{self._where}: No such user: {user}")
        return status

    def finish(self) -> None:
        """There are no more users."""
        if self._writer is not None:
            self._writer.finish()
        if self._connection is not None:
            self._connection.close()
        if self._command.message is not None and self._command.words:
            self._command.message.close()  # a file; standard input is not ours

    def _arguments(self) -> list[str]:
        """As they were given, but for -S; of whose mailboxes only whether they are many's."""
        found: list[str] = ["-A"] if self._command.is_for_many else []
        for option, value in self._command.pairs:
            if option not in ("-u", "-A", "-F", "-S"):
                found += [option, value] if value else [option]
        return [*found, "--", *([] if self._command.message is not None else self._command.words)]

    def _print(self, values: list[str]) -> None:
        """Rows that are complete."""
        if self._writer is None or self._columns is None:
            return
        self._values += values
        width = len(self._columns.names)
        while len(self._values) >= width:
            self._writer.add(self._values[:width])
            del self._values[:width]

    def _told(self, user: str, severity: str, text: str) -> None:
        _say(user, severity, f"remote({self._where}): {text}")


def _say(user: str, severity: str, text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"doveadm({user}): {severity}: {text}\n")


def _lines(message: IO[bytes]) -> Iterator[bytes]:
    """A message with CRLF and dots twice, and what ends it."""
    if message.seekable():
        message.seek(0)
    for line in message:
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        end = b"\r\n" if line.endswith(b"\n") else b""
        yield (b"." if text.startswith(b".") else b"") + text + end
    yield b"\r\n.\r\n"

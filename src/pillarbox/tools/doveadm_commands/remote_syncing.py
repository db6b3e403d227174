"""doveadm sync and backup with another host: what leads to its dsync-server is run or reached, and talked to.

DESCRIPTION
    A destination is a command with its words, to which `dsync-server` is added unless it ends so; `remote:HOST`,
    `remoteprefix:HOST` and `[USER@]HOST`, which dsync_remote_cmd makes a command of; all else that begins with a
    word and a colon is a place on this host.  `tcp:HOST[:PORT]` is another host's doveadm service,
    with `tcps:` by TLS (doveadm_service.py).

    The program is started with the rights of who calls, before those of the mail's owner are taken, so that it is
    root's keys that ssh uses.  What it says on standard error goes where ours does.

FAULTS
    Fatal  of a destination that is not served, or a program that cannot be run

STANDARDS
    doveadm-sync(1)
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from pillarbox.mailstore.synchronizing.account_exchange import Choice
from pillarbox.mailstore.synchronizing.place import Place
from pillarbox.mailstore.synchronizing.remote.brain import Brain, Outcome
from pillarbox.mailstore.synchronizing.remote.conversation import Conversation
from pillarbox.mailstore.synchronizing.remote.names import LevelNames
from pillarbox.mailstore.synchronizing.remote.run_settings import RunSettings
from pillarbox.net.duplex_stream import DuplexStream, StreamEnded
from pillarbox.tools.doveadm_commands.accounts import MailCommand, Owner
from pillarbox.tools.doveadm_commands.doveadm_service import DoveadmService, Login
from pillarbox.tools.doveadm_commands.faults import Fatal
from pillarbox.wire.dsync.states import CommonState, decode_states, encode_states

SERVER: Final = "dsync-server"
IO_SECONDS: Final = 600
"""How long the other side may be silent, if -T says nothing else."""
END_SECONDS: Final = 20
"""How long the program may take to end."""
_PLACE: Final = re.compile(r"[0-9A-Za-z]+:")
_VARIABLE: Final = re.compile(r"%(?:\{([a-z]+)\}|(u))")


class Destination(msgspec.Struct, frozen=True):
    """What leads to another host."""

    words: tuple[str, ...] = ()
    """A program."""
    address: str = ""
    """Of a doveadm service."""
    has_tls: bool = False
    is_told_user: bool = False
    """remoteprefix: whose mail it is is its first line."""


def destination_of(command: MailCommand, words: Sequence[str], user: str) -> Destination | None:
    """What leads there; None if it is a place on this host.  Fatal."""
    asked = "" if command.is_for_oneself else user
    if len(words) > 1:
        return Destination(_with_server(words))
    where = words[0]
    if _PLACE.match(where):
        kind, _, host = where.partition(":")
        if kind in ("tcp", "tcps"):
            return Destination(address=host, has_tls=kind == "tcps")
        if kind not in ("remote", "remoteprefix"):
            return None
        login, _, host = host.rpartition("@")
        return Destination(_remote_command(command, host, login, user), is_told_user=kind == "remoteprefix")
    if " " in where or "/" in where:
        return Destination(_with_server(where.split(" ")))
    other, _, host = where.rpartition("@")
    return Destination(_remote_command(command, host, "", other or asked))


def _with_server(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(words) if words[-1] == SERVER else (*words, SERVER)


def _remote_command(command: MailCommand, host: str, login: str, user: str) -> tuple[str, ...]:
    """dsync_remote_cmd; a word that is nothing but a switch without its value is left out."""
    values = {"u": user, "user": user, "login": login, "host": host}
    words = []
    for word in command.configuration.value("dsync_remote_cmd").split(" "):
        expanded = _VARIABLE.sub(lambda found: values.get(found[1] or found[2], ""), word)
        if "%" not in word or expanded != _VARIABLE.sub("", word):
            words.append(expanded)
    return tuple(words)


class Peer(Protocol):
    """It runs, and can be talked to."""

    reading: int
    writing: int

    def end(self) -> str:
        """No more is said.  What is wrong with how it ended, if anything."""
        ...


def reach(command: MailCommand, destination: Destination, user: str) -> Peer:
    """Fatal."""
    if destination.address:
        login = Login.of(command.configuration, tls=destination.has_tls)
        return DoveadmService(destination.address, user, login)
    return RemoteProgram(destination, user)


class RemoteProgram:
    """It runs, and is talked to."""

    def __init__(self, destination: Destination, user: str) -> None:
        """Fatal."""
        self._words = destination.words
        try:
            self._process = subprocess.Popen(
                destination.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        except OSError as error:
            raise Fatal(f"execvp({destination.words[0]}) failed: {error.strerror}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.reading, self.writing = self._process.stdout.fileno(), self._process.stdin.fileno()
        if destination.is_told_user:
            self._process.stdin.write(f"{user}\n".encode())

    def end(self) -> str:
        """What is wrong with how it ended, if anything."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        line = " ".join(self._words)
        try:
            status = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return "Remote command process isn't dying, killing it"
        if status < 0:
            return f"Remote command died with signal {-status}: {line}"
        return f"Remote command returned error {status}: {line}" if status else ""


def level_names(command: MailCommand, owner: Owner) -> LevelNames:
    """Names of the first namespace."""
    space = command.settings.namespaces[0]
    is_free = owner.place.nested or owner.place.escaping
    return LevelNames(
        space.prefix,
        space.separator or "/",
        forbidden="" if is_free else ".",
        replacement=command.configuration.value("dsync_alt_char")[:1] or "_",
    )


def lead(command: MailCommand, owner: Owner, peer: Peer, settings: RunSettings, choice: Choice) -> Outcome:
    """The whole run.  DsyncFault, StreamEnded and those of the store."""
    stream = DuplexStream(
        peer.reading,
        peer.writing,
        seconds=float(command.options.get("-T", 0) or IO_SECONDS),
        directory=command.configuration.value("mail_temp_dir"),
    )
    talk = Conversation(stream)
    place = Place(owner.place, attributes=owner.attributes)
    try:
        brain = Brain(talk, place, level_names(command, owner), packing=command.settings.packing)
        return brain.lead(settings, choice)
    finally:
        place.close()
        part(talk)
        stream.close()


def tell_of_raw_log(command: MailCommand) -> None:
    """-r has no effect, and whoever waits for the file is told so."""
    if "-r" in command.options:
        sys.stderr.write(f"doveadm: Warning: -r {command.options['-r']}: no log of what is said is written\n")


def part(talk: Conversation) -> None:
    """Nothing more is said."""
    try:
        talk.give_up()
    except StreamEnded:
        return


def print_states(outcome: Outcome) -> None:
    """-s: what to give the next time."""
    states = [
        CommonState(
            values["mailbox_guid"],
            int(values["last_uidvalidity"]),
            int(values["last_common_uid"]),
            int(values["last_common_modseq"]),
            0,
            int(values["last_messages_count"]),
        )
        for values in outcome.states
    ]
    sys.stdout.write(encode_states(states) + "\n")


def check_state(text: str) -> None:
    """-s STATE: everything is compared anyway; say so of one that is none."""
    try:
        decode_states(text)
    except ValueError as fault:
        sys.stderr.write(f"doveadm: Error: Saved sync state is invalid, falling back to full sync: {fault}\n")

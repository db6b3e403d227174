"""doveadm who and kick: the sessions that are open.

FAULTS
    Fatal  the system does not run
"""

import socket
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from fnmatch import fnmatchcase

import msgspec

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.net import sessions_doors
from pillarbox.net.channel import ChannelClosed, FrameReader, FrameWriter, receive_available
from pillarbox.net.handover import FromAdmin, KickOut, OpenSession, OpenSessions, WhoIs
from pillarbox.tools.doveadm_commands import output as doveadm_output
from pillarbox.tools.doveadm_commands.faults import EX_NOTFOUND, Fatal, Usage
from pillarbox.tools.doveadm_commands.options import read_options
from pillarbox.vocabulary.ip_addresses import Network, is_within, network

WHO_USAGE = "who [-a <anvil socket path>] [-1] [<user mask>] [<ip/bits>]"
KICK_USAGE = "kick [-a <anvil socket path>] <user mask>[|]<ip/bits>"


def _ask(configuration: Configuration, question: FromAdmin) -> list[OpenSession]:
    """All generations' sessions: a reload leaves those that are open to the one that had them."""
    base_dir = configuration.value("base_dir")
    path = f"{base_dir}/pillarbox-sessions"
    found: list[OpenSession] = []
    with ExitStack() as doors:
        try:
            for number, sock in enumerate(sessions_doors.connect_all(base_dir)):
                doors.enter_context(sock)
                answer = _ask_one(sock, question)
                if answer is None and number == 0:
                    raise Fatal(f"{path}: Disconnected unexpectedly")
                found += answer or []
        except OSError as error:
            raise Fatal(f"net_connect_unix({path}) failed: {error.strerror or error}") from error
        except ChannelClosed as error:
            raise Fatal(f"{path}: {error}") from error
    return found


def _ask_one(sock: socket.socket, question: FromAdmin) -> list[OpenSession] | None:
    """One generation's answer; None if it ends just now."""
    reader: FrameReader[OpenSessions] = FrameReader(msgspec.msgpack.Decoder(OpenSessions))
    writer = FrameWriter()
    writer.put(question)
    sock.settimeout(20)
    writer.write_to(sock)
    while True:
        data, _ = receive_available(sock)
        frames = reader.feed(data) if data else []
        if frames:
            return frames[0][0].sessions
        if not data:
            return None


class _Choice(msgspec.Struct):
    """Which sessions are meant: those of one mask of users, from one network."""

    user: str | None = None
    network: Network | None = None

    @classmethod
    def of(cls, words: Sequence[str]) -> "_Choice":
        """Usage if there are more of one kind."""
        choice = cls()
        for word in words:
            try:
                block = network(word)
            except ValueError:
                if choice.user is not None:
                    raise _several("username") from None
                choice.user = word
            else:
                if choice.network is not None:
                    raise _several("network")
                choice.network = block
        return choice

    def of_all(self, sessions: Sequence[OpenSession]) -> list[OpenSession]:
        """The sessions."""
        return [
            one
            for one in sessions
            if (self.user is None or fnmatchcase(one.user, self.user))
            and (self.network is None or is_within(one.remote, self.network))
        ]


def _several(kind: str) -> Usage:
    return Usage("who", complaint=f"Error: Multiple {kind} masks not supported")


def who(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """doveadm who."""
    pairs, words = read_options("who", arguments, "a:1")
    choice = _Choice.of(words)
    sessions = choice.of_all(_ask(configuration, WhoIs()))
    if "-1" in dict(pairs):
        rows = [[one.user, one.service, str(one.pid), one.remote] for one in sessions]
        _show(("username", "service", "pid", "ip"), ("username", "proto", "pid", "ip"), rows, form)
        return 0
    groups: dict[tuple[str, str], list[OpenSession]] = defaultdict(list)
    for one in sessions:
        groups[one.user, one.service].append(one)
    rows = [
        [
            user,
            str(len(found)),
            service,
            "(" + " ".join(dict.fromkeys(str(one.pid) for one in found)) + ")",
            "(" + " ".join(dict.fromkeys(one.remote for one in found)) + ")",
        ]
        for (user, service), found in groups.items()
    ]
    names = ("username", "connections", "service", "pids", "ips")
    _show(names, ("username", "#", "proto", "(pids)", "(ips)"), rows, form)
    return 0


def _show(names: Sequence[str], titles: Sequence[str], rows: Sequence[Sequence[str]], form: str) -> None:
    """`names` are those of json."""
    wide = "username" if len(names) == 4 else ""
    writer = doveadm_output.RowWriter(names, form or "table", titles=titles, wide=wide)
    for row in rows:
        writer.add(row)
    writer.finish()


def kick(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """doveadm kick."""
    _, words = read_options("kick", arguments, "a:f")
    if not words:
        raise Usage(KICK_USAGE, complaint="Error: user and/or ip[/bits] must be specified.")
    choice = _Choice.of(words)
    chosen = choice.of_all(_ask(configuration, WhoIs()))
    if chosen:
        _ask(configuration, KickOut([one.session for one in chosen]))
    users = list(dict.fromkeys(one.user for one in chosen))
    if form in ("json", "server"):
        doveadm_output.show(("result",), [[user] for user in users], form)
        return 0 if users else EX_NOTFOUND
    if not users:
        print("no users kicked")
        return EX_NOTFOUND
    print("kicked connections from the following users:")
    print(" ".join(users))
    return 0

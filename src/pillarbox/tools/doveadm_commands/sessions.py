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
from pillarbox.vocabulary.ip_addresses import is_within, network

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


def _chosen(sessions: Sequence[OpenSession], words: Sequence[str]) -> list[OpenSession]:
    found = list(sessions)
    for word in words:
        try:
            block = network(word)
        except ValueError:
            found = [one for one in found if fnmatchcase(one.user, word)]
        else:
            found = [one for one in found if is_within(one.remote, block)]
    return found


def who(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """doveadm who."""
    pairs, words = read_options("who", arguments, "a:1")
    sessions = _chosen(_ask(configuration, WhoIs()), words)
    if "-1" in dict(pairs):
        rows = [[one.user, one.service, str(one.pid), one.remote] for one in sessions]
        doveadm_output.show(("username", "proto", "pid", "ip"), rows, form or "table", wide="username")
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
    doveadm_output.show(("username", "#", "proto", "(pids)", "(ips)"), rows, form or "table")
    return 0


def kick(configuration: Configuration, _form: str, arguments: Sequence[str]) -> int:
    """doveadm kick."""
    _, words = read_options("kick", arguments, "a:f")
    if not words:
        raise Usage(KICK_USAGE, complaint="Error: user and/or ip[/bits] must be specified.")
    chosen = _chosen(_ask(configuration, WhoIs()), words)
    if not chosen:
        print("no users kicked")
        return EX_NOTFOUND
    _ask(configuration, KickOut([one.session for one in chosen]))
    print("kicked connections from the following users:")
    print(" ".join(dict.fromkeys(one.user for one in chosen)))
    return 0

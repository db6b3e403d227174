"""doveadm commands of Dovecot's that are not served: why, and what does the same.

FAULTS
    Fatal  always
"""

import getopt
import os
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.tools.doveadm_commands.faults import Fatal


class _Refusal(msgspec.Struct, frozen=True):
    why: str
    socket: str = ""
    """What it would ask, below base_dir; where there is none, Dovecot says it in the same words."""


COMMANDS: Final[Mapping[str, _Refusal]] = {
    "director": _Refusal("no connection is proxied", "director-admin"),
    "dump": _Refusal("there are no index files of Dovecot's; uidlists and keywords are text"),
    "exec": _Refusal("Dovecot's programs are not here; dovecot-lda is a command"),
    "oldstats": _Refusal("no statistics are kept"),
    "rebuild": _Refusal("no keywords tell which messages have attachments"),
    "replicator": _Refusal("nothing is replicated", "replicator-doveadm"),
    "sis": _Refusal("a Maildir has no single instance storage"),
    "zlibconnect": _Refusal("use a client that knows COMPRESS"),
}


def refuse(name: str, configuration: Configuration, _form: str, arguments: Sequence[str]) -> int:
    """Say so; it never returns."""
    refusal = COMMANDS[name]
    if (
        refusal.socket
        and arguments
        and not os.path.exists(path := _socket(configuration, refusal, arguments))
    ):
        raise Fatal(f"net_connect_unix({path}) failed: No such file or directory")
    raise Fatal(f"doveadm {name} is not served: {refusal.why}")


def _socket(configuration: Configuration, refusal: _Refusal, arguments: Sequence[str]) -> str:
    """Where it would ask: -a, or below base_dir."""
    path = f"{configuration.value('base_dir')}/{refusal.socket}"
    try:
        return dict(getopt.getopt(list(arguments[1:]), "a:")[0]).get("-a", path)
    except getopt.GetoptError:
        return path

"""doveadm penalty: addresses that have tried wrong passwords, and when.

DESCRIPTION
    The auth server counts (`auth/penalties.py`); it is asked at its socket, which tells root only.

FAULTS
    Fatal  nobody listens there
"""

import os
import sys
import time
from collections.abc import Sequence
from typing import Final

from pillarbox.config.dovecot.reading import Configuration
from pillarbox.net.system_clock import SystemClock
from pillarbox.tools.auth_sockets import AuthSocket
from pillarbox.tools.doveadm_commands import output
from pillarbox.tools.doveadm_commands.faults import EX_USAGE, Fatal
from pillarbox.tools.doveadm_commands.options import extraneous, read_options
from pillarbox.vocabulary.ip_addresses import is_within, network

PENALTY_USAGE: Final = "penalty [-a <anvil socket path>] [<ip/bits>]"
_COLUMNS: Final = ("IP", "penalty", "last_penalty", "last_update")


def penalty(configuration: Configuration, form: str, arguments: Sequence[str]) -> int:
    """The count of each address, of those in a network if one is named."""
    pairs, words = read_options("penalty", arguments, "a:")
    if len(words) > 1:
        raise extraneous("penalty", words[1:])
    block = None
    if words:
        try:
            block = network(words[0])
        except ValueError:
            sys.stderr.write(f"Error: Invalid netmask '{words[0]}' given\n")
            return EX_USAGE
    path = dict(pairs).get("-a") or f"{configuration.value('base_dir')}/auth-userdb"
    if not os.path.exists(path):
        raise Fatal(f"net_connect_unix({path}) failed: No such file or directory")
    with AuthSocket(path, label="auth-master: penalty", is_master=True) as sock:
        counts = sock.penalties()
    now = SystemClock().now()
    rows = []
    for address, count, seconds in counts:
        if block is None or is_within(address, block):
            last = time.localtime(now - seconds)
            day, hour = time.strftime("%Y-%m-%d", last), time.strftime("%H:%M:%S", last)
            rows.append((address, str(count), f"{day} {hour}", hour))
    output.show(_COLUMNS, rows, form or "table")
    return 0

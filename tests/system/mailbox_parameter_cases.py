"""The world of test_mailbox_parameters_peer.py: a service of master.cf for each of its cases."""

import shlex
from collections.abc import Sequence
from typing import Final

from system.local_destination_cases import DESTINATIONS
from system.local_parameter_cases import PARAMETERS
from system.virtual_parameter_cases import VIRTUAL

CASES: Final = (*PARAMETERS, *DESTINATIONS, *VIRTUAL)
MAIN_CF: Final = """\
myhostname = mail.sender.test
recipient_delimiter = +
alias_maps = texthash:/etc/postfix/aliases
maximal_queue_lifetime = 0
smtpd_reject_unlisted_recipient = no
smtpd_recipient_restrictions = permit_mynetworks, reject
mynetworks = 127.0.0.0/8
in_flow_delay = 0
transport_maps = texthash:/etc/postfix/transport
virtual_mailbox_base = /var/virtual
virtual_mailbox_maps = texthash:/etc/postfix/mailboxes
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
"""


def _service(name: str, program: str, settings: Sequence[str] = ()) -> str:
    usual = {"home_mailbox": "", "forward_path": "/var/forward/$domain"} if program == "local" else {}
    given = dict(one.split("=", 1) for one in settings)
    options = " ".join(f"-o {{ {key} = {value} }}" for key, value in {**usual, **given}.items())
    return f"{name} unix - n n - - {program} {options}\n"


SERVICES: Final = "".join(
    [_service(f"plain{program}", program) for program in ("local", "virtual")]
    + [_service(one.name, one.program, one.settings) for one in CASES if one.settings]
)
_HOLD: Final = """\
import fcntl, os, sys, time
ready, told = os.pipe()
if os.fork():
    os.read(ready, 1)
    os._exit(0)
file = open(sys.argv[2], "a")
getattr(fcntl, sys.argv[1])(file, fcntl.LOCK_EX)
os.write(told, b"x")
time.sleep(300)
"""
"""Hold a lock of the kernel on a file; it returns when it has it."""
_COMSAT: Final = """\
import os, socket
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("127.0.0.1", 512))
if os.fork():
    os._exit(0)
while True:
    open(f"/var/out/comsat.{receiver.recv(1000)!r}", "w").close()
"""
"""Leave a file named after each datagram."""

FILES: Final = {
    "/etc/postfix/hold.py": _HOLD,
    "/etc/postfix/comsat.py": _COMSAT,
    "/etc/postfix/transport": "elsewhere.test discard:there\n"
    + "".join(f"{one.name}.test {one.service}:\n" for one in CASES),
    "/etc/postfix/mailboxes": "".join(
        f"@{one.name}.test {one.mailbox or f'{one.name}/'}\n" for one in CASES if one.program == "virtual"
    ),
    "/etc/postfix/aliases": "".join(f"{one.name}list {one.alias}\n" for one in CASES if one.alias)
    + "inner bob, carol@elsewhere.test\nowner-resetownerlist carol\nowner-inner alice\nplain dora@elsewhere.test\n"
    + "owned nobodyhere, dora@elsewhere.test\nowner-owned erna@elsewhere.test\n"
    + "owner-ownerexpandedlist erna@elsewhere.test, frida@elsewhere.test\n"
    + "owner-ownerunexpandedlist erna@elsewhere.test\nowner-ownerignoredlist erna@elsewhere.test\n"
    + "owner-ownerinnerlist carol\nowner-ownerinnerresetlist carol\nowner-ownerinnerkeptlist carol\n",
    "/etc/postfix/filter": "/^5.1.1 (.*)/ 4.1.1 not yet: $1\n",
    **{f"/etc/postfix/{one.name}": one.table + "\n" for one in CASES if one.table},
}


def _forwards() -> str:
    """Files of bob's below /var/forward."""
    rows = ["mkdir -m 1777 /var/forward"]
    for one in CASES:
        if one.forward is not None:
            place = f"/var/forward/{one.name}.test"
            rows.append(f"printf '%s' {shlex.quote(one.forward)} >{place}; chown bob {place}")
    return "\n".join(rows) + "\n"


SET_UP: Final = """\
set -e
hold() { /usr/bin/python3 /etc/postfix/hold.py "$@"; }
mkdir -m 755 /var/lists
for user in bob carol homeless; do useradd --create-home --shell /bin/sh $user; done
chmod 755 /home/bob
rm -r /home/homeless
echo 'carol@elsewhere.test' >/home/bob/.other
chown bob /home/bob/.other
/usr/bin/python3 /etc/postfix/comsat.py
mkdir -m 1777 /var/out /var/stale /var/locked /var/foreign
mkdir -m 1777 /var/boxes
touch /var/stale/bob.lock /var/locked/bob.lock
touch -d 2020-01-01 /var/stale/bob.lock
touch /var/foreign/bob && chown carol /var/foreign/bob && chmod 666 /var/foreign/bob
mkdir /var/virtual && chown 5000:5000 /var/virtual
touch /var/virtual/locked /var/virtual/locked.lock /var/virtual/foreign
chown 5000:5000 /var/virtual/locked && chmod 666 /var/virtual/foreign
"""
SET_UP_CASES: Final = _forwards() + "\n".join(one.set_up for one in CASES if one.set_up) + "\n"

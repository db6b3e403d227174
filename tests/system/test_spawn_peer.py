"""spawn(8): one master.cf for Debian's Postfix and ours, with a policy service and an echo, both run as nobody."""

import re
import smtplib
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.debian_postfix import PORT, DebianPostfix
from fakes.logs import Logging, the_line
from fakes.mail_system import PATIENCE, MailSystem
from system.conftest import new_system

pytestmark = [pytest.mark.system, pytest.mark.root]

_POLICY: Final = """\
#!/bin/sh
while read line; do
    test -n "$line" || printf 'action=REJECT asked uid %s, %s\\n\\n' "$(id -u)" "$MAIL_CONFIG"
done
"""
_ECHO_PORT: Final = 1026
_SERVICES: Final = """\
policy unix - n n - 0 spawn user=nobody argv={base}/policy
127.0.0.1:{port} inet n n n - 1 spawn
  user=nobody:nogroup argv=/bin/cat
bad unix - n n - 0 spawn user=nobody argv=/bin/sh -c {{exit 3}}
"""
_SETTINGS: Final = {"smtpd_recipient_restrictions": "check_policy_service unix:private/policy, permit"}


@pytest.fixture
def base() -> Iterator[Path]:
    """Where the policy service lies."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        path.chmod(0o755)
        (path / "policy").write_text(_POLICY)
        (path / "policy").chmod(0o755)
        yield path


def _seen(smtp: int, echo: int, spool: Path, logging: Logging) -> list[object]:
    """What clients see of the services, and what is logged."""
    with smtplib.SMTP("127.0.0.1", smtp, timeout=PATIENCE) as client:
        client.ehlo("client.example")
        client.mail("a@example.test")
        code, text = client.rcpt("me@pillarbox.test")
        refusal = code, re.sub(rb", /\S+?(?=;|$)", b", DIR", text)
    with socket.create_connection(("127.0.0.1", echo), timeout=PATIENCE) as client:
        client.sendall(b"echoed\n")
        echoed = client.recv(100)
    with socket.socket(socket.AF_UNIX) as unix:
        unix.settimeout(PATIENCE)
        unix.connect(str(spool / "private" / "bad"))
        ended = unix.recv(100)
    said = re.search(
        r"postfix/(spawn)\[\d+\]: (warning: command .*)", the_line(logging, r"spawn\[.*: command ")
    )
    assert said is not None
    mode = (spool / "private" / "policy").stat().st_mode
    return [refusal, echoed, ended, said.groups(), oct(mode)]


@pytest.mark.peer("postfix")
def test_services_are_those_of_postfix(base: Path) -> None:
    """The same answers, rights, sockets and log lines."""
    ours: MailSystem = new_system("root")
    try:
        ours.make_home()
        ours.configure(**_SETTINGS)
        echo = _ECHO_PORT + ours.offset
        with open(ours.data / "etc" / "master.cf", "a", encoding="utf-8") as file:
            file.write(_SERVICES.format(base=base, port=_ECHO_PORT))
        ours.start()
        found = _seen(ours.port("smtp"), echo, ours.data / "spool", ours)
        assert ours.stop() == 0
    finally:
        ours.end()
    peer = base / "postfix"
    peer.mkdir()
    with DebianPostfix(
        peer, settings=_SETTINGS, services=_SERVICES.format(base=base, port=_ECHO_PORT)
    ) as theirs:
        assert found == _seen(PORT, _ECHO_PORT, peer / "spool", theirs)

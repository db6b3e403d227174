"""PHP's imap extension, that is UW's c-client, and Horde's Imap_Client hear from us what they hear from Debian's Dovecot."""

import re
import subprocess
from pathlib import Path

import pytest

from fakes.client_libraries import SCRIPTS
from fakes.counterparts import program
from fakes.dovecot_pair import Server, dovecot_pair
from fakes.mail_system import PATIENCE

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot", "php-imap")]

SETTINGS = """
protocols = imap pop3
mail_location = maildir:~/Maildir
service pop3-login {
  inet_listener pop3 {
    port = {pop3}
  }
}
"""
LEAST = 150
"""Lines that the script of c-client prints."""


def said(server: Server, script: str, *arguments: str) -> list[str]:
    """What the script prints, without times, ports and codes that Dovecot 2.3 has not (RFC 5530)."""
    ports = [str(server.port), str(server.pop3)]
    done = subprocess.run(
        [program("php-imap") or "php", str(SCRIPTS / script), *ports, "me", "secret", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-500:] + done.stderr
    text = re.sub(r" \([0-9.+ ]+ secs\)\.?", "", done.stdout)
    for port in ports:
        text = text.replace(f"127.0.0.1:{port}", "SERVER")
    return re.sub(r"error: \[[A-Z]+\] ", "error: ", text).splitlines()


def test_a_day_of_php(tmp_path: Path) -> None:
    """Mailboxes, messages in all their parts, searches, sorting, threads, flags, copies, and POP3."""
    with dovecot_pair(SETTINGS) as (ours, theirs):
        heard = [said(server, "c_client_day.php", str(tmp_path / "body")) for server in (ours, theirs)]
    assert len(heard[0]) > LEAST
    assert heard[1] == heard[0]


@pytest.mark.peer("horde")
def test_a_day_of_horde() -> None:
    """The same with UTF8=ACCEPT, which Horde asks for where it is offered, and with a cache that QRESYNC keeps."""
    with dovecot_pair(SETTINGS) as (ours, theirs):
        heard = [said(server, "horde_day.php") for server in (ours, theirs)]
    assert len(heard[0]) > 60
    assert heard[1] == heard[0]

"""What leads to another host: the words of doveadm sync, and dsync_remote_cmd."""

from pathlib import Path

import pytest

from pillarbox.config.dovecot.reading import read_configuration
from pillarbox.tools.doveadm_commands.accounts import MailCommand
from pillarbox.tools.doveadm_commands.remote_syncing import Destination, destination_of, tell_of_raw_log

SSH = ("ssh", "host", "doveadm", "dsync-server")


@pytest.mark.parametrize(
    ("options", "words", "expected"),
    [
        ("", ["ssh", "host", "doveadm"], Destination((*SSH,))),
        ("", ["ssh", "host", "doveadm", "dsync-server"], Destination(SSH)),
        ("", ["ssh host doveadm"], Destination(SSH)),
        ("", ["/usr/local/bin/there"], Destination(("/usr/local/bin/there", "dsync-server"))),
        ("-u me", ["host"], Destination((*SSH, "-ume", "-U"))),
        ("-u me", ["you@host"], Destination((*SSH, "-uyou", "-U"))),
        ("", ["host"], Destination((*SSH, "-U"))),
        ("-u me", ["remote:root@host"], Destination(("ssh", "-lroot", *SSH[1:], "-ume", "-U"))),
        ("-u me", ["remoteprefix:host"], Destination((*SSH, "-ume", "-U"), is_told_user=True)),
        ("-u me", ["tcp:host:1234"], Destination(address="host:1234")),
        ("-u me", ["tcps:host"], Destination(address="host", has_tls=True)),
        ("-u me", ["maildir:/copy"], None),
        ("-u me", ["mdbox:~/copy"], None),
    ],
)
def test_destinations(options: str, words: list[str], expected: Destination | None, tmp_path: Path) -> None:
    """As Dovecot reads them."""
    command = _command(tmp_path, options)
    assert destination_of(command, words, "me") == expected


def test_no_raw_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """-r names a file that will not be there: that is said, once."""
    tell_of_raw_log(_command(tmp_path, ""))
    tell_of_raw_log(_command(tmp_path, "-r /tmp/raw"))
    assert capsys.readouterr().err == "doveadm: Warning: -r /tmp/raw: no log of what is said is written\n"


def _command(directory: Path, options: str) -> MailCommand:
    path = directory / "dovecot.conf"
    path.write_text("mail_location = maildir:~/Maildir\n")
    return MailCommand(read_configuration(str(path)), "", "sync [x]", "r:", options.split())

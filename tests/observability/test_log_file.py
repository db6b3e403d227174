"""Under which names lines stand in the log."""

from pathlib import Path

from pillarbox.observability import events
from pillarbox.observability.log_file import LogFile
from pillarbox.vocabulary.clock import ManualClock


def test_cleanup_has_a_name_of_its_own(tmp_path: Path) -> None:
    """`-o syslog_name=postfix/submission` of an smtpd is none of cleanup's, which is another service of master.cf."""
    path = tmp_path / "log"
    with path.open("wb") as file:
        log = LogFile(file.fileno(), program="smtpd", clock=ManualClock())
        tell = log.named("postfix/submission", of_cleanup="postfix")
        tell(events.ClientConnected("localhost[127.0.0.1]"))
        tell(events.MessageIdSeen("4ABC", b"<1@x>", resent=False))
        log.named("postfix/other")(events.MessageIdSeen("4ABC", b"<1@x>", resent=False))
    names = [line.split()[4].partition("[")[0] for line in path.read_text().splitlines()]
    assert names == ["postfix/submission/smtpd", "postfix/cleanup", "postfix/other/cleanup"]

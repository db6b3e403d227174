"""doveadm log: files that syslogd writes are found wherever they are, and errors with either form of time."""

import os
from pathlib import Path

import pytest

from pillarbox.config.dovecot.reading import Configuration, read_configuration
from pillarbox.tools.doveadm_commands import log

LINE = "{stamp} mail dovecot: doveadm: {prefix}This is Dovecot's {severity} log (1795878926)\n"


def configuration(directory: Path, text: str = "") -> Configuration:
    """As dovecot.conf says."""
    (directory / "dovecot.conf").write_text(text)
    return read_configuration(os.fspath(directory / "dovecot.conf"))


def test_files_of_syslogd_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also below other directories, with any name, and where nothing of Dovecot's was before."""
    logs = tmp_path / "log"
    (logs / "mail").mkdir(parents=True)
    (logs / "mail.log").write_text("an old line: This is Dovecot's fatal log (1)\n")
    (logs / "lastlog").write_text("")

    def syslogd(_configuration: Configuration) -> None:
        for name, severities in (
            ("mail/dovecot.log", ("info", "error")),
            ("everything", ("error", "warning")),
        ):
            with open(logs / name, "a", encoding="ascii") as file:
                for severity in severities:
                    file.write(LINE.format(stamp="Nov 28 15:15:26", prefix="", severity=severity))

    monkeypatch.setattr(log, "_test", syslogd)
    monkeypatch.setattr(log, "_UNTIL_WRITTEN", 0.0)
    settings = configuration(tmp_path, "log_path = syslog\ndebug_log_path = /var/log/debug\n")
    assert log.log(settings, "", ["find", str(logs)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Looking for log files from {logs}",
        "Debug: /var/log/debug",
        f"Info: {logs}/mail/dovecot.log",
        f"Warning: {logs}/everything",
        f"Error: {logs}/everything",
        f"Error: {logs}/mail/dovecot.log",
        "Fatal: Not found",
    ]
    log.log(settings, "", ["find", f"{tmp_path}/none"])
    assert f"Error: opendir({tmp_path}/none) failed: No such file or directory\n" == capsys.readouterr().err


def test_errors_have_either_form_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of old, and that of rsyslog in Debian 12; both are shown as Dovecot shows them."""
    monkeypatch.setattr(log, "_DIRECTORY", str(tmp_path))
    (tmp_path / "mail.log").write_text(
        LINE.format(stamp="Nov 27 09:05:01", prefix="Error: ", severity="error")
        + LINE.format(stamp="2026-11-28T15:15:26.809283+00:00", prefix="Fatal: ", severity="fatal")
        + LINE.format(stamp="2026-11-28T15:15:27Z", prefix="", severity="info")
    )
    monkeypatch.setenv("TZ", "UTC")
    assert [*log._errors(configuration(tmp_path))] == [
        ("Nov 27 09:05:01", "doveadm", "Error", "This is Dovecot's error log (1795878926)"),
        ("Nov 28 15:15:26", "doveadm", "Fatal", "This is Dovecot's fatal log (1795878926)"),
    ]

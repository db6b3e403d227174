"""`pillarbox check`: all that would not be as it was, before anything is stopped."""

import pwd
from itertools import zip_longest
from pathlib import Path

import pytest

from pillarbox.tools.configuration_check import check

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {base}/queue
virtual_mailbox_domains = mysql:/etc/postfix/domains.cf
virtual_alias_maps = hash:/etc/postfix/virtual, mysql:/etc/postfix/aliases.cf
smtpd_milters = inet:127.0.0.1:11332
message_size_limit = 10M
postscreen_greet_action = enforce
"""
MASTER_CF = """\
smtp inet n - y - 1 postscreen
submission inet n - y - - smtpd -o smtpd_sender_login_maps=pgsql:/etc/postfix/logins.cf
"""
DOVECOT_CONF = """\
protocols = imap lmtp sieve
ssl = no
mail_location = maildir:~/Maildir
mail_plugins = mail_crypt
passdb {
  driver = sql
  args = /etc/dovecot/dovecot-sql.conf.ext
}
userdb {
  driver = ldap
  args = /etc/dovecot/ldap.conf
}
protocol lmtp {
  mail_plugins = sieve mail_filter
}
"""


@pytest.fixture
def hosts_files(tmp_path: Path) -> Path:
    """A host with a database of users, a milter, postscreen and Sieve."""
    (tmp_path / "main.cf").write_text(MAIN_CF.format(base=tmp_path))
    (tmp_path / "master.cf").write_text(MASTER_CF)
    (tmp_path / "dovecot.conf").write_text(DOVECOT_CONF)
    return tmp_path


def test_all_that_is_refused_is_told_at_once(hosts_files: Path) -> None:
    """Each with its line, and then how many there are; nothing is made."""
    said: list[str] = []
    assert check(str(hosts_files), str(hosts_files / "dovecot.conf"), said.append) == 1
    refused = [line.removeprefix(f"refused: {hosts_files}/") for line in said if line.startswith("refused: ")]
    begun = (
        "main.cf, line 3: parameter virtual_mailbox_domains: unsupported dictionary type: mysql (",
        "main.cf, line 4: parameter virtual_alias_maps: unsupported dictionary type: mysql (",
        "master.cf, line 2: parameter smtpd_sender_login_maps: unsupported dictionary type: pgsql (",
        "main.cf, line 5: parameter smtpd_milters: milters are not served yet",
        'main.cf, line 6: parameter message_size_limit: "10M" is not',
        'master.cf, line 1: program "postscreen" of service smtp is not served',
        f"refused: Error in configuration file {hosts_files}/dovecot.conf line 6: passdb driver sql is not served",
        f"refused: Error in configuration file {hosts_files}/dovecot.conf line 10: userdb driver ldap is not served",
        f"refused: Error in configuration file {hosts_files}/dovecot.conf line 4: mail_plugins: mail_crypt is not",
        f"refused: Error in configuration file {hosts_files}/dovecot.conf line 14: mail_plugins: mail_filter is not",
    )
    assert [line[: len(start)] for line, start in zip_longest(refused, begun, fillvalue="")] == [*begun], (
        refused
    )
    warned = [line for line in said if line.startswith("warning: ")]
    assert any("postscreen_greet_action is ignored" in line for line in warned)
    assert any("protocol sieve is not served yet" in line for line in warned)
    assert said[-2].startswith(f"MTA ({hosts_files}): would not start, 6 refused, ")
    assert said[-1].startswith(f"mailbox half ({hosts_files}/dovecot.conf): would not start, 4 refused, ")
    assert sorted(path.name for path in hosts_files.iterdir()) == ["dovecot.conf", "main.cf", "master.cf"]


@pytest.mark.parametrize(
    ("text", "status", "end"), [("ssl = no\n", 0, "would start"), (None, 1, "there is no")]
)
def test_a_half_alone(tmp_path: Path, text: str | None, status: int, end: str) -> None:
    """What is not configured is no fault, unless nothing is."""
    path = tmp_path / "dovecot.conf"
    if text is not None:
        path.write_text(f"{text}mail_location = maildir:~/Maildir\nprotocols = imap\n")
    said: list[str] = []
    assert check(str(tmp_path), str(path), said.append) == status
    assert f"MTA: there is no {tmp_path}/main.cf" in said
    assert end in said[-1]


@pytest.mark.parametrize(("name", "status", "kind"), [("postfix", 0, "warning"), ("mailer", 1, "refused")])
def test_accounts_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, status: int, kind: str
) -> None:
    """Those that an installation makes are told of, and are no obstacle."""

    def found(asked: str) -> pwd.struct_passwd:
        if asked == name:
            raise KeyError(name)
        return pwd.struct_passwd((asked, "x", 70000, 70000, "", "/", ""))

    monkeypatch.setattr(pwd, "getpwnam", found)
    (tmp_path / "main.cf").write_text(f"mail_owner = {name}\ncompatibility_level = 3.6\n")
    (tmp_path / "master.cf").write_text("smtp inet n - n - - smtpd\n")
    said: list[str] = []
    assert check(str(tmp_path), str(tmp_path / "dovecot.conf"), said.append) == status
    line = f"{kind}: {tmp_path}/main.cf, line 1: parameter mail_owner: unknown user name value: {name}"
    assert [line] == [one.partition(" (`")[0] for one in said if "unknown user" in one]

"""LMTP into Dovecot's own server, from Debian's Postfix and from us: the same lines, and the same mail in the mailboxes.

Some recipients are known, one is not, and one is over quota: Dovecot says so to RCPT, or after the final dot.
"""

import re
from collections.abc import Iterator
from typing import Final

import pytest

from fakes.directories import let_others_in
from fakes.host import Host
from fakes.logs import until_logged
from fakes.mail_system import until
from fakes.outbound_world import World, until_over
from fakes.postfix_texts import normal_line

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "dovecot", "named", "unshare", "ip"),
]

_MAIN_CF: Final = """\
notify_classes =
recipient_delimiter = +
virtual_mailbox_domains = boxes.test
virtual_mailbox_maps = static:x
virtual_transport = lmtp:unix:private/dovecot-lmtp
lmtp_destination_recipient_limit = {limit}
"""
_DOVECOT_CONF: Final = """\
protocols = lmtp
listen = 127.0.0.1
ssl = no
log_path = /var/log/dovecot.log
mail_location = maildir:/var/vmail/%n
mail_uid = vmail
mail_gid = vmail
first_valid_uid = 100
recipient_delimiter = +
lmtp_rcpt_check_quota = {early}
protocol lmtp {{
  mail_plugins = quota
}}
plugin {{
  quota = maildir:User quota
  quota_rule = *:bytes=100M
}}
passdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
userdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
service lmtp {{
  unix_listener /var/spool/postfix/private/dovecot-lmtp {{
    mode = 0600
    user = postfix
    group = postfix
  }}
}}
"""
_USERS: Final = """\
known@boxes.test:{PLAIN}x::::::
other@boxes.test:{PLAIN}x::::::
full@boxes.test:{PLAIN}x::::::userdb_quota_rule=*:bytes=1
"""
MESSAGES: Final = {
    "known": ("known",),
    "detail": ("known+box",),
    "unknown": ("nobody",),
    "full": ("full",),
    "all": ("known", "nobody", "full", "other"),
}


@pytest.fixture(scope="module", params=[("50", "no"), ("50", "yes"), ("1", "yes")], ids="-".join)
def world(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[World]:
    """Both hosts, each with a Dovecot of its own."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    limit, early = request.param
    made = World(directory, (), _MAIN_CF.format(limit=limit))
    try:
        for host in (made.theirs, made.ours):
            host.output("id vmail || useradd --system --shell /usr/sbin/nologin vmail")
            host.output("mkdir -p /var/vmail && chown vmail /var/vmail")
            host.output("rm -rf /etc/dovecot; mkdir -p /etc/dovecot")
            host.write("/etc/dovecot/dovecot.conf", _DOVECOT_CONF.format(early=early))
            host.write("/etc/dovecot/users", _USERS)
            host.output("/usr/sbin/dovecot")
            until(host.file("/var/spool/postfix/private/dovecot-lmtp").exists, what="Dovecot's LMTP server")
        yield made
    finally:
        for host in (made.theirs, made.ours):
            host.run("/usr/bin/doveadm stop")
        made.end()


def _delivery_lines(host: Host, name: str) -> tuple[list[str], list[str], list[str]]:
    """What the client logs, what is in the mailboxes, and what the sender hears."""
    maildir = host.file("/home/alice/Maildir")
    old = set(maildir.glob("new/*"))
    logged = len(host.log())
    recipients = " ".join(f"{user}@boxes.test" for user in MESSAGES[name])
    host.output(f"printf 'Subject: {name}\\n\\nhello\\n' | sendmail -f alice@sender.test {recipients}")

    wanted = len(MESSAGES[name])
    lines = until_logged(host, r"postfix/lmtp\[.*status=", count=wanted, since=logged)
    assert len(lines) == wanted, lines
    until_over(host, lines[0].split(": ")[1], recipients=wanted, since=logged)
    host.output("postsuper -d ALL deferred 2>/dev/null; true")
    mail = sorted(
        f"{path.parent.parent.name} {line}"
        for path in host.file("/var/vmail").glob("*/new/*")
        for line in path.read_text().split("\n")
        if line.startswith(("Return-Path:", "Delivered-To:", "X-Original-To:", "Subject:"))
    )
    notices = sorted(
        line
        for path in set(maildir.glob("new/*")) - old
        for line in path.read_text().split("\n")
        if re.match(r"Final-Recipient|Action|Status|Remote-MTA|Diagnostic-Code|Subject", line)
    )
    return sorted(_normal(line) for line in lines), mail, notices


def _normal(line: str) -> str:
    """Without ids, and how often a connection was used: ours are kept where mail has just gone, if it comes singly, too."""
    line = re.sub(r", conn_use=\d+", "", normal_line(line))
    return re.sub(r"(2\.0\.0 <[^>]*>) \S+ Saved", r"\1 ID Saved", line)


@pytest.mark.parametrize("name", MESSAGES)
def test_the_same_as_postfix(world: World, name: str) -> None:
    """One reply for each recipient."""
    theirs, ours = (_delivery_lines(host, name) for host in (world.theirs, world.ours))
    for one, other in zip(theirs, ours, strict=True):
        assert one == other, "\n".join((*one, "--- and ours:", *other))
    assert any("status=sent" in line for line in theirs[0]) == (name not in ("unknown", "full"))

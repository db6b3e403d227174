"""docs/guides/virtual-domains.md as it stands there, on a host of either product: what it promises, and the same answers."""

import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from fakes.certificates import issue
from fakes.host import Host
from fakes.logs import until_logged
from fakes.postfix_services import MASTER_CF
from fakes.tutorial_products import play_to_both

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "dovecot", "named", "rsyslogd", "unshare", "curl"),
]

GUIDE: Final = (Path(__file__).parents[2] / "docs/guides/virtual-domains.md").read_text()
BLOCKS: Final = re.findall(r"^```(sh)?\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
_TO_ALICE: Final = "alice@one.example"
_PASSWORDS: Final = {
    "alice@one.example": "first secret",
    "bob@one.example": "second secret",
    "alice@two.example": "third secret",
}
_ASKED: Final = (
    "postmap -q bob@one.example hash:/etc/postfix/mailboxes",
    "doveadm user -f home bob@one.example",
    "doveadm auth test bob@one.example 'second secret'",
    "doveadm auth test bob@one.example wrong",
    "doveadm user '*'",
    "doveadm quota get -u '*@one.example'",
    "doveadm -f tab mailbox status -u '*' messages INBOX",
    "doveadm -f json mailbox status -u '*' 'messages unseen' INBOX",
    "doveadm -f table mailbox status -A messages INBOX",
    "doveadm -f json fetch -u 'b*' 'uid hdr.subject' mailbox INBOX all",
    "doveadm -f table fetch -u '*' hdr.subject mailbox INBOX all",
    "doveadm fetch -u 'alice@*' 'hdr.subject body' mailbox INBOX all",
    "qshape deferred",
    "postqueue -j",
    "find /var/vmail -type d -name .Trash",
)


def _set_up(host: Host, directory: Path) -> None:
    """What the guide has one write and type."""
    host.write("/etc/postfix/master.cf", MASTER_CF)
    pair = issue(directory, "mail.example.com").read_text()
    for path in ("/etc/ssl/certs/mail.example.com.pem", "/etc/ssl/private/mail.example.com.key"):
        host.write(path, pair)
    typed = []
    for shell, text in BLOCKS:
        if shell:
            typed += text.splitlines()
            continue
        first, _, rest = text.partition("\n")
        path = first.removeprefix("# ").removesuffix(", at the end")
        before = host.file(path).read_text() if path != first.removeprefix("# ") else ""
        host.write(path, before + rest)
    host.output("sed -i 's/^mydestination.*/&\\nauth_failure_delay = 0/' /etc/dovecot/dovecot.conf")
    for line in typed:
        host.output(line)


def _mail(host: Host, sender: str, recipient: str, subject: str, *, login: str = "") -> str:
    """Send a message, as a stranger or as somebody who logs in: curl's last reply, and its exit status."""
    host.write("/tmp/message", f"From: {sender}\nTo: {recipient}\nSubject: {subject}\n\nHello.\n")
    port = f"587 --ssl-reqd -k -u {shlex.quote(f'{login}:{_PASSWORDS[login]}')}" if login else "25"
    done = host.run(
        f"curl -sv smtp://127.0.0.1:{port} --mail-from {sender} --mail-rcpt {recipient} -T /tmp/message"
    )
    replies = re.findall(r"^< (\d.*)", done.stderr, re.MULTILINE)
    told = next((reply for reply in replies if reply[0] in "45"), "")
    return f"{done.returncode} {told}".replace("\r", "")


def _inbox(host: Host, user: str) -> str:
    """Mailboxes, and the subjects in INBOX."""
    asking = f"curl -sk imaps://127.0.0.1/ -u {shlex.quote(f'{user}:{_PASSWORDS[user]}')}"
    mailboxes = sorted(host.output(f"{asking} -X 'LSUB \"\" *'").splitlines())
    fetch = "FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT DELIVERED-TO)]"
    shown = host.run(f"{asking.replace('127.0.0.1/', '127.0.0.1/INBOX')} -v -X '{fetch}'").stderr
    return "\n".join(mailboxes + re.findall(r"^< ((?:Subject|Delivered-To): .*?)\r?$", shown, re.MULTILINE))


def _play(host: Host, product: str) -> dict[str, str]:
    directory = host.file("/tmp")
    _set_up(host, directory)
    if product == "original":
        host.output("/usr/lib/postfix/configure-instance.sh -")
    for port in (25, 587, 993):
        host.until_answers(port)
    said = {
        "to one": _mail(host, "s@elsewhere.test", "alice@one.example", "to one"),
        "to an alias": _mail(host, "s@elsewhere.test", "info@one.example", "to an alias"),
        "to any name": _mail(host, "s@elsewhere.test", "whoever@two.example", "to any name"),
        "to nobody": _mail(host, "s@elsewhere.test", "nobody@one.example", "to nobody"),
        "in his own name": _mail(
            host, "alice@one.example", "alice@two.example", "own", login="alice@one.example"
        ),
        "in another's name": _mail(
            host, "bob@one.example", "alice@two.example", "bob's", login="alice@one.example"
        ),
        "in an alias' name": _mail(
            host, "info@one.example", "alice@two.example", "info's", login="bob@one.example"
        ),
    }
    until_logged(host, r"status=sent", count=6)
    said |= {f"what {user} has": _inbox(host, user) for user in _PASSWORDS}
    for command in _ASKED:
        done = host.run(command)
        # Dovecot's auth server ends the fields of a login with an empty one.
        said[command] = f"{done.returncode} {done.stdout}{done.stderr}".replace("\n  \n", "\n")
    return said


@pytest.fixture(scope="module")
def said() -> tuple[dict[str, str], dict[str, str]]:
    """Theirs, ours."""
    return play_to_both(_play)


def test_what_it_promises(said: tuple[dict[str, str], dict[str, str]]) -> None:
    """Who gets what, who is refused, and whose quota is whose."""
    _, ours = said
    for name in ("to one", "to an alias", "to any name", "in his own name", "in an alias' name"):
        assert ours[name] == "0 ", name
    assert "550 5.1.1 <nobody@one.example>: Recipient address rejected: User unknown" in ours["to nobody"]
    assert "not owned by user alice@one.example" in ours["in another's name"]
    assert "Subject: to an alias" in ours["what bob@one.example has"]
    assert "Subject: to any name" in ours["what alice@two.example has"]
    assert "to any name" not in ours["what alice@one.example has"]
    quotas = ours["doveadm quota get -u '*@one.example'"]
    assert (quotas.count("1048576"), quotas.count("5242880")) == (1, 1)
    assert ours["doveadm auth test bob@one.example wrong"].startswith("77 ")


def test_the_same_of_both(said: tuple[dict[str, str], dict[str, str]]) -> None:
    """Postfix and Dovecot are set up by the guide, too."""
    theirs, ours = said
    assert [(name, theirs[name], ours[name]) for name in theirs if theirs[name] != ours[name]] == []

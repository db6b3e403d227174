"""The classic tutorial goes on: Dovecot beside Postfix, and mail readers.  Both products, as in test_tutorial.py."""

import imaplib
import poplib
from collections.abc import Iterator

import pytest

from fakes.host import Host
from fakes.host_clients import Imap, Pop3
from fakes.logs import until_logged
from fakes.tutorial_host import DOMAIN, DOVECOT_CONF, USERS
from fakes.tutorial_products import PRODUCTS, bare_host_of, in_mailbox, start_mail
from fakes.typed_smtp import logged, send, until_gone

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "dovecot", "named", "rsyslogd", "unshare"),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test for both products."""
    metafunc.parametrize("product", PRODUCTS, scope="module")


@pytest.fixture(scope="module")
def whole_host(product: str) -> Iterator[Host]:
    """Postfix runs, and Dovecot has been added."""
    with bare_host_of(product) as host:
        start_mail(host)
        host.write("/etc/dovecot/dovecot.conf", DOVECOT_CONF)
        host.output("dovecot")
        host.until_answers(143)
        yield host


def fill(host: Host, subject: str, *, user: str = "alice") -> None:
    """One message with this subject is in the user's mailbox."""
    if not in_mailbox(host, user, subject):
        until_gone(host, send(host, to=f"{user}@{DOMAIN}", subject=subject))


def test_imap_login_with_the_system_password(whole_host: Host) -> None:
    """PAM lets alice in with her password, and nobody with another."""
    fill(whole_host, "by imap")
    client = Imap(whole_host)
    assert client.login("alice", USERS["alice"])[0] == "OK"
    assert client.select()[0] == "OK"
    (found,) = client.search(None, "SUBJECT", '"by imap"')[1]
    part = client.fetch(found.decode(), "(BODY.PEEK[TEXT])")[1][0]
    assert isinstance(part, tuple)
    assert part[1] == b"Hello.\r\n"
    assert client.logout()[0] == "BYE"
    refused = Imap(whole_host)
    with pytest.raises(imaplib.IMAP4.error, match=r"\[AUTHENTICATIONFAILED\] Authentication failed\."):
        refused.login("alice", "wrong")
    refused.logout()
    until_logged(
        whole_host,
        r" dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip=127\.0\.0\.1, lip=127\.0\.0\.1, "
        r"mpid=\d+, secured, session=<[^>]+>$",
    )
    until_logged(whole_host, "auth failed, 1 attempts in ")


def test_pop3_login_with_the_system_password(whole_host: Host) -> None:
    """The same by POP3."""
    fill(whole_host, "by pop3")
    client = Pop3(whole_host)
    client.user("alice")
    client.pass_(USERS["alice"])
    count, _ = client.stat()
    subjects = {line for number in range(1, count + 1) for line in client.top(number, 0)[1]}
    assert b"Subject: by pop3" in subjects
    client.quit()
    refused = Pop3(whole_host)
    refused.user("bob")
    with pytest.raises(poplib.error_proto, match=r"-ERR \[AUTH\] Authentication failed\."):
        refused.pass_("wrong")
    refused.close()
    assert logged(whole_host, "pop3-login: Login: user=<alice>, method=PLAIN, rip=127.0.0.1, lip=127.0.0.1, ")


@pytest.mark.peer("curl")
def test_curl_reads_both_ways(whole_host: Host) -> None:
    """The tutorial's own check: curl by IMAP and by POP3."""
    fill(whole_host, "by curl", user="bob")
    login = f"-u 'bob:{USERS['bob']}'"
    url = "imap://127.0.0.1/INBOX"
    found = whole_host.output(f"curl -sS '{url}?SUBJECT%20by' {login}")
    assert found.startswith("* SEARCH ")
    number = found.split()[-1]
    assert "Subject: by curl" in whole_host.output(f"curl -sS '{url};MAILINDEX={number}' {login}")
    listing = whole_host.output(f"curl -sS pop3://127.0.0.1/ {login}")
    last = listing.split()[-2]
    assert "Subject: by curl" in whole_host.output(f"curl -sS pop3://127.0.0.1/{last} {login}")


@pytest.mark.peer("mutt")
def test_mutt_opens_the_inbox(whole_host: Host) -> None:
    """mutt over IMAP copies a message from the inbox into a file."""
    fill(whole_host, "by mutt", user="bob")
    whole_host.write(
        "/root/.muttrc",
        f'set imap_user=bob\nset imap_pass="{USERS["bob"]}"\nset ssl_starttls=no\nset ssl_force_tls=no\n'
        "set folder=imap://127.0.0.1/\nset spoolfile=+INBOX\nset record=''\n"
        "set confirmcreate=no\nset confirmappend=no\nset delete=no\nset quit=yes\nset wait_key=no\nset sort=mailbox-order\n"
        "push '<last-entry><copy-message>/root/copied<enter><quit>'\n",
    )
    whole_host.output("TERM=vt100 script -qec 'mutt -F /root/.muttrc -f +INBOX' /dev/null")
    assert "Subject: by mutt" in whole_host.file("/root/copied").read_text()


@pytest.mark.peer("mbsync")
def test_mbsync_copies_the_mailbox(whole_host: Host) -> None:
    """mbsync makes a copy of the whole account; a second run moves nothing."""
    fill(whole_host, "by mbsync")
    whole_host.write(
        "/root/.mbsyncrc",
        f'IMAPAccount a\nHost 127.0.0.1\nUser alice\nPass "{USERS["alice"]}"\nSSLType None\nAuthMechs LOGIN\n\n'
        "IMAPStore far\nAccount a\n\nMaildirStore near\nPath /root/copy/\nInbox /root/copy/INBOX\n\n"
        "Channel c\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nSyncState *\n",
    )
    whole_host.output("mkdir -p /root/copy && mbsync -a")
    copied = whole_host.listing("/root/copy/INBOX/new") + whole_host.listing("/root/copy/INBOX/cur")
    held = whole_host.listing("/home/alice/Maildir/new") + whole_host.listing("/home/alice/Maildir/cur")
    assert len(copied) == len(held) > 0
    whole_host.output("mbsync -a")
    again = whole_host.listing("/root/copy/INBOX/new") + whole_host.listing("/root/copy/INBOX/cur")
    assert sorted(again) == sorted(copied)


@pytest.mark.peer("fetchmail")
def test_fetchmail_takes_all_by_pop3(whole_host: Host) -> None:
    """fetchmail hands every message of bob's to a command, and keeps them on the server."""
    fill(whole_host, "by fetchmail", user="bob")
    whole_host.write(
        "/root/.fetchmailrc",
        f"poll 127.0.0.1 protocol pop3 user bob password '{USERS['bob']}' sslproto '' keep fetchall "
        "mda 'cat >>/root/fetched'\n",
        mode=0o600,
    )
    whole_host.output("fetchmail -f /root/.fetchmailrc")
    assert "Subject: by fetchmail" in whole_host.file("/root/fetched").read_text()

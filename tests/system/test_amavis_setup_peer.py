"""amavis as its own README has one set it up: content_filter, a port to give mail back on, XFORWARD; beside Postfix.

The filter is a program of the test's that speaks as amavisd does: it passes clean mail on to port 10025 with XFORWARD
and a header of its own, says 250 to a virus that it throws away, 554 to spam and 451 when it cannot say.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from fakes.host import Host
from fakes.logs import lines_with, until_logged
from fakes.mail_system import until
from fakes.postfix_services import SERVICES
from fakes.postfix_texts import normal_line, normal_text
from fakes.smtp_submission import SmtpClient
from fakes.tutorial_host import MAIN_CF
from fakes.tutorial_products import PRODUCTS, bare_host_of

pytestmark = [
    pytest.mark.system,
    pytest.mark.root,
    pytest.mark.peer("postfix", "named", "rsyslogd", "unshare"),
]

_MAIN_CF: Final = (
    MAIN_CF
    + """\
content_filter = smtp-amavis:[127.0.0.1]:10024
virtual_alias_maps = inline:{ { both@tutorial.test = alice, bob } }
header_checks = regexp:{ { /^Subject:/ PREPEND X-Checked: yes } }
always_bcc = archive@tutorial.test
minimal_backoff_time = 3600s
maximal_backoff_time = 3600s
notify_classes =
smtp_connection_cache_on_demand = no
"""
)
_MASTER_CF: Final = """\
smtp inet n - n - - smtpd
submission inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o content_filter=smtp-amavis:[127.0.0.1]:10026
2525 inet n - n - - smtpd
  -o content_filter= -o smtpd_proxy_filter=127.0.0.1:10024
2526 inet n - n - - smtpd
  -o content_filter= -o smtpd_proxy_filter=127.0.0.1:10024 -o smtpd_proxy_options=speed_adjust
smtp-amavis unix - - n - 2 smtp
  -o smtp_data_done_timeout=1200
  -o smtp_send_xforward_command=yes
  -o disable_dns_lookups=yes
  -o max_use=20
127.0.0.1:10025 inet n - n - - smtpd
  -o content_filter=
  -o smtpd_delay_reject=no
  -o smtpd_client_restrictions=permit_mynetworks,reject
  -o smtpd_helo_restrictions=
  -o smtpd_sender_restrictions=
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
  -o smtpd_data_restrictions=reject_unauth_pipelining
  -o smtpd_end_of_data_restrictions=
  -o smtpd_restriction_classes=
  -o mynetworks=127.0.0.0/8
  -o smtpd_error_sleep_time=0
  -o smtpd_soft_error_limit=1001
  -o smtpd_hard_error_limit=1000
  -o smtpd_client_connection_count_limit=0
  -o smtpd_client_connection_rate_limit=0
  -o receive_override_options=no_header_body_checks,no_unknown_recipient_checks,no_address_mappings
  -o local_header_rewriting_clients=
  -o smtpd_authorized_xforward_hosts=127.0.0.0/8
  -o local_recipient_maps=
  -o relay_recipient_maps=
""" + SERVICES.replace(
    "pickup\n", "pickup\n  -o content_filter=\n  -o receive_override_options=no_header_body_checks\n", 1
)
_FILTER: Final = (Path(__file__).parent / "clients" / "amavis_like.py").read_text()

MESSAGES: Final[Mapping[str, tuple[int, tuple[str, ...]]]] = {
    "clean": (25, ("alice@tutorial.test",)),
    "clean to two": (25, ("alice@tutorial.test", "bob@tutorial.test")),
    "clean to an address of two": (25, ("both@tutorial.test",)),
    "virus": (25, ("alice@tutorial.test", "bob@tutorial.test")),
    "spam": (25, ("alice@tutorial.test",)),
    "trouble": (25, ("bob@tutorial.test",)),
    "clean, before the queue": (2525, ("alice@tutorial.test",)),
    "clean to two, before the queue, stored": (2526, ("alice@tutorial.test", "bob@tutorial.test")),
    "clean, submitted": (587, ("bob@tutorial.test",)),
}
"""Subject → port and recipients; the first word is what the filter thinks of it."""


def _play(host: Host, product: str) -> dict[str, str]:
    """What the filter heard, what was logged and what was delivered, by messages."""
    host.output("useradd --create-home archive")
    host.write("/root/filter.py", _FILTER)
    host.output("/usr/bin/python3 /root/filter.py /root/heard >/root/filter.log 2>&1 &")
    for port in (10024, 10026):
        host.until_answers(port)
    host.write("/etc/postfix/main.cf", _MAIN_CF)
    host.write("/etc/postfix/master.cf", _MASTER_CF)
    host.write("/etc/aliases", "postmaster: alice\n")
    host.output("postalias /etc/aliases")
    if product == "original":
        host.output("/usr/lib/postfix/configure-instance.sh -")
    host.start_postfix()
    for port in (25, 587, 2525, 2526, 10025):
        host.until_answers(port)
    return {subject: _sent(host, subject) for subject in MESSAGES} | {
        "by sendmail": _sent(host, "by sendmail")
    }


def _sent(host: Host, subject: str) -> str:
    before, heard = len(host.log()), len(_heard(host))
    if subject == "by sendmail":
        host.output(
            "sendmail -f bob@tutorial.test alice@tutorial.test", content=f"Subject: {subject}\n\nHello.\n"
        )
    else:
        port, recipients = MESSAGES[subject]
        with SmtpClient(host, port=port) as client:
            client.submit(
                sender="bob@tutorial.test",
                recipients=recipients,
                message=f"From: bob@tutorial.test\r\nSubject: {subject}\r\n\r\nHello.\r\n.dot\r\n".encode(),
            )
    until_logged(host, r"from=<bob@tutorial\.test>, size=.*\(queue active\)", since=before)
    until(lambda: _is_over(host, before), what=lambda: f"all of it is over: {host.log()[before:]}")
    lines = [
        re.sub(r"\borig_queue_id=\w+|queued as \w+|size=\d+|message-id=\S+", "N", normal_line(line))
        for line in lines_with(
            host, r"postfix/\S*(?:smtp|smtpd|cleanup|qmgr|local|pickup|bounce)\[", since=before
        )
        if not re.search("connect from|lost connection after CONNECT|dict_nis_init", line)
    ]
    mail = [
        f"{user}: {_header(path.read_text())}"
        for user in ("alice", "bob", "archive")
        for path in host.file(f"/home/{user}/Maildir/new").glob("*")
        if f"\nSubject: {subject}\n" in path.read_text()
    ]
    return "\n".join([*sorted(lines), _heard(host)[heard:], *sorted(mail)])


def _is_over(host: Host, before: int) -> bool:
    """Whether each message that was queued is gone, or has been tried for all its recipients and waits."""
    log = host.log()[before:]
    return all(
        _was_tried(log, queue_id) for queue_id in re.findall(r"/cleanup\[\d+\]: (\w+): message-id", log)
    )


def _was_tried(log: str, queue_id: str) -> bool:
    recipients = re.search(rf" {queue_id}: from=.*nrcpt=(\d+) \(queue active\)", log)
    return f" {queue_id}: removed" in log or (
        recipients is not None
        and len(re.findall(rf" {queue_id}: to=.*status=deferred", log)) >= int(recipients[1])
    )


def _heard(host: Host) -> str:
    path = host.file("/root/heard")
    text = path.read_text() if path.exists() else ""
    text = re.sub(r"(?m)^\d+ QUIT\n", "", text)  # which may come later than all else
    return re.sub(r"(PORT|SIZE)=\d+|IDENT=\w+", r"\1=N", text)


def _header(message: str) -> str:
    header = normal_text(message.partition("\n\n")[0])
    return re.sub(r"\bid \w+|userid \d+|<\S+@mail\.tutorial\.test>(?=\n|$)", "ID", header)


@pytest.fixture(scope="module")
def played() -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Theirs, ours."""
    with ExitStack() as stack, ThreadPoolExecutor(2) as at_once:
        hosts = [stack.enter_context(bare_host_of(product)) for product in PRODUCTS]
        theirs, ours = at_once.map(_play, hosts, PRODUCTS)
        yield theirs, ours


@pytest.mark.parametrize("subject", [*MESSAGES, "by sendmail"])
def test_the_same_as_postfix(played: tuple[dict[str, str], dict[str, str]], subject: str) -> None:
    """Commands that the filter hears, log lines, headers of what is delivered."""
    theirs, ours = played
    assert theirs[subject] == ours[subject], "\n".join(
        difflib.ndiff(theirs[subject].split("\n"), ours[subject].split("\n"))
    )


def test_it_was_filtered(played: tuple[dict[str, str], dict[str, str]]) -> None:
    """Once, with what is known of the client; a header check and an archive's copy come once as well."""
    _, ours = played
    clean = ours["clean"]
    assert "10024 XFORWARD NAME=" in clean
    assert "orig_client=" in clean
    assert clean.count("X-Virus-Scanned: amavis-like at tutorial.test") == 2  # alice's and the archive's
    assert clean.count("\nX-Checked: yes\n") == 2
    assert "status=sent (250 2.7.0 Ok, discarded, id=00001-01 - INFECTED: Eicar)" in ours["virus"]
    assert (
        "status=bounced (host 127.0.0.1[127.0.0.1] said: 554 5.7.0 Reject, id=00001-01 - spam" in ours["spam"]
    )
    assert "status=deferred (host 127.0.0.1[127.0.0.1] said: 451 4.5.0 Error in processing" in ours["trouble"]
    assert "10026 MAIL FROM" in ours["clean, submitted"]
    assert "1002" not in ours["by sendmail"]

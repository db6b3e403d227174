"""Hosts of the lab, one conversation for each thing they can do; sockets on loopback, smtplib as the client."""

import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path

import dns.name
import pytest

from pillarbox.lab.behaviour import (
    CUT,
    DROP,
    GARBAGE,
    HANG_UP,
    HANG_UP_LATER,
    Behaviour,
    Rate,
    Say,
)  # fmt: skip
from pillarbox.lab.internet import Internet
from pillarbox.lab.places import on_loopback
from pillarbox.lab.scenario import Host, Scenario
from pillarbox.vocabulary.clock import ManualClock

DOES = {
    "polite": Behaviour(),
    "busy": Behaviour(replies={"connect": Say("421 4.3.2 Busy", times=1)}),
    "drops": Behaviour(replies={"MAIL": DROP}),
    "cuts": Behaviour(replies={"EHLO": CUT, "HELO": CUT}),
    "picky": Behaviour(recipients={"carol": "550 5.1.1 No such user", "dave": Say("452 4.2.2 Full", times=1)}),
    "grey": Behaviour(greylist=300.0),
    "small": Behaviour(offers=("SIZE 500",)),
    "seven": Behaviour(offers=()),
    "few": Behaviour(recipient_limit=1),
    "once": Behaviour(messages=1),
    "rate": Behaviour(rate=Rate(1, 60.0)),
    "trap": Behaviour(traps=frozenset(["trap"])),
    "secret": Behaviour(tls="good", tls_only=True, login=("user", "password")),
    "garbage": Behaviour(tls=GARBAGE),
    "hangup": Behaviour(tls=HANG_UP),
    "later": Behaviour(tls=HANG_UP_LATER),
    "nocipher": Behaviour(tls="no cipher"),
}  # fmt: skip
MESSAGE = b"Subject: hello\r\n\r\n.a line with a dot\r\n"


class Hosts:
    """All of them, and a clock."""

    def __init__(self, directory: Path) -> None:
        self.clock = ManualClock()
        scenarios = [Scenario(name=name, about="", hosts=(Host(does=does),)) for name, does in DOES.items()]
        self.internet = Internet(
            scenarios, places=on_loopback(), seed=1, directory=directory, clock=self.clock
        )
        self.internet.start()

    def client(self, name: str) -> smtplib.SMTP:
        """A connection that has been greeted."""
        return smtplib.SMTP(self.internet.address(name), self.internet.places.port, timeout=45)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """For all conversations."""
    made = Hosts(tmp_path_factory.mktemp("certificates"))
    yield made
    made.internet.stop()


def send(hosts: Hosts, name: str, *to: str, message: bytes = MESSAGE) -> str:
    """What the client hears: "sent", or the first refusal."""
    try:
        with hosts.client(name) as client:
            client.ehlo("client.test")
            refused = client.sendmail("alice@x.test", [f"{one}@y.test" for one in to or ("bob",)], message)
            return " ".join(f"{code} {text.decode()}" for code, text in refused.values()) or "sent"
    except smtplib.SMTPRecipientsRefused as fault:
        return " ".join(f"{code} {text.decode()}" for code, text in fault.recipients.values())
    except smtplib.SMTPResponseException as fault:
        return f"{fault.smtp_code} {fault.smtp_error.decode() if isinstance(fault.smtp_error, bytes) else ''}"
    except (smtplib.SMTPServerDisconnected, OSError):
        return "lost"


def test_a_polite_host_records_what_it_got(hosts: Hosts) -> None:
    """Envelope, content without dot-stuffing, and every command."""
    assert send(hosts, "polite", "bob", "carol") == "sent"
    host = hosts.internet.host("polite")
    (received,) = host.received
    assert (received.sender, received.recipients) == ("alice@x.test", ("bob@y.test", "carol@y.test"))
    assert (received.content, received.helo, received.tls) == (MESSAGE, "client.test", "")
    assert host.conversations[-1][0] == "ehlo client.test"
    assert host.conversations[-1][-1].lower() == "quit"


ANSWERS = [
    # host, recipients, what the client hears, the first time and the second
    ("busy", ("bob",), ("lost", "sent")),
    ("drops", ("bob",), ("lost", "lost")),
    ("cuts", ("bob",), ("lost", "lost")),
    ("picky", ("bob", "carol"), ("550 5.1.1 No such user",) * 2),
    ("picky", ("dave",), ("452 4.2.2 Full", "sent")),
    ("few", ("bob", "carol"), ("452 4.5.3 Too many recipients",) * 2),
    ("rate", ("bob",), ("sent", "421 4.7.28 Our system")),
    ("trap", ("trap",), ("sent", "554 5.7.1 Your address sent mail to a spam trap")),
    ("secret", ("bob",), ("530 5.7.0 Must issue a STARTTLS command first",) * 2),
]  # fmt: skip


@pytest.mark.parametrize(("name", "to", "heard"), ANSWERS, ids=[f"{row[0]}-{row[1][-1]}" for row in ANSWERS])
def test_answers(hosts: Hosts, name: str, to: tuple[str, ...], heard: tuple[str, str]) -> None:
    """Twice the same message."""
    for expected in heard:
        said = send(hosts, name, *to)
        assert said.startswith(expected) or (expected == "lost" and said.startswith("421")), said


def test_greylisting_ends(hosts: Hosts) -> None:
    """For each client, sender and recipient, by the lab's clock."""
    assert send(hosts, "grey").startswith("450 4.2.0")
    hosts.clock.advance(299)
    assert send(hosts, "grey").startswith("450 4.2.0")
    hosts.clock.advance(2)
    assert send(hosts, "grey") == "sent"
    assert send(hosts, "grey", "carol").startswith("450 4.2.0")


def test_content_that_is_not_for_the_host(hosts: Hosts) -> None:
    """Too long for SIZE, whether it is told before or not; eight bits without 8BITMIME."""
    assert send(hosts, "small", message=MESSAGE * 30).startswith("552 5.3.4")
    assert send(hosts, "seven", message=MESSAGE + "ö\r\n".encode()).startswith("554 5.6.1")
    assert send(hosts, "small") == "sent"


def test_one_message_for_each_connection(hosts: Hosts) -> None:
    """The second MAIL is the last."""
    with hosts.client("once") as client:
        client.ehlo()
        client.sendmail("alice@x.test", ["bob@y.test"], MESSAGE)
        assert client.docmd("MAIL FROM:<alice@x.test>")[0] == 421


@pytest.mark.parametrize("name", ["garbage", "hangup", "later", "nocipher"])
def test_handshakes_that_fail(hosts: Hosts, name: str) -> None:
    """STARTTLS is taken, and then there is none."""
    client = hosts.client(name)
    client.ehlo()
    with pytest.raises((ssl.SSLError, OSError, smtplib.SMTPServerDisconnected)):
        client.starttls(context=ssl._create_unverified_context())
    client.close()


@pytest.mark.parametrize(("password", "code"), [("password", 235), ("wrong", 535)])
def test_logins_over_tls(hosts: Hosts, password: str, code: int) -> None:
    """PLAIN and LOGIN, after a handshake with a certificate of the lab's authority."""
    context = ssl.create_default_context(cafile=hosts.internet.authority.path)
    context.check_hostname = False
    for mechanism in ("PLAIN", "LOGIN"):
        client = hosts.client("secret")
        client.starttls(context=context)
        client.ehlo()
        client.user, client.password = "user", password
        method = client.auth_plain if mechanism == "PLAIN" else client.auth_login
        try:
            heard = client.auth(mechanism, method)[0]
        except smtplib.SMTPAuthenticationError as fault:
            heard = fault.smtp_code
        client.quit()
        assert heard == code


def test_each_host_has_a_name(hosts: Hosts) -> None:
    """That its address leads back to (RFC 1912 §2.1)."""
    reverse = hosts.internet.zones.zones[dns.name.from_text("in-addr.arpa")].to_text()
    pointer = ".".join(reversed(hosts.internet.address("polite").split(".")))
    assert f"{pointer.removesuffix('.in-addr.arpa')} 300 IN PTR mx0.polite.test." in reverse

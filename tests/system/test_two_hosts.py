"""Two hosts, MX records between them, TLS: Pillarbox and Pillarbox, Debian's Postfix, exim4, OpenSMTPD; both ways.

And a relayhost that demands TLS and a password.
"""

from collections.abc import Iterator

import pytest

from fakes.directories import let_others_in
from fakes.host import LOG, Host
from fakes.logs import the_line, until_logged
from fakes.mail_hosts import LOGIN, PACKAGES, mail_host
from fakes.mail_system import until
from fakes.network import Network, address

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("postfix", "named", "unshare", "ip")]

PEERS = ("pillarbox", "postfix", "exim4", "opensmtpd")
ZONE = "@ IN MX 10 mail\nmail IN A {}\n"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A host of ours, `one`, and the network with everybody's zones."""
    directory = tmp_path_factory.mktemp("internet")
    let_others_in(directory)
    zones = {f"{peer}.test": ZONE.format(address(20 + at)) for at, peer in enumerate(PEERS)}
    made = Network(directory, {"one.test": ZONE.format(address(10)), **zones})
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def one(network: Network) -> Host:
    """Ours.  Debian's OpenSMTPD cannot serve TLS (its keys' process fails with OpenSSL 3): it gets clear text."""
    return mail_host(
        network, "pillarbox", "one", 10, settings="smtp_tls_policy_maps = inline:{ opensmtpd.test=none }\n"
    )


@pytest.fixture(scope="module", params=PEERS)
def peer(request: pytest.FixtureRequest, network: Network) -> tuple[str, Host]:
    """The other one."""
    kind: str = request.param
    if kind in ("exim4", "opensmtpd") and not list(PACKAGES.glob(f"{kind}*.deb")):
        pytest.fail(f"{kind} is not in {PACKAGES}: run scripts/install-peers")
    return kind, mail_host(network, kind, kind, 20 + PEERS.index(kind))


def send(host: Host, *, sender: str, recipient: str, text: str) -> None:
    """Give a message to a host, by SMTP from itself."""
    lines = [f"From: {sender}", f"To: {recipient}", f"Subject: {text}", "", f".{text}", ".."]
    content = "".join(f".{line}\r\n" if line.startswith(".") else f"{line}\r\n" for line in lines)
    commands = (
        "",
        "EHLO client.test",
        f"MAIL FROM:<{sender}>",
        f"RCPT TO:<{recipient}>",
        "DATA",
        f"{content}.",
    )
    with host.connect(25) as sock, sock.makefile("rb") as file:
        for command in commands:
            if command:
                sock.sendall(command.encode() + b"\r\n")
            while (reply := file.readline())[3:4] == b"-":
                pass
            assert reply[:1] in (b"2", b"3"), (command, reply)
        sock.sendall(b"QUIT\r\n")


def received(host: Host, subject: str, *, sender: Host) -> str:
    """The message that has come, once it has."""
    maildir = host.file("/home/alice/Maildir/new")

    def found() -> list[str]:
        texts = [path.read_text(errors="replace") for path in maildir.glob("*")]
        return [text for text in texts if f"Subject: {subject}\n" in text]

    def logs() -> str:
        return "\n".join(
            one_of.run(f"cat {name} 2>/dev/null").stdout[-3000:]
            for one_of in (sender, host)
            for name in (LOG, "/var/log/exim4/mainlog", "/var/log/smtpd.log")
        )

    (text,) = until(found, what=lambda: f"{subject} has come:\n{logs()}")
    return text


def test_we_send(one: Host, peer: tuple[str, Host]) -> None:
    """By MX and TLS; dots and the envelope arrive."""
    kind, other = peer
    send(one, sender="alice@one.test", recipient=f"alice@{kind}.test", text=f"to {kind}")
    text = received(other, f"to {kind}", sender=one)
    assert f".to {kind}\n..\n" in text
    line = the_line(one, rf"to=<alice@{kind}\.test>")
    assert f"relay=mail.{kind}.test[{address(20 + PEERS.index(kind))}]:25, delay=" in line
    assert "dsn=2.0.0, status=sent (250 " in line
    assert (f"TLS connection established to mail.{kind}.test[" in one.log()) is (kind != "opensmtpd")


def test_they_send(one: Host, peer: tuple[str, Host]) -> None:
    """The other way round, over TLS as they demand it."""
    kind, other = peer
    send(other, sender=f"alice@{kind}.test", recipient="alice@one.test", text=f"from {kind}")
    text = received(one, f"from {kind}", sender=other)
    assert f".from {kind}\n..\n" in text
    assert "(using TLSv1." in text
    assert f"Return-Path: <alice@{kind}.test>\n" in text


def test_what_nobody_takes_comes_back(one: Host, peer: tuple[str, Host]) -> None:
    """A recipient that the other side does not know: its words come back to the sender."""
    kind, _ = peer
    send(one, sender="alice@one.test", recipient=f"nobody-there@{kind}.test", text=f"lost {kind}")

    def notices() -> list[str]:
        texts = [path.read_text(errors="replace") for path in one.file("/home/alice/Maildir/new").glob("*")]
        return [
            text for text in texts if f"<nobody-there@{kind}.test>" in text and "Undelivered Mail" in text
        ]

    (notice,) = until(notices, what=lambda: one.log()[-3000:])
    assert f"Remote-MTA: dns; mail.{kind}.test\n" in notice
    assert "Diagnostic-Code: smtp; 5" in notice


def test_a_relayhost_that_demands_tls_and_a_password(network: Network, peer: tuple[str, Host]) -> None:
    """exim4 on port 587: without STARTTLS it offers no AUTH, and without AUTH it relays nothing."""
    kind, _ = peer
    if kind != "exim4":
        pytest.skip("once is enough")
    user, password = LOGIN
    settings = (
        "relayhost = [mail.exim4.test]:587\n"
        "smtp_sasl_auth_enable = yes\n"
        f"smtp_sasl_password_maps = inline:{{{{ [mail.exim4.test]:587 = {user}:{password} }}}}\n"
        "smtp_sasl_security_options = noanonymous\n"
    )
    three = mail_host(network, "pillarbox", "three", 30, settings=settings)
    send(three, sender="alice@three.test", recipient="alice@exim4.test", text="by relay")
    send(three, sender="alice@three.test", recipient="alice@one.test", text="by relay on")
    lines = until_logged(three, "status=", count=2)
    assert all("status=sent" in line for line in lines)
    assert all("relay=mail.exim4.test[" in line and "]:587," in line for line in lines)
    three.output(
        "postconf -e 'smtp_sasl_password_maps = inline:{{ [mail.exim4.test]:587 = relayuser:wrong }}'"
    )
    three.output("postfix stop")
    three.start_postfix()
    three.until_answers(25)
    send(three, sender="alice@three.test", recipient="alice@one.test", text="refused")
    line = the_line(three, "status=deferred")
    assert "dsn=4.0.0, status=deferred (SASL authentication failed; server mail.exim4.test[" in line
    assert "said: 535 Incorrect authentication data)" in line

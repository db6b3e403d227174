"""What postmaster reads of a session: both directions, bounded, and no passwords."""

from pillarbox.wire.smtp.client import Exchange, SmtpClient
from pillarbox.wire.smtp.transcript import Transcript, without_secrets


def test_both_directions() -> None:
    """Commands, each line of a reply, the final dot; no content."""
    client = SmtpClient()
    client.transcript = Transcript()
    client.receive_data(b"220 mx.test\r\n250-mx.test\r\n250 PIPELINING\r\n354 Go\r\n")
    assert client.next_reply() is not None
    client.hello(Exchange.EHLO, b"me.test")
    assert client.next_reply() is not None
    client.command(Exchange.DATA, b"DATA")
    client.content(b"secret text\r\n")
    assert client.next_reply() is not None
    client.end_of_data()
    client.quit()
    assert client.transcript.lines == [
        b"In:  220 mx.test",
        b"Out: EHLO me.test",
        b"In:  250-mx.test",
        b"In:  250 PIPELINING",
        b"Out: DATA",
        b"In:  354 Go",
        b"Out: .",
        b"Out: QUIT",
    ]
    client.transcript.clear()
    assert client.transcript.lines == []


def test_passwords_are_not_shown() -> None:
    """Neither with AUTH nor in answer to a challenge."""
    client = SmtpClient()
    client.transcript = Transcript()
    client.command(Exchange.AUTH, b"AUTH PLAIN AHVzZXIAc2VjcmV0")
    client.command(Exchange.AUTH, b"AUTH LOGIN")
    client.command(Exchange.AUTH, b"c2VjcmV0")
    assert client.transcript.lines == [b"Out: AUTH PLAIN ...", b"Out: AUTH LOGIN", b"Out: ..."]
    assert without_secrets(b"auth plain AHVz", in_login=False) == b"auth plain ..."
    assert without_secrets(b"MAIL FROM:<a@b>", in_login=False) == b"MAIL FROM:<a@b>"


def test_it_is_bounded() -> None:
    """The last lines, and the beginning of long ones."""
    transcript = Transcript()
    for number in range(1000):
        transcript.came(b"%d " % number + b"x" * 5000)
    assert len(transcript.lines) == 200
    assert transcript.lines[-1].startswith(b"In:  999 x")
    assert max(map(len, transcript.lines)) == 1005

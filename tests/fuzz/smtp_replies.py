"""Replies of an SMTP server: any bytes, in any pieces, are replies to what was asked, or end the conversation."""

from pillarbox.wire.smtp.capabilities import read_capabilities
from pillarbox.wire.smtp.client import Exchange, SmtpClient
from pillarbox.wire.smtp.replies import MalformedReply

SEEDS = [
    b"\x05220 mx\r\n250-mx\r\n250-SIZE 100\r\n250 AUTH PLAIN\r\n250 2.1.0 Ok\r\n550-5.1.1 no\r\n550 no\r\n354 go\r\n",
    b"\x01hello\n220\n421 4.3.2 bye\n",
]
DICTIONARY = [b"250-", b"250 ", b"\r\n", b"SIZE ", b"AUTH=", b" 4.7.1 "]


def fuzz_one(data: bytes) -> None:
    """A client that sends a batch, and reads what comes."""
    if not data:
        return
    step = data[0] % 16 + 1
    client = SmtpClient()
    client.hello(Exchange.EHLO, b"me.test")
    client.mail(b"a@b.test")
    client.rcpt(b"c@d.test")
    client.command(Exchange.DATA, b"DATA")
    client.end_of_data(3)
    try:
        for at in range(1, len(data), step):
            client.receive_data(data[at : at + step])
            while (answered := client.next_reply()) is not None:
                reply = answered.reply
                assert 0 <= reply.code <= 999
                assert b"\n" not in reply.text
                assert len(reply.status.split(".")) == 3
                read_capabilities(reply)
    except MalformedReply:
        return

"""Command lines and headers of sendmail: any text gives addresses, in time that grows with its length."""

from pillarbox.message.recipient_headers import HeaderRecipients, addresses_of

SEEDS = [b'To: "X Y" <a@b>, gr: c@d (x), e@f;\n\tg\nResent-Cc: h', b"<a b@c>,\\d|e [f]@g"]
DICTIONARY = [b"Resent-To:", b"Bcc:", b"<", b">", b'"', b"(", b")", b"\\", b";", b"["]


def fuzz_one(data: bytes) -> None:
    """No address holds more than the text."""
    assert sum(map(len, addresses_of(data))) <= len(data) * 2 + 2
    header = HeaderRecipients()
    for line in data.split(b"\n"):
        if not header.feed(line):
            break
    header.finish()
    assert all(isinstance(address, bytes) for address in header.recipients)

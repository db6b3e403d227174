"""What a client of SMTP says in most tests of a session."""

HELLO = b"EHLO c.test\r\n"


MAIL = b"MAIL FROM:<a@b.test>\r\n"


RCPT = b"RCPT TO:<me@box.test>\r\n"


TEXT = b"Subject: x\r\n\r\nbody\r\n.\r\n"


QUIT = b"QUIT\r\n"


DATA = [HELLO, MAIL + RCPT + b"DATA\r\n", TEXT]


def after_hello(replies: list[str]) -> list[str]:
    """Replies without EHLO's."""
    last = ("250 CHUNKING", "250 REQUIRETLS")
    return [reply for reply in replies if not reply.startswith("250-") and reply not in last]

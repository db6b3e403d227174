"""What a message's header and body go through on their way in: address rewriting, and header and body checks."""

from pillarbox.delivery.smtp.mime_downgrade import downgraded
from pillarbox.delivery.smtp.outgoing_header import rewritten
from pillarbox.filters.content_checks import ContentTables, Inspector
from pillarbox.message.address_rewriting import HeaderRewriting
from pillarbox.routing.rewriting import AddressRewriting

SEEDS = [
    b'\x03To: "Root, of all" <root>, you@there (and (me))\r\n\r\nbody\r\n',
    b"\x02Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nSubject: x\r\n y\r\n\r\nx\r\n--b--\r\n",
    b"\x01Content-Type: message/rfc822\r\n\r\nX: y\r\n\r\nx",
    b"\x05friends: a, b@c.test;, <@x,@y:a@here>",
]
DICTIONARY = [
    b"Content-Type:",
    b"Content-Transfer-Encoding: 8bit",
    b"multipart/x;",
    b"boundary=",
    b"message/rfc822",
    b"\r\n--b",
    b"--",
    b"<",
    b">",
    b'"',
    b"(",
    b"@",
    b":",
    b";",
]

REWRITING = AddressRewriting(myorigin=b"origin.test", mydomain=b"domain.test", append_dot_mydomain=True)

HEADERS = HeaderRewriting(REWRITING.rewrite_text, REWRITING.rewrite_text)


class Nothing:
    """A table without entries."""

    name = "nothing"
    partial_keys = False
    owner_uid = 0

    def query(self, key: str) -> str | None:
        """Never anything."""
        return None


NOTHING = Nothing()


def fuzz_one(data: bytes) -> None:
    """Rewriting comes to an end; checks that match nothing give back what they were given."""
    if not data:
        return
    step, content = data[0] % 7 + 1, data[1:]
    assert HEADERS.field(b"to", content).count(b"\n ") <= content.count(b"\n ")
    tables = ContentTables(
        header=(NOTHING,), mime_header=(NOTHING,), nested_header=(NOTHING,), body=(NOTHING,)
    )
    whole, cut = (Inspector(tables, lambda *_: None, lambda _: None) for _ in range(2))
    pieces = b"".join(cut.feed(content[at : at + step]) for at in range(0, len(content), step)) + cut.finish()
    assert whole.feed(content) + whole.finish() == pieces
    lines = content.split(b"\r\n")
    seven = list(downgraded(lines))
    assert list(downgraded(seven)) == seven
    assert all(b"\n" not in line for line in list(rewritten(seven, HEADERS)) if b"\n" not in content)

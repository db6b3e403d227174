"""imap_id_log."""

from pillarbox.sessions.imap.identification import told_identity

SENT = ((b"Name", b"x y"), (b"version", None), (b"od\td", b"a\nb"), (b"os", b"caf\xc3\xa9\xff"))


def test_all_fields() -> None:
    """In the client's order; what could pass for another line is not told as it is."""
    assert told_identity(SENT, ["*"]) == "Name=x y, version=NIL, od?d=a?b, os=caf\u00e9\ufffd"


def test_some_fields() -> None:
    """Whatever their case; none unless they are asked for."""
    assert told_identity(SENT, ["name", "OS"]) == "Name=x y, os=caf\u00e9\ufffd"
    assert told_identity(SENT, []) == ""

"""pop3_logout_format."""

import zlib

from pillarbox.sessions.pop3_figures import Pop3Figures, uidl_change


def test_text() -> None:
    """By the names that the format has for them."""
    figures = Pop3Figures(retr_count=2, retr_bytes=30, output=40)
    assert figures.text("%r/%b %o %u %n", uidl_change="x", user={"username": "me"}) == "2/30 40 x me"


def test_change_of_unique_ids() -> None:
    """From what was below the first that was retrieved to what is left."""
    one, two = zlib.crc32(b"1"), zlib.crc32(b"2")
    assert uidl_change(None, lowest_retrieved=1, deleted=()) == ""
    assert uidl_change([b"1", b"2"], lowest_retrieved=0, deleted=()) == f"2/{one ^ two:08x}"
    changed = uidl_change([b"1", b"2"], lowest_retrieved=2, deleted={1})
    assert changed == f"1/{one:08x} -> 1/{two:08x}"

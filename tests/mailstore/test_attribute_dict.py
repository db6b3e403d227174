"""Dovecot's dict file: what it holds, and what becomes of broken ones."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.files.file_system import DISK
from pillarbox.mailstore.dovecot_files.attribute_dict import MAX_FILE, AttributeDict, parse
from pillarbox.mailstore.mailbox import AttributesFull, StoreUnavailable
from pillarbox.vocabulary.clock import ManualClock

GUID = b"68ee300f3a4c076b8432000083ecc375"
# Written by Dovecot 2.3.19.
WRITTEN = (
    b"priv/%b/empty\n\nshared/%b/comment\nsh\n"
    b"priv/%b/vendor/vendor.dovecot/x\na\x01r\x01nbc\npriv/%b/upper\n1\n" % (GUID, GUID, GUID, GUID)
)


def test_what_dovecot_wrote(tmp_path: Path) -> None:
    """Entries of one mailbox."""
    (tmp_path / "dict").write_bytes(WRITTEN)
    known = AttributeDict(bytes(tmp_path / "dict"), DISK, ManualClock())
    expected = {
        "private/empty": b"",
        "shared/comment": b"sh",
        "private/vendor/vendor.dovecot/x": b"a\r\nbc",
        "private/upper": b"1",
    }
    assert expected == known.of_mailbox(GUID)
    assert known.of_mailbox(b"0" * 32) == {}
    known.change(GUID, {"private/upper": None, "shared/comment": b"a\tb"})
    assert (tmp_path / "dict").read_bytes() == WRITTEN.replace(b"\nsh\n", b"\na\x01tb\n").replace(
        b"priv/%b/upper\n1\n" % GUID, b""
    )
    assert [path.name for path in tmp_path.iterdir()] == ["dict"]


@given(st.dictionaries(st.sampled_from(["private/a", "shared/a", "private/b/c"]), st.binary(max_size=20)))
def test_any_values_come_back(tmp_path_factory: pytest.TempPathFactory, values: dict[str, bytes]) -> None:
    """Whatever octets they have."""
    path = tmp_path_factory.mktemp("dict") / "dict"
    AttributeDict(bytes(path), DISK, ManualClock()).change(GUID, values)
    assert values == AttributeDict(bytes(path), DISK, ManualClock()).of_mailbox(GUID)


@given(st.binary(max_size=60))
def test_any_content_is_read(content: bytes) -> None:
    """A damaged file gives what can be understood of it."""
    assert len(parse(content)) <= content.count(b"\n") // 2


def test_a_line_without_its_pair_is_left_out() -> None:
    """The end of a file that was cut."""
    assert parse(b"priv/x/a\n1\npriv/x/b\n") == {b"priv/x/a": b"1"}
    assert parse(b"priv/x/a\n1\npriv/x/b\nhalf") == {b"priv/x/a": b"1"}


def test_there_is_an_end_to_it(tmp_path: Path) -> None:
    """RFC 5464 §4.3: TOOMANY; what was there stays."""
    known = AttributeDict(bytes(tmp_path / "dict"), DISK, ManualClock())
    known.change(GUID, {"private/a": b"x"})
    with pytest.raises(AttributesFull):
        known.change(GUID, {"private/b": b"x" * MAX_FILE})
    assert known.of_mailbox(GUID) == {"private/a": b"x"}
    assert [path.name for path in tmp_path.iterdir()] == ["dict"]


def test_a_directory_that_is_missing_is_made(tmp_path: Path) -> None:
    """As Dovecot makes it, for nobody else; a look makes none."""
    path = tmp_path / "not" / "there" / "dict"
    known = AttributeDict(bytes(path), DISK, ManualClock())
    known.forget(GUID)
    assert known.of_mailbox(GUID) == {}
    assert not (tmp_path / "not").exists()
    known.change(GUID, {"private/a": b"x"})
    assert known.of_mailbox(GUID) == {"private/a": b"x"}
    assert (
        (tmp_path / "not").stat().st_mode & 0o777 == (tmp_path / "not/there").stat().st_mode & 0o777 == 0o700
    )


def test_the_secret_for_urls_that_dovecot_made(tmp_path: Path) -> None:
    """In hexadecimal digits; what is none is told, and not made anew."""
    path = tmp_path / "dict"
    path.write_bytes(b"priv/%b/vendor/vendor.dovecot/imap-urlauth\n%b\n" % (GUID, b"0f" * 64))
    known = AttributeDict(bytes(path), DISK, ManualClock())
    assert known.url_key(GUID, b"new") == b"\x0f" * 64
    known.forget_url_keys([GUID])
    assert path.read_bytes() == b""
    assert known.url_key(GUID, b"new") == b"new"
    assert path.read_bytes() == b"priv/%b/vendor/vendor.dovecot/imap-urlauth\n6e6577\n" % GUID
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"priv/%b/vendor/vendor.dovecot/imap-urlauth\nnot one\n" % GUID)
    with pytest.raises(StoreUnavailable, match="is no key"):
        AttributeDict(bytes(path), DISK, ManualClock()).url_key(GUID, b"new")

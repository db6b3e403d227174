"""Compressed mail: each of the two reads what the other has packed, under the same names and sizes."""

from pathlib import Path

import pytest

from fakes.dovecot_pair import Server, differences, dovecot_pair, play

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

SETTINGS = """\
protocols = imap lmtp
mail_location = maildir:~/Maildir
mail_plugins = zlib
protocol imap {
  mail_plugins = $mail_plugins imap_zlib
}
plugin {
  zlib_save = ALGORITHM
}
"""
MAGIC = {"gz": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd", "lz4": b"Dovecot-LZ4\r*\x9b\xc5"}
MESSAGE = b"Subject: packed\r\n\r\n" + b"The same line again and again.\r\n" * 5000
LOOK = [
    b"SELECT INBOX",
    b"FETCH 1:* (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
    b"FETCH 1:* (BODY.PEEK[TEXT]<100000.40>)",
    b'SEARCH TEXT "again and again"',
]


def files(server: Server, user: str) -> list[Path]:
    """Its messages."""
    return sorted((server.home(user) / "Maildir" / "cur").iterdir())


@pytest.mark.parametrize("algorithm", MAGIC)
def test_each_reads_the_others(algorithm: str) -> None:
    """By IMAP, after APPEND, COPY and a delivery; and the file's first octets, and the sizes in its name."""
    with dovecot_pair(SETTINGS.replace("ALGORITHM", algorithm)) as (ours, theirs):
        found = []
        for maker, reader in ((ours, theirs), (theirs, ours)):
            user = f"from-{maker.name}"
            maker.lmtp(MESSAGE.replace(b"\r\n", b"\n"), to=[user])
            play(maker, [(b"APPEND INBOX (\\Seen)", MESSAGE), b"SELECT INBOX", b"COPY 2 INBOX"], user)
            before = play(maker, LOOK, user)
            for path in files(maker, user):
                content = path.read_bytes()
                assert content.startswith(MAGIC[algorithm]), path
                assert len(content) < len(MESSAGE) / 10
            sizes = [path.name.partition(",")[2] for path in files(maker, user)]
            found.append(sorted(set(sizes)))
            maker.home(user).rename(reader.home(user))
            after = play(reader, LOOK, user)
            assert before[1:] == after[1:], differences(before, after)
        # A delivery has a Received: of another length.
        lines = MESSAGE.count(b"\n")
        stored = f"S={len(MESSAGE) - lines},W={len(MESSAGE)}:2,S"
        assert stored in found[0]
        assert stored in found[1]

"""Compressed mail: each of the two reads what the other has packed, under the same names and sizes."""

import bz2
import gzip
import poplib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
import zstandard

from fakes.dovecot_pair import Server, differences, dovecot_pair, play
from fakes.logs import until_logged
from fakes.mail_system import PATIENCE
from pillarbox.mailstore.content.file_content import packed_content

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
MAGIC = {"gz": b"\x1f\x8b", "bz2": b"BZh", "zstd": b"\x28\xb5\x2f\xfd", "lz4": b"Dovecot-LZ4\r*\x9b\xc5"}
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


PARTS = (
    b"Subject: packed\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhello needle world\n"
    + b"The same line again and again.\n" * 3000
    + b"--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n--b--\n"
)
PACKED = {
    "gz": gzip.compress(PARTS),
    "gz in two members": gzip.compress(PARTS[:1000]) + gzip.compress(PARTS[1000:]),
    "bz2": bz2.compress(PARTS),
    "zstd": zstandard.compress(PARTS),
    "zstd that does not tell its size": zstandard.ZstdCompressor(write_content_size=False).compress(PARTS),
    "zstd in two frames": zstandard.compress(PARTS[:1000]) + zstandard.compress(PARTS[1000:]),
    "lz4": packed_content(PARTS, "lz4", 0),
}
SIZES = ("", f",S={len(PARTS)}", f",W={len(PARTS) + PARTS.count(10)}")
READ = (
    "RFC822.SIZE", "BODY.PEEK[]", "BODY.PEEK[HEADER]", "BODY.PEEK[1]<0.60>", "BODY.PEEK[TEXT]<90000.40>",
    "BODY.PEEK[]<93000.4000>", "BINARY.PEEK[2]", "BINARY.SIZE[2]", "BODYSTRUCTURE", "ENVELOPE", "PREVIEW",
)  # fmt: skip
POP3 = """\
service pop3-login {
  inet_listener pop3 {
    port = {pop3}
  }
}
"""


def put(server: Server, names: Iterable[str], contents: Iterable[bytes]) -> None:
    """Files that some other program has packed."""
    maildir = server.home() / "Maildir"
    for place in ("cur", "new", "tmp"):
        (maildir / place).mkdir(parents=True)
    for name, content in zip(names, contents, strict=True):
        (maildir / "cur" / name).write_bytes(content)
    for path in (server.home(), *server.home().rglob("*")):
        shutil.chown(path, "nobody", "nogroup")


def by_pop3(server: Server) -> list[object]:
    """What a POP3 client gets."""
    client = poplib.POP3("127.0.0.1", server.pop3, timeout=PATIENCE)
    client.user("me")
    client.pass_("secret")
    numbers = range(1, client.stat()[0] + 1)
    found: list[object] = [client.list()[1]]
    found += [(client.retr(number)[1], client.top(number, 2)[1]) for number in numbers]
    client.quit()
    return found


def test_whoever_has_packed_them_all_are_read() -> None:
    """The four formats, in several pieces and without sizes, with names that tell sizes and that do not."""
    settings = SETTINGS.replace("imap lmtp", "imap pop3").replace("zlib_save = ALGORITHM", "") + POP3
    forms = [
        (f"{number:02}{sizes}", content) for content in PACKED.values() for number, sizes in enumerate(SIZES)
    ]
    names = [f"16000000{number:02}.M{name}:2,S" for number, (name, _) in enumerate(forms)]
    script = [b"SELECT INBOX", *(b"FETCH 1:* (UID %b)" % items.encode() for items in READ)]
    script += [
        b"SEARCH BODY needle",
        b"SEARCH SUBJECT packed",
        b"SEARCH LARGER 90000",
        b"STATUS INBOX (SIZE)",
    ]
    with dovecot_pair(settings) as pair:
        for server in pair:
            put(server, names, [content for _, content in forms])
        said = [play(server, script)[1:] for server in pair]
        assert said[0] == said[1], differences(*said)[:5000]
        assert said[0][-4][1].count(b" ") == len(forms) + 1, said[0][-4]
        assert by_pop3(pair[0]) == by_pop3(pair[1])


@pytest.mark.parametrize("format_of", ["gz", "bz2", "zstd", "lz4"])
def test_a_damaged_file_hides_no_other_message(format_of: str) -> None:
    """With imap_fetch_failure=no-after both tell all others, then NO; our POP3 tells of the one only when asked."""
    settings = SETTINGS.replace("imap lmtp", "imap pop3").replace("zlib_save = ALGORITHM", "") + POP3
    content = PACKED[format_of]
    sizes = "".join(SIZES)
    names = [f"160000000{number}.M1P1.h{sizes}:2,S" for number in range(3)]
    script = [b"SELECT INBOX", b"FETCH 1:* (UID BODYSTRUCTURE)", b"SEARCH BODY needle", b"NOOP"]
    with dovecot_pair("imap_fetch_failure = no-after\n" + settings) as pair:
        for server in pair:
            put(server, names, [content, content[: len(content) // 2], content])
        said = [[_untimed(answer) for answer in play(server, script)[1:]] for server in pair]
        # Of the damaged message Dovecot tells the UID alone; and finds what stands before the damage.
        theirs = [[line for line in answer if line != b"* 2 FETCH (UID 2)"] for answer in said[1]]
        theirs[1] = [line.replace(b"SEARCH 1 2 3", b"SEARCH 1 3") for line in theirs[1]]
        assert [answer[:-1] for answer in said[0]] == [answer[:-1] for answer in theirs]
        assert [answer[-1][:17] for answer in said[0]] == [b"x NO [SERVERBUG] "] * 2 + [b"x OK NOOP complet"]
        until_logged(pair[0], r"imap\(me\)<\d+><[^>]+>: Error: ")  # and the file's name
        assert f"cur/{names[1]}: message file is " in pair[0].log()
        client = poplib.POP3("127.0.0.1", pair[0].pop3, timeout=PATIENCE)
        client.user("me")
        client.pass_("secret")
        with pytest.raises(poplib.error_proto, match=r"SYS/TEMP"):
            client.retr(2)
        assert len(client.retr(3)[1]) == PARTS.count(b"\n")
        client.quit()


def _untimed(answer: list[bytes]) -> list[bytes]:
    """Without the time that Dovecot says behind an internal error."""
    return [re.sub(rb" \[\d{4}-\d\d-\d\d [0-9:]{8}\]", b"", line) for line in answer]

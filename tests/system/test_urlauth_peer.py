"""URLs that let others read a message: Dovecot's are good here, ours there, and who else may read them."""

import asyncio
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.doveadm import Doveadm
from fakes.dovecot_pair import Server, dovecot_pair
from fakes.imap_exchanges import DovecotImap, PillarboxImap, give

pytestmark = [
    pytest.mark.system,
    pytest.mark.peer("dovecot"),
    pytest.mark.skipif(not Doveadm.is_installed(), reason="doveadm is not installed"),
]

MESSAGE = b"Subject: one\r\n\r\nthe text\r\n"
APPEND = b"x APPEND INBOX {%d+}\r\n%b" % (len(MESSAGE), MESSAGE)
TEXT_URL = b"imap://tester@mail.test/INBOX/;UID=1/;SECTION=TEXT"
RUMPS = tuple(
    TEXT_URL + end for end in (b";URLAUTH=user+tester", b";URLAUTH=authuser", b";URLAUTH=anonymous")
)
GENERATE = b"x GENURLAUTH " + b" ".join(b"%b INTERNAL" % rump for rump in RUMPS)
SETTINGS = """\
protocols = imap lmtp
mail_location = maildir:~/Maildir
mail_attribute_dict = file:%h/Maildir/dovecot-attributes
imap_urlauth_host = *
imap_urlauth_port = {port}
namespace inbox {
  inbox = yes
  separator = /
}
"""


@pytest.fixture
def base() -> Iterator[Path]:
    """A directory that Dovecot's user can reach."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def theirs(base: Path, *steps: bytes) -> list[bytes]:
    """What Dovecot says."""
    for name in ("run", "state"):
        if (base / name).exists():
            (base / name).rmdir()
    server = DovecotImap(base, patience=20)
    try:
        return [server.say(step) for step in steps]
    finally:
        server.close()


def ours(base: Path, *steps: bytes) -> list[bytes]:
    """What we say."""

    async def talk() -> list[bytes]:
        async with asyncio.TaskGroup() as tasks:
            server = PillarboxImap(base, tasks)
            said = [await server.say(step) for step in steps]
            await server.close()
        return said

    said = asyncio.run(talk())
    give(base)
    return said


def urls(answer: bytes) -> list[bytes]:
    """Of `* GENURLAUTH`."""
    return re.findall(rb"imap:[^ \r]+", answer)


def test_urls_are_good_on_either_side(base: Path) -> None:
    """Those that Dovecot made are fetched here, ours there, and a key that one forgets the other has not either."""
    made = urls(theirs(base, b"x SELECT INBOX", APPEND, GENERATE)[-1])
    assert len(made) == len(RUMPS)
    fetch = b"x URLFETCH " + b" ".join(made)
    assert made == urls(ours(base, GENERATE)[0])
    told = b"".join(b"* URLFETCH %b {10}\r\nthe text\r\n\r\n" % url for url in made)
    assert ours(base, fetch)[0].startswith(told)
    assert theirs(base, fetch)[0].startswith(told)
    assert ours(base, b"x RESETKEY")[0].startswith(b"x OK")
    assert theirs(base, fetch)[0].count(b" NIL\r\n* NO ") == len(RUMPS)
    again = urls(ours(base, GENERATE)[0])
    assert again != made
    told = b"".join(b"* URLFETCH %b {10}\r\nthe text\r\n\r\n" % url for url in again)
    fetch = b"x URLFETCH " + b" ".join(again)
    for index in (base / "Maildir").glob("pillarbox*"):  # the key does not lie in what may be deleted
        index.unlink()
    assert ours(base, fetch)[0].startswith(told)
    assert theirs(base, fetch, b"x RESETKEY INBOX")[0].startswith(told)
    assert ours(base, fetch)[0].count(b"URLAUTH verification failed") == len(RUMPS)


def fetched(server: Server, user: str, url: bytes) -> list[bytes]:
    """What URLFETCH tells a user."""
    talk = server.imap(user)
    said = talk.say(b"URLFETCH " + url)
    talk.close()
    return said


def generated(server: Server, access: bytes) -> bytes:
    """A URL of `me`'s message."""
    talk = server.imap("me")
    rump = b"imap://me@mail.test:%d/INBOX/;UID=1;URLAUTH=%b" % (server.port, access)
    said = talk.say(b"GENURLAUTH %b INTERNAL" % rump)
    talk.close()
    assert said[-1].startswith(b"x OK"), said
    return urls(said[0] + b"\r")[0]


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    """Ours and Debian's."""
    with dovecot_pair(SETTINGS) as servers:
        yield servers


@pytest.mark.root
def test_other_users(pair: tuple[Server, Server]) -> None:
    """Whom the URL names may read the message, and nobody else; a wrong one tells a stranger nothing.

    Only ours is asked: Debian's imap-urlauth-login (2.3.19) ends at an assertion for every URL of another user.
    """
    server = pair[0]
    talk = server.imap("me")
    talk.say(b"APPEND INBOX", MESSAGE)
    talk.close()
    for access in (b"user+you", b"user+YOU", b"authuser", b"anonymous"):
        url = generated(server, access)
        for user in ("you", "third"):
            said = fetched(server, user, url)
            if access in (b"authuser", b"anonymous") or user == "you":
                assert b"* URLFETCH %b {%d}" % (url, len(MESSAGE)) in said
            else:
                assert b"* URLFETCH %b NIL" % url in said
    url = generated(server, b"user+you")
    assert [line for line in fetched(server, "me", url) if b"access allowed" in line]
    assert [line for line in fetched(server, "third", url) if b"access allowed" in line]
    url = generated(server, b"anonymous")
    for wrong in (
        url[:-2] + (b"00" if url[-2:] != b"00" else b"11"),
        url.replace(b"INBOX", b"nobox"),
        url.replace(b"UID=1", b"UID=9"),
        url.replace(b"me@", b"nobody.there@"),
        url.replace(b"me@", b"..@"),
    ):
        refused = fetched(server, "you", wrong)
        assert refused[-1] == b"x OK URLFETCH completed"
        assert b"* URLFETCH %b NIL" % wrong in refused
        assert [line for line in refused if line.endswith(b": URLAUTH verification failed.")], refused

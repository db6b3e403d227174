"""The spawner's questions to the auth server, and what answers mean."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pillarbox.daemons.account_lookup import AccountLookup, FoundAccount, NoAccount
from pillarbox.net.handover import DeliverMail

ANSWERS = [
    (
        "an account",
        b"USER\t1\tme\tuid=1000\tgid=1000\thome=/h/\xc3\xa9",
        FoundAccount(b"me", 1000, 1000, {b"uid": b"1000", b"gid": b"1000", b"home": b"/h/\xc3\xa9"}),
    ),
    ("nobody", b"NOTFOUND\t1", NoAccount("userdb does not know the user", b"550 5.1.1 User doesn't exist")),
    ("a fault", b"FAIL\t1", NoAccount("userdb lookup failed")),
    ("no owner", b"USER\t1\tme\thome=/h", NoAccount("userdb gave no uid or gid")),
    (
        "a home in another charset",
        b"USER\t1\tme\tuid=1000\tgid=1000\thome=/h/\xe9",
        NoAccount("userdb gave a home that is not UTF-8: /h/\\xe9"),
    ),
]


@pytest.mark.parametrize(("name", "answer", "expected"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_answers(name: str, answer: bytes, expected: FoundAccount | NoAccount, tmp_path: Path) -> None:
    """Whatever is found can be handed to a worker, or is refused: the spawner serves all users."""
    heard: list[Callable[[], None]] = []
    found: list[FoundAccount | NoAccount] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "auth"))
        server.listen()
        lookup = AccountLookup(
            str(tmp_path / "auth"), opened=lambda _sock, hear: heard.append(hear), closing=lambda _sock: None
        )
        lookup.ask(DeliverMail(1, "me", "", "s"), found.append)
        with server.accept()[0] as line:
            line.sendall(b"VERSION\t1\t1\n" + answer + b"\n")
            while not found:
                heard[0]()
        for sock in lookup.sockets:
            sock.close()
    assert found == [expected]

"""passwd-file as passdb and userdb."""

import asyncio
import hashlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pillarbox.auth.passwd_file import PasswdFile
from pillarbox.auth.user_database import (
    DatabaseFault,
    LoginRequest,
    PasswordRight,
    PasswordWrong,
    UnknownUser,
    Verdict,
)
from pillarbox.vocabulary.secret import Secret

T = TypeVar("T")

LINES = """# people
a@d.example:{PLAIN}pw::::d.example/a::
b@d.example:{PLAIN}pw:1001:1002::/home/b::userdb_quota_rule=*:bytes=5M
c@d.example:{PLAIN}pw::::/c::allow_nets=127.0.0.0/8 own=x
d@d.example:{PLAIN}pw::::/d::proxy=y host=10.0.0.1
e@d.example:{ROT13}cj::::/e::
f@d.example:d2d8cdc6a84ab7b1e8c2c0dc2fb3f8e8::::/f::
g@d.example:::::/g::nopassword=y
"""


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine."""
    return asyncio.run(work)


def check(users: PasswdFile, user: str, password: bytes) -> Verdict:
    """The database's verdict."""
    return run(users.verify(LoginRequest(user=user), Secret(password)))


def database(tmp_path: Path, options: str = "") -> PasswdFile:
    """A database over the lines above."""
    path = tmp_path / "users"
    path.write_text(LINES)
    return PasswdFile(f"{options} {path}")


CHECKS: list[tuple[str, str, bytes, Verdict]] = [
    ("right", "a@d.example", b"pw", PasswordRight()),
    ("wrong", "a@d.example", b"no", PasswordWrong("Password mismatch")),
    ("empty", "a@d.example", b"", PasswordWrong("Password mismatch")),
    ("nobody", "x@d.example", b"pw", UnknownUser()),
    ("fields come along", "c@d.example", b"pw", PasswordRight({"allow_nets": "127.0.0.0/8", "own": "x"})),
    ("no password is needed", "g@d.example", b"any", PasswordRight({"nopassword": "y"})),
]


@pytest.mark.parametrize(("name", "user", "password", "expected"), CHECKS, ids=[case[0] for case in CHECKS])
def test_passwords(tmp_path: Path, name: str, user: str, password: bytes, expected: Verdict) -> None:
    """Right, or why not; asked twice, the same answer (a right one is remembered)."""
    users = database(tmp_path)
    assert check(users, user, password) == expected
    assert check(users, user, password) == expected


@pytest.mark.parametrize(("user", "field"), [("d", "proxy"), ("e", "ROT13")])
def test_what_is_not_served_lets_nobody_in(tmp_path: Path, user: str, field: str) -> None:
    """A field that would send somebody elsewhere, or a scheme that nobody knows, is a fault and no login."""
    with pytest.raises(DatabaseFault, match=field):
        check(database(tmp_path), f"{user}@d.example", b"pw")


def test_scheme_and_name_format_of_args(tmp_path: Path) -> None:
    """`scheme=` is for passwords without one, `username_format=` for what stands in the file."""
    path = tmp_path / "users"
    path.write_text("a:pw\nb:8fe4c11451281c094a6578e6ddbf5eed\n")
    assert check(PasswdFile(f"scheme=PLAIN username_format=%n {path}"), "a@d", b"pw") == PasswordRight()
    assert check(PasswdFile(f"scheme=PLAIN-MD5 {path}"), "b", b"pw") == PasswordRight()


def test_a_file_for_each_domain(tmp_path: Path) -> None:
    """The path may have the domain in it, and no way out of its directory."""
    (tmp_path / "d.example").write_text("a:{PLAIN}one\n")
    (tmp_path / "e.example").write_text("a:{PLAIN}two\n")
    users = PasswdFile(f"username_format=%n {tmp_path}/%d")
    assert check(users, "a@d.example", b"one") == PasswordRight()
    assert check(users, "a@e.example", b"one") == PasswordWrong("Password mismatch")
    for name in ("a@../etc", "a@.."):
        with pytest.raises(DatabaseFault):
            check(users, name, b"one")


def test_accounts(tmp_path: Path) -> None:
    """uid, gid and home of the line, and userdb_ fields without their prefix."""
    users = database(tmp_path)
    assert run(users.lookup(LoginRequest(user="a@d.example"))) == {"home": "d.example/a"}
    assert run(users.lookup(LoginRequest(user="b@d.example"))) == {
        "uid": "1001",
        "gid": "1002",
        "home": "/home/b",
        "quota_rule": "*:bytes=5M",
    }
    assert run(users.lookup(LoginRequest(user="x@d.example"))) is None
    assert run(users.users())[:2] == ["a@d.example", "b@d.example"]


def test_a_changed_password_counts_at_once_and_the_old_one_no_more(tmp_path: Path) -> None:
    """A remembered login does not outlive the stored password."""
    users = database(tmp_path)
    assert check(users, "a@d.example", b"pw") == PasswordRight()
    (tmp_path / "users").write_text(LINES.replace("a@d.example:{PLAIN}pw", "a@d.example:{PLAIN}new1"))
    assert check(users, "a@d.example", b"pw") == PasswordWrong("Password mismatch")
    assert check(users, "a@d.example", b"new1") == PasswordRight()


def test_a_missing_file_is_a_fault_and_no_refusal(tmp_path: Path) -> None:
    """Nobody is refused for good because a file is away."""
    with pytest.raises(DatabaseFault, match="none"):
        check(PasswdFile(str(tmp_path / "none")), "a@d.example", b"pw")


def test_who_was_right_once_is_no_other_user_of_the_same_line(tmp_path: Path) -> None:
    """{DIGEST-MD5} is of the whole name, of which `username_format` leaves a part."""
    path = tmp_path / "users"
    digest = hashlib.md5(b"a:d.example:pw", usedforsecurity=False).hexdigest()
    path.write_text(f"a:{{DIGEST-MD5}}{digest}::::/a::\n")
    users = PasswdFile(f"username_format=%n {path}")
    names = ("a@e.example", "a@d.example", "a@e.example", "a@d.example")
    verdicts = [check(users, name, b"pw") for name in names]
    assert verdicts == [PasswordWrong("Password mismatch"), PasswordRight()] * 2

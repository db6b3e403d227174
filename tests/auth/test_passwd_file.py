"""passwd-file as passdb and userdb."""

from pathlib import Path

import pytest

from pillarbox.auth.passwd_file import PasswdFile
from pillarbox.auth.user_database import DatabaseFault, UserAccount
from pillarbox.vocabulary.secret import Secret

LINES = """# people
a@d.example:{PLAIN}pw::::d.example/a::
b@d.example:{PLAIN}pw:1001:1002::/home/b::userdb_quota_rule=*:bytes=5M
c@d.example:{PLAIN}pw::::/c::allow_nets=127.0.0.0/8
d@d.example:{PLAIN}pw::::/d::nologin
e@d.example:{ROT13}cj::::/e::
"""


def database(tmp_path: Path) -> PasswdFile:
    """A database over the lines above."""
    path = tmp_path / "users"
    path.write_text(LINES)
    return PasswdFile(str(path), default_uid=900, default_gid=901)


CHECKS = [
    ("right", "a@d.example", b"pw", None),
    ("right, capitals", "A@D.Example", b"pw", None),
    ("wrong", "a@d.example", b"no", "Password mismatch"),
    ("empty", "a@d.example", b"", "Password mismatch"),
    ("nobody", "x@d.example", b"pw", "unknown user"),
    ("userdb fields are no obstacle", "b@d.example", b"pw", None),
]


@pytest.mark.parametrize(("name", "user", "password", "expected"), CHECKS, ids=[case[0] for case in CHECKS])
def test_passwords(tmp_path: Path, name: str, user: str, password: bytes, expected: str | None) -> None:
    """Right, or why not; asked twice, the same answer (a right one is remembered)."""
    users = database(tmp_path)
    assert users.check(user, Secret(password)) == expected
    assert users.check(user, Secret(password)) == expected


@pytest.mark.parametrize(("user", "field"), [("c", "allow_nets"), ("d", "nologin"), ("e", "ROT13")])
def test_what_is_not_served_lets_nobody_in(tmp_path: Path, user: str, field: str) -> None:
    """A field that would keep somebody out, or a scheme that nobody knows, is a fault and no login."""
    with pytest.raises(DatabaseFault, match=field):
        database(tmp_path).check(f"{user}@d.example", Secret(b"pw"))


def test_accounts(tmp_path: Path) -> None:
    """uid and gid of the line, or the defaults."""
    users = database(tmp_path)
    assert users.account("a@d.example") == UserAccount("a@d.example", 900, 901, "d.example/a")
    assert users.account("b@d.example") == UserAccount("b@d.example", 1001, 1002, "/home/b")
    assert users.account("x@d.example") is None


def test_a_changed_password_counts_at_once_and_the_old_one_no_more(tmp_path: Path) -> None:
    """A remembered login does not outlive the stored password."""
    users = database(tmp_path)
    assert users.check("a@d.example", Secret(b"pw")) is None
    (tmp_path / "users").write_text(LINES.replace("a@d.example:{PLAIN}pw", "a@d.example:{PLAIN}new1"))
    assert users.check("a@d.example", Secret(b"pw")) == "Password mismatch"
    assert users.check("a@d.example", Secret(b"new1")) is None


def test_a_missing_file_is_a_fault_and_no_refusal(tmp_path: Path) -> None:
    """Nobody is refused for good because a file is away."""
    users = PasswdFile(str(tmp_path / "none"), default_uid=1, default_gid=1)
    with pytest.raises(DatabaseFault, match="none"):
        users.check("a@d.example", Secret(b"pw"))

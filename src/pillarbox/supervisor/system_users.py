"""The users that roles become when the system is started as root.

DESCRIPTION
    postfix (mail_owner), dovecot (inner roles), dovenull (logins), vmail (mailboxes): those that are missing are
    made with useradd(8), as the Debian packages of the originals make them.

FAULTS
    StartFault  useradd is missing or refuses
"""

import pwd
import subprocess

import msgspec

from pillarbox.net.startup import User
from pillarbox.supervisor.listeners import StartFault


class Owners(msgspec.Struct, frozen=True):
    """uid and gid of each."""

    mail_owner: User
    dovecot: User
    dovenull: User
    vmail: User


def system_users() -> Owners:
    """The users, made if they are missing."""
    return Owners(_user("postfix"), _user("dovecot"), _user("dovenull"), _user("vmail"))


def _user(name: str) -> User:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        try:
            subprocess.run(
                [*command, "--shell", "/usr/sbin/nologin", name],
                check=True,
                capture_output=True,
                timeout=30,
                text=True,
            )
        except FileNotFoundError:
            raise StartFault(f"cannot make user {name}: useradd is not installed") from None
        except subprocess.CalledProcessError as error:
            raise StartFault(f"cannot make user {name}: {error.stderr.strip()}") from None
        entry = pwd.getpwnam(name)
    return User(entry.pw_uid, entry.pw_gid)

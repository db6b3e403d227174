"""passwd-file: users in lines of eight fields, as Dovecot's passdb and userdb of that name read them.

DESCRIPTION
    `user:password:uid:gid:gecos:home:shell:extra` — the eighth field takes the rest, colons and all.  Empty
    lines and lines that begin with `#` or `:` are skipped.  Extra fields are `key=value` or `key`, separated by
    blanks; `userdb_x` belongs to the userdb.

    One parser serves all who read the file: authentication takes passwords, `passwd-file:` lookup tables
    (virtual_mailbox_maps) take names and homes and let the passwords go.

FAULTS
    ConfigurationFault  a user who stands in the file twice, a uid that is no number

STANDARDS
    Dovecot 2.3 passwd-file (AuthDatabase.PasswdFile)
"""

from collections.abc import Iterator

import msgspec

from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.vocabulary.secret import Secret


class PasswdFileEntry(msgspec.Struct, frozen=True):
    """One line.  uid and gid are numbers or names as written, empty if not given."""

    user: str
    password: Secret
    uid: str
    gid: str
    home: str
    extra: tuple[tuple[str, str], ...]
    has_account: bool = True  # there is more than a name and a password


def read_passwd_file(content: bytes, *, path: str) -> Iterator[PasswdFileEntry]:
    """The users of a file, in its order."""
    seen: set[str] = set()
    for number, raw in enumerate(content.split(b"\n"), start=1):
        line = raw.removesuffix(b"\r")
        if not line or line[:1] in (b"#", b":"):
            continue
        entry = _entry(line)
        if entry.user in seen:
            raise ConfigurationFault(
                f"{path}, line {number}",
                f"User {entry.user} exists more than once",
                mend="remove one of the lines",
            )
        seen.add(entry.user)
        yield entry


def _entry(line: bytes) -> PasswdFileEntry:
    fields = line.decode("utf-8", "surrogateescape").split(":", 7)
    has_account = len(fields) > 2
    fields += [""] * (8 - len(fields))
    user, password, uid, gid, _, home, _, extra = fields
    words = (word.partition("=") for word in extra.split())
    return PasswdFileEntry(
        user,
        Secret(password.encode("utf-8", "surrogateescape")),
        uid,
        gid,
        home,
        tuple((key, value) for key, _, value in words),
        has_account,
    )

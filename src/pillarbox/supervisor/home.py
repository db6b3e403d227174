"""The directory of the embedded default: a whole mail system, made at the first start (first_run.py).

etc/main.cf, etc/master.cf   configuration, Postfix's grammar
etc/dovecot.conf             if there is one: settings of the mailbox half
etc/users                    passwd-file of the users (0600)
etc/password                 the generated password of the first user (0600)
etc/self-signed.pem, .key    certificate for TLS
spool/  lib/  run/           queue, data and sockets
mail/                        mailboxes
log/mail.log                 the log
"""

import os
from pathlib import Path
from typing import Final

import msgspec

DOMAIN: Final = "pillarbox.test"
USER: Final = f"me@{DOMAIN}"
"""The first user."""


class Home(msgspec.Struct, frozen=True):
    """Where everything is."""

    root: Path

    @property
    def etc(self) -> Path:
        """Configuration."""
        return self.root / "etc"

    @property
    def users(self) -> Path:
        """The passwd-file."""
        return self.etc / "users"

    @property
    def password(self) -> Path:
        """The first user's password."""
        return self.etc / "password"

    @property
    def log(self) -> Path:
        """The log."""
        return self.root / "log" / "mail.log"

    def status_socket(self, half: str) -> str:
        """Where a supervisor answers."""
        return str(self.root / "run" / f"{half}.status")


def default_root() -> Path:
    """/var/lib/pillarbox for root, ~/.local/share/pillarbox for everybody else."""
    if os.getuid() == 0:
        return Path("/var/lib/pillarbox")
    share = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(share) / "pillarbox"

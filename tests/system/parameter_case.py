"""A case of test_mailbox_parameters_peer.py: a service with settings of its own, and a message for it."""

from collections.abc import Sequence
from typing import Final

import msgspec

OUT: Final = "/var/out"
"""A directory that everybody may write to, whose files are compared."""

_SENDER: Final = "alice@sender.test"
TEXT: Final = b"Message-Id: <1@sender.test>\r\nDate: Tue, 1 Dec 2026 00:00:00 +0000\r\nFrom: alice@sender.test\r\n\r\nx\r\n"
ODD_TEXT: Final = (
    TEXT
    + b"From here\r\n>From there\r\n\r\nFrom \r\nfrom x\r\n.dot\r\n\x00\x01\xff\xc3\xa9\ttab \r\n a\rb\r\n"
    + b"y" * 5000
    + b"From z\r\n\r\n\r\n"
)
"""With what mailboxes quote, and what they have to leave alone."""


class ParameterCase(msgspec.Struct, frozen=True, kw_only=True):
    """A service of master.cf with settings of its own, and a message for it."""

    name: str
    settings: Sequence[str]
    user: str = "bob"  # at NAME.test
    alias: str = ""  # of NAMElist, to which the message goes then
    extension: str = ""  # of that, with its delimiter
    forward: str | None = None  # what is in bob's .forward file, /var/forward/NAME.test
    mailbox: str = ""  # of virtual(8), below /var/virtual; else NAME/
    table: str = ""  # content of /etc/postfix/NAME
    set_up: str = ""  # for a shell
    program: str = "local"
    message: bytes = TEXT
    sender: str = _SENDER
    parameters: tuple[str, str] = ("", "")
    command: tuple[str, ...] = ()

    @property
    def service(self) -> str:
        """Whose it is; what has no settings of its own is done by one service for all."""
        return self.name if self.settings else f"plain{self.program}"

    @property
    def recipients(self) -> tuple[str, ...]:
        """Addresses."""
        return (f"{f'{self.name}list{self.extension}' if self.alias else self.user}@{self.name}.test",)

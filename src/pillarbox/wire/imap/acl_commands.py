"""The commands of ACL as values.

STANDARDS
    RFC 4314 §3
"""

from pillarbox.wire.imap.commands import Command


class GetAcl(Command, frozen=True):
    """`"GETACL" SP mailbox`  RFC 4314 §3.3"""

    mailbox: str


class MyRights(Command, frozen=True):
    """`"MYRIGHTS" SP mailbox`  RFC 4314 §3.5"""

    mailbox: str


class ListRights(Command, frozen=True):
    """`"LISTRIGHTS" SP mailbox SP identifier`  RFC 4314 §3.4"""

    mailbox: str
    identifier: bytes


class SetAcl(Command, frozen=True):
    """`"SETACL" SP mailbox SP identifier SP mod-rights`  RFC 4314 §3.1"""

    mailbox: str
    identifier: bytes
    rights: bytes


class DeleteAcl(Command, frozen=True):
    """`"DELETEACL" SP mailbox SP identifier`  RFC 4314 §3.2"""

    mailbox: str
    identifier: bytes

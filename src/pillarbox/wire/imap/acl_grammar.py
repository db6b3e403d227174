"""Commands about access lists.

FAULTS
    BadSyntax, Refusal  as `scanner` says.

STANDARDS
    RFC 4314 (ACL)
"""

from pillarbox.wire.imap.acl_commands import DeleteAcl, GetAcl, ListRights, MyRights, SetAcl
from pillarbox.wire.imap.scanner import Scanner


def get_acl(tag: bytes, scanner: Scanner) -> GetAcl:
    """`getacl = "GETACL" SP mailbox`"""
    scanner.space_or("Missing arguments")
    return GetAcl(tag, scanner.mailbox())


def my_rights(tag: bytes, scanner: Scanner) -> MyRights:
    """`myrights = "MYRIGHTS" SP mailbox`"""
    scanner.space_or("Missing arguments")
    return MyRights(tag, scanner.mailbox())


def list_rights(tag: bytes, scanner: Scanner) -> ListRights:
    """`listrights = "LISTRIGHTS" SP mailbox SP identifier`"""
    scanner.space_or("Missing arguments")
    mailbox = scanner.mailbox()
    scanner.space_or("Missing arguments")
    return ListRights(tag, mailbox, scanner.astring())


def set_acl(tag: bytes, scanner: Scanner) -> SetAcl:
    """`setacl = "SETACL" SP mailbox SP identifier SP mod-rights`"""
    scanner.space_or("Missing arguments")
    mailbox = scanner.mailbox()
    scanner.space_or("Missing arguments")
    identifier = scanner.astring()
    scanner.space_or("Missing arguments")
    return SetAcl(tag, mailbox, identifier, scanner.astring())


def delete_acl(tag: bytes, scanner: Scanner) -> DeleteAcl:
    """`deleteacl = "DELETEACL" SP mailbox SP identifier`"""
    scanner.space_or("Missing arguments")
    mailbox = scanner.mailbox()
    scanner.space_or("Missing arguments")
    return DeleteAcl(tag, mailbox, scanner.astring())

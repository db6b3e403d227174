"""Commands about quotas.

FAULTS
    BadSyntax, Refusal  as `scanner` says.

STANDARDS
    RFC 2087, RFC 9208 (QUOTA)
"""

from pillarbox.wire.imap.commands import GetQuota, GetQuotaRoot, SetQuota
from pillarbox.wire.imap.scanner import Scanner

MAX_LIMIT = (1 << 63) - 1


def get_quota(tag: bytes, scanner: Scanner) -> GetQuota:
    """`"GETQUOTA" SP quota-root-name`"""
    scanner.space_or("Missing arguments")
    return GetQuota(tag, scanner.astring())


def get_quota_root(tag: bytes, scanner: Scanner) -> GetQuotaRoot:
    """`"GETQUOTAROOT" SP mailbox`"""
    scanner.space_or("Missing arguments")
    return GetQuotaRoot(tag, scanner.mailbox())


def set_quota(tag: bytes, scanner: Scanner) -> SetQuota:
    """`"SETQUOTA" SP quota-root-name SP "(" [resource-name SP limit *(SP …)] ")"`"""
    scanner.space()
    root = scanner.astring()
    scanner.space()
    scanner.expect_open()
    limits: list[tuple[bytes, int]] = []
    while not scanner.take_close():
        if limits:
            scanner.space()
        name = scanner.word()
        scanner.space()
        limits.append((name, scanner.number(maximum=MAX_LIMIT)))
    return SetQuota(tag, root, tuple(limits))

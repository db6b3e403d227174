"""A recipient on its way through aliases and files: what is known at each step."""

from typing import Final

import msgspec

from pillarbox.delivery.local.frames import Account, Recipient

ALIAS: Final = "alias"
FORWARD: Final = "forward"
INCLUDE: Final = "include"

_NEVER_SPLIT: Final = frozenset((b"postmaster", b"mailer-daemon", b"double-bounce"))


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One step; a later one is a changed copy.  Addresses are in internal form."""

    address: bytes
    original: bytes
    sender: bytes
    notify: int = 0
    dsn_original: bytes = b""
    level: int = 0
    delivered: bytes | None = None  # for Delivered-To: and for loops
    owner: bytes | None = None  # who hears of problems; set: addresses are forwarded, not delivered to here
    source: str = ""  # alias, forward, include: where the address stands
    source_name: bytes | None = None  # the alias or user that it stands for
    unmatched: bytes | None = None  # extension, with its delimiter, that is added to results
    owner_alias: bool = False  # the sender was replaced by an alias's owner
    account: Account | None = None  # whose rights commands and files get; None: those of default_privs

    def deeper(self) -> "State":
        """One level further into what aliases and files list."""
        return msgspec.structs.replace(self, level=self.level + 1)

    def parts(self, delimiters: bytes, *, owner_request_special: bool) -> "Parts":
        """The address taken apart, in lower case; without an extension, with the delimiter that it would have."""
        address = self.address.lower()
        local, at, domain = address.rpartition(b"@")
        if not at:
            local, domain = address, b""
        user, delimiter, extension = split_extension(
            local, delimiters, owner_request_special=owner_request_special
        )
        if extension is not None and b"/" in extension:  # it may become part of a file's name
            return Parts(user, domain, user, None, delimiters[:1], illegal=True)
        return Parts(local, domain, user, extension, delimiter or delimiters[:1])


class Parts(msgspec.Struct, frozen=True):
    """An address in its parts."""

    local: bytes
    domain: bytes
    user: bytes
    extension: bytes | None
    delimiter: bytes
    illegal: bool = False  # it had an extension that cannot be one


def split_extension(
    local: bytes, delimiters: bytes, *, owner_request_special: bool
) -> tuple[bytes, bytes, bytes | None]:
    """User, delimiter and extension; (local, b"", None) if there is none.

    Names of the mail system itself are never split, nor, where `-` delimits, owner-x and x-request.
    """
    if local.lower() in _NEVER_SPLIT:
        return local, b"", None
    if (
        b"-" in delimiters
        and owner_request_special
        and (local.startswith(b"owner-") or local.endswith(b"-request"))
    ):
        return local, b"", None
    cut = min((at for delimiter in delimiters if (at := local.find(delimiter)) >= 0), default=0)
    if cut == 0:
        return local, b"", None
    return local[:cut], local[cut : cut + 1], local[cut + 1 :]


def recipient_of(state: State, parts: Parts) -> Recipient:
    """What an agent is told of it."""
    return Recipient(
        address=state.address,
        original=state.original,
        delivered=state.delivered if state.delivered is not None else state.address,
        sender=state.sender,
        local=parts.local,
        user=parts.user,
        domain=parts.domain,
        extension=parts.extension,
        delimiter=parts.delimiter,
    )

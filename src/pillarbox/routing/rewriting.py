"""Addresses brought to standard form, as trivial-rewrite(8) does it for the local context.

DESCRIPTION
    An address without `@` is completed: `site!user` becomes user@site (swap_bangpath), `user%domain` becomes
    user@domain (allow_percent_hack), anything else is given $myorigin (append_at_myorigin).  A domain without a
    dot is given $mydomain (append_dot_mydomain), and a final dot goes; a route (`@site:`) goes.

    All of this is done to the tokens of an address in external form: in quotes, `%` and `!` mean nothing.

    Envelope addresses of all mail are brought to this form; those in headers only if the client is local.

STANDARDS
    ADDRESS_REWRITING_README; RFC 5321 appendix C (routes)
"""

import re
from typing import Final

import msgspec

from pillarbox.config.parameters.cleanup import Cleanup
from pillarbox.config.parameters.identity import Identity
from pillarbox.config.snapshot import Snapshot
from pillarbox.message.address_lists import external_form
from pillarbox.message.address_tokens import Kind, Token, internal_form, tokens_of
from pillarbox.vocabulary.address import Address

# As nearly all addresses are: there is nothing to complete.
_COMPLETE: Final = re.compile(r"[A-Za-z0-9_+=-]+(?:\.[A-Za-z0-9_+=-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_COMPLETE_OCTETS: Final = re.compile(_COMPLETE.pattern.encode())
AT: Final = Token(Kind.OPERATOR, "@")
DOT: Final = Token(Kind.OPERATOR, ".")
EMPTY: Final = Token(Kind.QUOTED, "")


class AddressRewriting(msgspec.Struct, frozen=True, kw_only=True):
    """What main.cf says of it."""

    myorigin: bytes = b""
    mydomain: bytes = b""
    append_at_myorigin: bool = True
    append_dot_mydomain: bool = False
    swap_bangpath: bool = True
    allow_percent_hack: bool = True

    def rewrite(self, address: Address) -> Address:
        """The standard form; the null sender stays."""
        if is_complete(address.internal) or address.is_null:
            return address
        return self._rewritten(external_form(address))

    def rewrite_text(self, external: str) -> str:
        """The standard form of an address in external form."""
        if not external or _COMPLETE.fullmatch(external) is not None:
            return external
        return external_form(self._rewritten(external))

    def _rewritten(self, external: str) -> Address:
        found = internal_form(self.rewrite_tokens(tokens_of(external)))
        return Address.from_internal(found.encode("utf-8", "surrogateescape"))

    def rewrite_tokens(self, tokens: list[Token]) -> list[Token]:
        """The standard form of an address that has been taken apart."""
        if tokens in ([], [EMPTY], [AT]):
            return [EMPTY]
        tokens = _without_route(tokens)
        if find_last(tokens, "@") is None:
            tokens = self._completed(tokens)
        at = find_last(tokens, "@")
        if self.append_dot_mydomain and self.mydomain and at is not None and tokens[at:] != [AT]:
            domain = tokens[at:]
            if DOT not in domain and not any(token.kind is Kind.LITERAL for token in domain):
                tokens = [*tokens, DOT, *_tokens_of(self.mydomain)]
        if tokens[-1:] == [DOT] and len(tokens) > 1 and tokens[-2] not in (DOT, AT):
            tokens = tokens[:-1]
        return tokens

    def _completed(self, tokens: list[Token]) -> list[Token]:
        operators = [token.operator for token in tokens]
        if self.swap_bangpath and "!" in operators:
            bang = operators.index("!")
            return [*tokens[bang + 1 :], AT, *tokens[:bang]]
        if self.allow_percent_hack and (percent := find_last(tokens, "%")) is not None:
            return [*tokens[:percent], AT, *tokens[percent + 1 :]]
        if self.append_at_myorigin and self.myorigin:
            return [*tokens, AT, *_tokens_of(self.myorigin)]
        return tokens


def is_complete(internal: bytes) -> bool:
    """Whether an address in internal form is seen at a glance to be in standard form, whatever main.cf says."""
    return _COMPLETE_OCTETS.fullmatch(internal) is not None


def find_last(tokens: list[Token], operator: str) -> int | None:
    """Where an operator stands last."""
    for at in range(len(tokens) - 1, -1, -1):
        if tokens[at].operator == operator:
            return at
    return None


def _without_route(tokens: list[Token]) -> list[Token]:
    """RFC 5321 appendix C: a route goes."""
    operators = [token.operator for token in tokens]
    if operators[0] != "@" or ":" not in operators:
        return tokens
    return tokens[operators.index(":") + 1 :] or tokens


def _tokens_of(name: bytes) -> list[Token]:
    return tokens_of(name.decode("utf-8", "surrogateescape"))


def configured_rewriting(snapshot: Snapshot) -> AddressRewriting:
    """The rewriting of one configuration."""
    identity = snapshot.group(Identity)
    return AddressRewriting(
        myorigin=identity.myorigin.encode(),
        mydomain=identity.mydomain.encode(),
        append_at_myorigin=identity.append_at_myorigin,
        append_dot_mydomain=identity.append_dot_mydomain,
        swap_bangpath=identity.swap_bangpath,
        allow_percent_hack=identity.allow_percent_hack,
    )


def remote_rewriting(rewriting: AddressRewriting, cleanup: Snapshot) -> AddressRewriting | None:
    """That of headers of mail from elsewhere (remote_header_rewrite_domain); None: they are left alone."""
    domain = cleanup.group(Cleanup).remote_header_rewrite_domain.encode()
    return msgspec.structs.replace(rewriting, myorigin=domain, mydomain=domain) if domain else None

"""Access tables: which keys of a client, name or address are tried, and what their results mean (access(5)).

DESCRIPTION
    `check_access()` makes a restriction of a table.  The keys, most specific first:

        addresses   user+extension@domain, user@domain, domain and its parents, user+extension@, user@;
                    each with the quotes that it needs, then without
        hosts       the name and its parent domains; then the address and its networks (1.2.3, 1.2, 1)

    Parent domains are tried as they are if parent_domain_matches_subdomains names smtpd_access_maps, else
    with a dot in front.  Tables without partial keys are asked for the whole key only.

    A result is an action or a list of restrictions: `AccessResults` carries it out.

FAULTS
    A table that cannot answer, and one that answers with nothing, is 451 4.3.5 and a warning in the log.
    BadResult      a result that cannot be carried out: 451 4.3.5, and a warning in the log
"""

import re
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from pillarbox.access.permit_log import PermitLog
from pillarbox.access.question import PERMIT, Outcome, Question, Restriction, Subject, rejected
from pillarbox.routing.address_lookup import text_of, without_extension, written_forms
from pillarbox.tables.table import LookupFault, LookupTable
from pillarbox.vocabulary.address import Address
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.vocabulary.reply import Reply

_CODE: Final = re.compile(r"([45]\d\d)\s+", re.ASCII)
_STATUS: Final = re.compile(r"([245])(\.\d{1,3}\.\d{1,3})(?:\s+|\Z)", re.ASCII)
_MAX_DEPTH: Final = 100

# Enhanced codes about addresses (RFC 3463 §3.2) in refusals of senders and of recipients: a code about the other
# kind of address becomes its counterpart, one that nobody knows `.1.0`.
_FOR_SENDER: Final = {"1": "7", "2": "8", "3": "7", "4": "7", "6": "7", "7": "7", "8": "8"}
_FOR_RECIPIENT: Final = {"1": "1", "2": "2", "3": "3", "4": "4", "5": "5", "6": "6", "7": "3", "8": "2"}

Compile = Callable[[str], "list[Restriction]"]
"""Restrictions from their names.  ConfigurationFault for what is none."""


def fixed_status(detail: str, about: Subject | None) -> str:
    """`.1.8` of `.1.2` in a refusal of a sender: the rest of an enhanced code, right for what is refused."""
    if not detail.startswith(".1."):
        return detail
    tables = {Subject.SENDER: _FOR_SENDER, Subject.RECIPIENT: _FOR_RECIPIENT}
    fixed = tables.get(about) if about is not None else None
    return ".0.0" if fixed is None else f".1.{fixed.get(detail[3:], '0')}"


def mapped_status(status: str, about: Subject, question: Question) -> str:
    """The whole of an enhanced code, right for what is refused; the log says if it was another (smtpd(8))."""
    fixed = status[0] + fixed_status(status[1:], about)
    if fixed != status:
        question.tell_note(f"mapping DSN status {status} into {about.value} status {fixed}")
    return fixed


class BadResult(Exception):
    """A table's result that cannot be carried out; its arguments are lines for the log."""


class AccessKeys:
    """The keys of what is looked up."""

    def __init__(self, *, match_subdomains: bool, null_sender: str) -> None:
        self._dot = "" if match_subdomains else "."
        self._null_sender = null_sender

    def of_domain(self, name: str) -> Iterator[tuple[str, bool]]:
        """(key, whether it is whole) of a host or domain name."""
        yield name, True
        parent = name
        while "." in parent.lstrip("."):
            parent = parent.partition(".")[2]
            if parent:
                yield self._dot + parent, False

    def of_network(self, address: IPv4Address | IPv6Address) -> Iterator[tuple[str, bool]]:
        """Of an address: 1.2.3.4, 1.2.3, 1.2, 1; 2001:db8::1, `2001:db8:`, 2001:db8, 2001."""
        key, separator = str(address), "." if address.version == 4 else ":"
        yield key, True
        while separator in key:
            key = key.rpartition(separator)[0]
            if key:
                yield key, False

    def of_host(self, name: str, address: IPv4Address | IPv6Address) -> Iterator[tuple[str, bool]]:
        """Of a client."""
        yield from self.of_domain(name.lower())
        yield from self.of_network(address)

    def of_address(self, address: Address, delimiters: str) -> Iterator[tuple[str, bool]]:
        """Of a sender or recipient."""
        if address.is_null:
            yield self._null_sender, True
            return
        local_part, domain = text_of(address.local_part), text_of(address.domain)
        user, extension = without_extension(local_part, delimiters)
        for key in written_forms(local_part, domain):
            yield key, True
        if extension:
            for key in written_forms(user, domain):
                yield key, False
        for key, _ in self.of_domain(domain):
            yield key, False
        for name in (local_part, user) if extension else (local_part,):
            for key in written_forms(name, ""):
                yield key, False


def find(table: LookupTable, keys: Iterator[tuple[str, bool]], about: str = "") -> tuple[str, str] | None:
    """The first value, and what it is about: the whole key that led to it, unless `about` says so.

    DUNNO is a value: it ends the search.
    """
    entry = about
    for key, whole in keys:
        if whole and not about:
            entry = key
        try:
            value = table.query(key) if whole or table.partial_keys else None
        except LookupFault as fault:
            fault.key = key
            raise
        if value is not None:
            return value, entry
    return None


class AccessResults:
    """Carries out results of access tables and policy services."""

    def __init__(self, compile_words: Compile, permits: PermitLog) -> None:
        self._compile = compile_words
        self._permits = permits
        self._compiled: dict[str, list[Restriction]] = {}

    def act(
        self, value: str, question: Question, *, name: bytes, about: Subject, source: str, entry: str
    ) -> Outcome | Awaitable[Outcome]:
        """What a result says of `name`, which is an `about`; `source` is where it comes from.

        `entry` is what was looked up.  Blanks behind a text are its own.
        """
        value = value.lstrip()
        word, text = [*value.split(None, 1), "", ""][:2]
        if not word:
            return table_failed(question, LookupFault(source, "an entry has no value"), name, about)
        verb = word.upper()
        if verb == "DUNNO":
            return None
        if verb in ("OK", "RELAY") or (word.isascii() and word.isdigit() and not text):
            self._permits.note(word, question, name=name, about=about, source=source)
            return PERMIT
        codes = question.codes
        if verb == "REJECT":
            return self._refuse(question, codes.access_map_reject_code, "5.7.1", text, name, about)
        if verb == "DEFER":
            return self._refuse(question, codes.access_map_defer_code, "4.7.1", text, name, about)
        if verb in ("DEFER_IF_REJECT", "DEFER_IF_PERMIT"):
            deferral = self._refuse(
                question,
                codes.access_map_defer_code,
                "4.7.1",
                text,
                name,
                about,
                default="Service unavailable",
            )
            if verb == "DEFER_IF_PERMIT":
                question.defer_if_permitted(deferral)
            else:
                question.defer_if_refused(deferral)
            return None
        if (code := _CODE.match(value)) is not None:
            number = int(code[1])
            rest = value[code.end() :]
            return self._refuse(question, number, f"{number // 100}.7.1", rest, name, about)
        if (verb in _DECREES or verb == "PREPEND") and not _may_decree(verb, question, source):
            return None
        if verb in _TARGETS and _TARGETS[verb][0] not in text:
            needed = f"requires {_TARGETS[verb][1]}"
            if verb == "FILTER" and not text:
                needed = "has FILTER entry without value"
            question.tell_warning(f'access table {source} entry "{entry}" {needed}')
            return None
        if verb == "PREPEND":
            _prepend(text, question, f"access table {source}", entry)
            return None
        if verb in _NOTES:
            outcome = _note(verb, text, question, name, about)
            if outcome is PERMIT:
                self._permits.note(word, question, name=name, about=about, source=source)
            return outcome
        return self._others(value, question, about, source)

    @staticmethod
    def _refuse(
        question: Question,
        code: int,
        status: str,
        text: str,
        name: bytes,
        about: Subject,
        *,
        default: str = "Access denied",
    ) -> Reply:
        match = _STATUS.match(text)
        if match is not None:
            status, text = match[1] + match[2], text[match.end() :]
        shown = text.encode("utf-8", "surrogateescape") or default.encode()
        return rejected(code, mapped_status(status, about, question), name, about, shown)

    async def _others(self, value: str, question: Question, about: Subject, source: str) -> Outcome:
        """A result that names restrictions or classes of them, which are about what was looked up."""
        restrictions = self._compiled.get(value)
        if restrictions is None:
            if ":" in value:
                raise BadResult(
                    f"access table {source} has entry with lookup table: {value}",
                    "do not specify lookup tables inside SMTPD access maps",
                    "define a restriction class and specify its name instead.",
                )
            try:
                restrictions = self._compile(value)
            except ConfigurationFault as fault:
                raise BadResult(f"{source}: {fault.what}") from fault
            if len(self._compiled) < 1000:
                self._compiled[value] = restrictions
        if question.depth > _MAX_DEPTH:
            raise BadResult(f"access table {source} entry {value} causes unreasonable recursion")
        question.depth += 1
        try:
            for restriction in restrictions:
                outcome = restriction(question, about)
                if isinstance(outcome, Awaitable):
                    outcome = await outcome
                if outcome is not None:
                    return outcome
        finally:
            question.depth -= 1
        return None


_TARGETS: Final = {
    "FILTER": (":", "transport:destination"),
    "REDIRECT": ("@", "user@domain target"),
    "BCC": ("@", "user@domain target"),
}
"""Actions that need something behind them, and are passed over without it."""
_DECREES: Final = ("HOLD", "DISCARD", *_TARGETS)
"""Actions that are done with a queue file."""
_NOTES: Final = ("HOLD", "DISCARD", "REDIRECT", "FILTER", "BCC", "WARN", "INFO")
_HEADER: Final = re.compile(rb"[!-9;-~]+[ \t]*:")


def _may_decree(verb: str, question: Question, source: str) -> bool:
    """Whether something can be done with the message now; the log hears why not."""
    if verb != "PREPEND" and question.goes_through_filter:
        question.tell_warning(
            f"access table {source}: with smtpd_proxy_filter specified, action {verb} is unavailable"
        )
        return False
    if question.client.sender is None:
        question.tell_warning(
            f"access table {source}: with smtpd_delay_reject=no, action {verb} is always skipped in Client host "
            "or Helo command restrictions"
        )
        return False
    return True


def _prepend(text: str, question: Question, table: str, entry: str) -> None:
    """A header field is put in front of the message, whose header has been written when it ends."""
    octets = text.encode("utf-8", "surrogateescape")
    if question.stage == "END-OF-MESSAGE":
        question.tell_warning(f"{table}: action PREPEND must be used before smtpd_end_of_data_restrictions")
    elif _HEADER.match(octets) is None:
        question.tell_warning(f'{table} entry "{entry}" requires header: text')
    elif not question.only_warns:
        question.actions.prepend.append(octets)


def _note(verb: str, text: str, question: Question, name: bytes, about: Subject) -> Outcome:
    """Results that let the mail pass, and say what is to become of it."""
    octets = text.encode("utf-8", "surrogateescape")
    actions = question.actions
    if verb == "HOLD" and actions.hold:
        return None
    shown = octets
    if verb in ("REDIRECT", "BCC", "FILTER"):
        shown = b"triggers %s %s" % (verb.encode(), octets)
    elif not octets:
        shown = b"triggers %s action" % verb.encode()
    if octets and verb in ("WARN", "INFO"):
        question.tell(verb.lower(), octets)
        return None
    question.tell(verb.lower(), b"<%s>: %s %s" % (name, about.value.encode(), shown))
    if question.only_warns:
        return None
    if verb == "HOLD":
        actions.hold = True
    elif verb == "DISCARD":
        actions.discard = True
        return PERMIT
    elif verb == "REDIRECT":
        actions.redirect = octets
    elif verb == "FILTER":
        actions.filter = octets
    elif verb == "BCC":
        actions.bcc.append(octets)
    return None


def table_failed(question: Question, fault: LookupFault, name: bytes, about: Subject) -> Reply:
    """An access table cannot answer."""
    if fault.detail or not fault.key:
        question.tell_warning(fault.reason)
    if fault.key:
        question.tell_warning(f'{fault.table} lookup error for "{fault.key[:100]}"')
    return rejected(451, "4.3.5", name, about, b"Server configuration error")


def looked_at(question: Question, about: Subject) -> str:
    """What a restriction takes a name or domain from, as the log has it."""
    if about is Subject.CLIENT:
        return question.client.name
    return question.name_of(about).decode("utf-8", "backslashreplace")


def not_permitted(question: Question, word: str, about: Subject) -> Reply:
    """A table permits what anybody who runs a name server could claim."""
    question.tell_warning(f"restriction {word} returns OK for {looked_at(question, about)}")
    question.tell_warning("this is not allowed for security reasons")
    question.tell_warning("use DUNNO instead of OK if you want to make an exception")
    return Reply(451, (b"4.3.5 Server configuration error",))


def check_access(table: LookupTable, about: Subject, keys: AccessKeys, results: AccessResults) -> Restriction:
    """`check_sender_access type:table` and its kin."""

    def check(question: Question, subject: Subject) -> Outcome | Awaitable[Outcome]:
        found = _keys(question, about, keys)
        try:
            result = find(table, *found) if found is not None else None
        except LookupFault as fault:
            return table_failed(question, fault, question.name_of(about), about)
        if result is None:
            return None
        value, entry = result
        outcome = results.act(
            value, question, name=question.name_of(about), about=about, source=table.name, entry=entry
        )
        if about is Subject.REVERSE_CLIENT:
            return _unverified(question, outcome)
        if about is Subject.RECIPIENT and question.has_untrusted_route:
            return _undecided(outcome)
        return outcome

    return check


async def _undecided(outcome: Outcome | Awaitable[Outcome]) -> Outcome:
    """A permission is none: where the mail would go on to is not what the table was asked about."""
    if isinstance(outcome, Awaitable):
        outcome = await outcome
    return None if outcome is PERMIT else outcome


async def _unverified(question: Question, outcome: Outcome | Awaitable[Outcome]) -> Outcome:
    """What the name that a client's PTR record claims may bring about: no permission."""
    if isinstance(outcome, Awaitable):
        outcome = await outcome
    if outcome is PERMIT:
        return not_permitted(question, "check_reverse_client_hostname_access", Subject.REVERSE_CLIENT)
    return outcome


def _keys(
    question: Question, about: Subject, keys: AccessKeys
) -> tuple[Iterator[tuple[str, bool]], str] | None:
    """The keys, and what they are keys of: an address without its quotes."""
    client = question.client
    if about is Subject.CLIENT:
        return keys.of_host(client.name, client.address), ""
    if about is Subject.REVERSE_CLIENT:
        return keys.of_domain(client.reverse_name.lower()), ""
    if about is Subject.HELO:
        return (keys.of_domain(text_of(client.helo)), "") if client.helo else None
    if about is Subject.ETRN:
        return (keys.of_domain(text_of(question.etrn_domain)), "") if question.etrn_domain else None
    address, other = client.sender, question.recipient
    if about is not Subject.SENDER:
        address, other = other, address
    if address is None:
        return None
    resolver = question.resolver
    try:  # as from trivial-rewrite(8): a route has led on, and a domain's final dot is gone
        found = address if address.is_null else resolver.resolve(address, other).recipient
    except LookupFault as fault:
        fault.about = address.internal
        raise
    return keys.of_address(found, resolver.routes.recipient_delimiter), text_of(found.internal)

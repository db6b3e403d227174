"""Which names in main.cf and master.cf mean something: parameters, and names that other values use.

DESCRIPTION
    A name counts as known when it is

        a parameter of this system, served or not
        made from a service in master.cf, as foo_destination_rate_delay when there is a service foo
        used by some value (`$name`), or a restriction class: then it is the admin's own
        an attribute of a table that is configured in main.cf itself, as myldap_server_host for ldap:myldap

    The rest are probably misspelt, and postconf warns of them.

FAULTS
    ExpansionError  a value has bad `$name` syntax.
"""

import os
import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from pillarbox.config.brace_mistakes import brace_mistakes
from pillarbox.config.expansion import expand
from pillarbox.config.expansion_syntax import names_used
from pillarbox.config.master_cf_text import Entry
from pillarbox.config.postfix_parameters import SERVED
from pillarbox.config.table_files import TABLE_ATTRIBUTES, table_file_warnings
from pillarbox.config.unserved_parameters import (
    COMMAND_PARAMETERS,
    TRANSPORT_PARAMETERS,
    UNEXPANDED,
    unserved,
)
from pillarbox.config.value import Value
from pillarbox.config.value_types import words
from pillarbox.vocabulary.faults import ConfigurationFault

READ_ONLY: Final = frozenset({"process_id", "process_name", "service_name"})
"""Set by the system for each service."""

_OLD_NAMES: Final = frozenset(
    {
        "authorized_verp_clients",
        "fallback_relay",
        "lmtp_per_record_deadline",
        "postscreen_blacklist_action",
        "postscreen_dnsbl_ttl",
        "postscreen_dnsbl_whitelist_threshold",
        "postscreen_whitelist_interfaces",
        "smtp_per_record_deadline",
        "smtpd_client_connection_limit_exceptions",
        "smtpd_per_record_deadline",
        "tlsproxy_client_level",
        "tlsproxy_client_policy",
        "virtual_maps",
    }
)
"""Parameters that count when set, and that a listing of all parameters leaves out."""

_TABLE: Final = re.compile(r"\b(ldap|memcache|mysql|pgsql|sqlite):([A-Za-z0-9_.-]+)")

_DELIVERY_AGENTS: Final = frozenset({"error", "lmtp", "local", "pipe", "smtp", "virtual"})
_COMMAND_AGENTS: Final = frozenset({"pipe", "spawn"})


class Usage(msgspec.Struct, frozen=True):
    """Names of the admin's own that are used, defaults of names made from services, and warnings."""

    own: frozenset[str]
    of_services: frozenset[str]
    """Parameters that services in master.cf bring, also those with a default of their own."""
    service_defaults: dict[str, str]
    undefined: tuple[str, ...]
    """Warnings of names that a value refers to and that nobody set."""
    read_only: tuple[str, ...]
    """Warnings of names that the system sets, and one of the files, too."""
    unused_in_master: tuple[str, ...]
    """Warnings of names that master.cf sets in vain."""
    unused_in_main: tuple[str, ...]
    """Warnings of names that main.cf sets in vain."""
    unused_in_tables: tuple[str, ...]
    """Warnings of names that files of database tables set in vain, and of such files that cannot be read."""
    mistakes_in_braces: tuple[str, ...]
    """Warnings of braces that do not match."""


def is_parameter(name: str) -> bool:
    """Whether a listing of all parameters has the name."""
    return (name in SERVED or name in unserved()) and name not in _OLD_NAMES


def parameter_names() -> set[str]:
    """The names in a listing of all parameters."""
    return (set(SERVED) | set(unserved())) - _OLD_NAMES


def service_defaults(entries: Iterable[Entry]) -> dict[str, str]:
    """Parameters that services in master.cf bring, with their defaults; without those that have one anyway."""
    return {name: default for name, default in _of_services(entries).items() if not is_parameter(name)}


def _of_services(entries: Iterable[Entry]) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in entries:
        if entry.command in _DELIVERY_AGENTS:
            found |= {f"{entry.name}_{suffix}": default for suffix, default in TRANSPORT_PARAMETERS.items()}
        if entry.command in _COMMAND_AGENTS:
            found |= {f"{entry.name}_{suffix}": default for suffix, default in COMMAND_PARAMETERS.items()}
    return found


def usage(main: Mapping[str, Value], entries: list[Entry], *, main_path: str, master_path: str) -> Usage:
    """How the names in both files are used."""
    defaults = service_defaults(entries)
    values = {name: value.text for name, value in main.items()}
    texts = _texts(values, values, defaults)
    main_uses = _uses(values, texts)
    mistakes = _in_braces(texts, os.path.basename(main_path))
    uses = []
    for entry in entries:
        entry_texts = _texts(entry.settings, {**values, **entry.settings}, defaults)
        uses.append((entry.settings, main_uses | _uses(entry.settings, entry_texts)))
        texts += entry_texts
        mistakes += _in_braces(entry_texts, f"{os.path.basename(master_path)}:{entry.name}/{entry.type}")
    # A name that main.cf sets is known everywhere once some service uses it.
    used_in_main = main_uses | {
        name for settings, used in uses for name in used if name in values and name not in settings
    }
    # What only services set may still be what main.cf refers to.
    set_by_services = {name for entry in entries for name in entry.settings}
    undefined = _undefined(values, set(values) | set_by_services, main_path, defaults)
    read_only = _read_only(values, main_path)
    unused: list[str] = []
    for settings, used in uses:
        read_only += _read_only(settings, master_path)
        undefined += _undefined(settings, set(values) | set(settings), master_path, defaults)
        unused += _unused(settings, used | used_in_main, master_path, defaults)
    return Usage(
        own=frozenset(
            name
            for name in values
            if name in _OLD_NAMES
            or (name in used_in_main and not is_parameter(name) and name not in defaults)
        ),
        of_services=frozenset(_of_services(entries)),
        service_defaults=defaults,
        undefined=tuple(undefined),
        read_only=tuple(read_only),
        unused_in_master=tuple(unused),
        unused_in_main=tuple(_unused(values, used_in_main, main_path, defaults)),
        unused_in_tables=tuple(table_file_warnings(texts)),
        mistakes_in_braces=tuple(mistakes),
    )


def _references(values: Mapping[str, str]) -> list[str]:
    """Names after `$` in the values, and of restriction classes, as often as they stand there."""
    found: list[str] = []
    for name, text in values.items():
        if "$" in text and name not in UNEXPANDED:
            found += names_used(text)
    return [*found, *words(values.get("smtpd_restriction_classes", ""), separators=" \t\r\n,")]


def _texts(
    values: Mapping[str, str], all_values: Mapping[str, str], defaults: Mapping[str, str]
) -> list[str]:
    """What the parameters among the values are set to, references replaced."""
    return [
        _expanded(text, all_values)
        for name, text in values.items()
        if (is_parameter(name) or name in defaults or name in _OLD_NAMES) and name not in UNEXPANDED
    ]


def _in_braces(texts: Iterable[str], where: str) -> list[str]:
    """A text with a reference that cannot be replaced is passed over: its own mistake is told elsewhere."""
    return [f"{where}: {mistake}" for text in texts if "$" not in text for mistake in brace_mistakes(text)]


def _uses(values: Mapping[str, str], texts: Iterable[str]) -> set[str]:
    """Names that the values give a meaning to; of tables that a parameter names, be it as `$type:$name`."""
    found = set(_references(values))
    for text in texts:
        for kind, table in _TABLE.findall(text):
            found.update(f"{table}_{attribute}" for attribute in TABLE_ATTRIBUTES[kind])
    return found


def _expanded(text: str, values: Mapping[str, str]) -> str:
    """The text with references replaced as far as the values go; as it is if that is a mistake."""
    try:
        return expand(Value(text, ""), lambda name: Value(values[name], "") if name in values else None)
    except ConfigurationFault:
        return text


def _undefined(
    values: Mapping[str, str], defined: set[str], path: str, defaults: Mapping[str, str]
) -> list[str]:
    """Warnings of names that the values refer to and that nothing defines."""
    return [
        f"{path}: undefined parameter: {name}"
        for name in _references(values)
        if name not in defined and name not in defaults and not is_parameter(name) and name not in _OLD_NAMES
    ]


def _read_only(values: Mapping[str, str], path: str) -> list[str]:
    """Warnings of names that the system sets."""
    return [
        f"{path}: read-only parameter assignment: {name}={text}"
        for name, text in values.items()
        if name in READ_ONLY
    ]


def _unused(values: Mapping[str, str], used: set[str], path: str, defaults: Mapping[str, str]) -> list[str]:
    """Warnings of names that are set and mean nothing."""
    known = used | READ_ONLY | _OLD_NAMES | set(defaults)
    return [
        f"{path}: unused parameter: {name}={text}"
        for name, text in values.items()
        if not is_parameter(name) and name not in known
    ]

"""Blocks of dovecot.conf that hold settings for some connections only: what of them is served.

FAULTS
    ConfigurationFault  an address that is none; a certificate that is no file; a name within other blocks
"""

from pillarbox.config import connection_rules
from pillarbox.config.connection_rules import ConnectionBlock
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.dovecot.written_settings import Entry, Filter, Path
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.vocabulary.ip_addresses import network


def connection_blocks(configuration: Configuration) -> tuple[ConnectionBlock, ...]:
    """Those that set something that may differ from connection to connection."""
    found: list[ConnectionBlock] = []
    for settings in configuration.filters:
        scope = settings.scope
        entries = {path[0]: entry for path, entry in settings.entries.items() if is_served(scope, path)}
        if not entries or (configuration.value("ssl") == "no" and not set(entries) - _OF_TLS):
            continue
        where = next(iter(entries.values())).where
        found.append(
            ConnectionBlock(
                protocol=scope.protocol,
                local=_network(scope.local, where),
                remote=_network(scope.remote, where),
                local_names=tuple(name.lower() for name in scope.local_name.split()),
                values=_values(entries, is_tls_off=configuration.value("ssl") == "no"),
            )
        )
    return tuple(found)


_OF_TLS = frozenset(("ssl", "ssl_cert", "ssl_key"))


def is_served(scope: Filter, path: Path) -> bool:
    """Whether a setting counts within such a block."""
    if len(path) != 1 or scope.protocol.removeprefix("!") not in ("", "imap", "pop3"):
        return False
    if scope.local_name:  # the client says it after we know its address, and it has no other way to say it
        return path[0] in connection_rules.SERVED_BY_NAME and scope == Filter(local_name=scope.local_name)
    return path[0] in connection_rules.SERVED


def _network(text: str, where: str) -> str:
    if not text:
        return ""
    try:
        return str(network(text))
    except ValueError:
        raise ConfigurationFault(
            f"Error in configuration file {where}",
            f"local and remote blocks of host names are not served: {text}",
            mend="write the address, or address/bits",
        ) from None


def _values(entries: dict[str, Entry], *, is_tls_off: bool) -> dict[str, str]:
    values = {name: entry.value for name, entry in entries.items() if not (is_tls_off and name in _OF_TLS)}
    for name in ("ssl_cert", "ssl_key"):
        path = values.get(name, "/")
        if not path.startswith("/") or "\n" in path:
            raise ConfigurationFault(
                f"Error in configuration file {entries[name].where}",
                f"{name} is not the path of a file",
                mend=f"{name} = </path/to/file",
            )
    if values.get("ssl") == "required":
        values["disable_plaintext_auth"] = "yes"
    return values

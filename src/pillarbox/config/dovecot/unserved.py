"""What an admin should hear of before a start: settings of dovecot.conf that do not do what they say.

DESCRIPTION
    `warnings(configuration)` gives one line for each setting that is set to something else than its default and
    has no effect, or is not served yet.

FAULTS
    ConfigurationFault  a setting that must not be ignored: who gets in or where mail goes depends on it
"""

from typing import Final

from pillarbox.config.dovecot.declared.blocks import ROOT
from pillarbox.config.dovecot.interpretation import SERVED_PROTOCOLS
from pillarbox.config.dovecot.reading import Configuration, Entry, Path, default, setting_of
from pillarbox.config.treatment import Kind
from pillarbox.vocabulary.faults import ConfigurationFault

_REFUSED_PLUGINS: Final = {
    "acl": "access lists of shared mailboxes would be ignored",
    "mail_crypt": "mail would be stored unencrypted",
    "mail_filter": "mail would be stored without passing the filter",
    "zlib": "compressed mail could not be read",
    "mail_compress": "compressed mail could not be read",
    "virtual": "virtual mailboxes would be missing",
}
_REFUSED_PREFIXES: Final = {
    "acl": "acl",
    "mail_crypt": "mail_crypt",
    "zlib_save": "zlib",
    "mail_filter": "mail_filter",
}
_LATER_PREFIXES: Final = {
    "quota": "quotas are not enforced yet",
    "sieve": "Sieve scripts are not run yet",
    "fts": "searches read the mail itself",
}
_SERVED_SERVICES: Final = frozenset(
    "auth auth-worker imap-login pop3-login imap pop3 lmtp anvil config log stats doveadm master".split()
)
_HARMLESS_SERVICES: Final = frozenset(
    "aggregator dict dict-async director dns-client health-check imap-hibernate imap-urlauth imap-urlauth-login "
    "imap-urlauth-worker indexer indexer-worker ipc old-stats replicator submission submission-login tcpwrap "
    "managesieve managesieve-login".split()
)


def warnings(configuration: Configuration) -> list[str]:
    """One line for each setting that does less than it says."""
    found: list[str] = list(configuration.warnings)
    scopes = [configuration.root, *configuration.filters]
    for settings in scopes:
        for path, entry in settings.entries.items():
            line = _finding(path, entry)
            if line:
                found.append(line)
    serves_logins = {"imap", "pop3"} & set(configuration.words("protocols"))
    if serves_logins and configuration.value("ssl") != "no" and not configuration.value("ssl_cert"):
        found.append(f"{configuration.path}: ssl enabled, but ssl_cert not set: TLS is not offered")
    found += [
        f"{_place(configuration.where('protocols'))}: protocol {word} is not served yet"
        for word in configuration.words("protocols")
        if word not in SERVED_PROTOCOLS and word != "none"
    ]
    found += [
        f"{configuration.root.entries[(*path, 'hidden')].where}: namespace {path[-1]} is ignored: mailboxes have "
        "the names of the namespace with inbox = yes only"
        for path in configuration.blocks("namespace")
        if configuration.yes(*path, "hidden") and not configuration.yes(*path, "inbox")
    ]
    found += _services(configuration)
    return list(dict.fromkeys(found))


def _place(where: str) -> str:
    return where.removeprefix("Error in configuration file ")


def _finding(path: Path, entry: Entry) -> str:
    if path[0] == "plugin":
        return _plugin_setting(path[-1], entry)
    if path[-1] == "mail_plugins":
        return _plugins(entry)
    declared = setting_of(path)
    if declared is None or declared.kind is Kind.SERVED or entry.value == default(path):
        return ""
    name = "/".join(path)
    if declared.kind is Kind.REFUSED:
        raise ConfigurationFault(
            f"Error in configuration file {entry.where}",
            f"{name} = {entry.shown}: it is not served, and {declared.reason}",
            mend="remove it to start without it",
        )
    if declared.kind is Kind.NO_EFFECT:
        return f"{entry.where}: {name} has no effect: {declared.reason}"
    return f"{entry.where}: {name} is ignored: {declared.reason}"


def _plugins(entry: Entry) -> str:
    for name in entry.value.split():
        if name in _REFUSED_PLUGINS:
            raise ConfigurationFault(
                f"Error in configuration file {entry.where}",
                f"mail_plugins: {name} is not served, and {_REFUSED_PLUGINS[name]}",
                mend="remove it to start without it",
            )
    names = entry.value.split()
    return f"{entry.where}: mail_plugins is ignored: {' '.join(names)} do nothing yet" if names else ""


def _plugin_setting(name: str, entry: Entry) -> str:
    for prefix, plugin in _REFUSED_PREFIXES.items():
        if name.startswith(prefix) and entry.value:
            raise ConfigurationFault(
                f"Error in configuration file {entry.where}",
                f"plugin/{name} is not served, and {_REFUSED_PLUGINS[plugin]}",
                mend="remove it to start without it",
            )
    for prefix, reason in _LATER_PREFIXES.items():
        if name.startswith(prefix):
            return f"{entry.where}: plugin/{name} is ignored: {reason}"
    return f"{entry.where}: plugin/{name} is ignored: its plugin does not exist here"


def _services(configuration: Configuration) -> list[str]:
    found: list[str] = []
    for path in configuration.blocks("service"):
        name = path[-1]
        if name in _SERVED_SERVICES:
            continue
        listeners = [
            inner for kind in ROOT.blocks["service"].blocks for inner in configuration.blocks(kind, *path)
        ]
        used = [known for known in configuration.root.entries if known[: len(path)] == path]
        if not used:
            continue
        place = configuration.root.entries[used[0]].where
        if name not in _HARMLESS_SERVICES and listeners:
            raise ConfigurationFault(
                f"Error in configuration file {place}",
                f"service {name} is not served, and whoever asks it would get no answer",
                mend="remove it, and what asks it",
            )
        if listeners or name not in _HARMLESS_SERVICES:
            found.append(f"{place}: service {name} is ignored: it is not served")
    return found

"""What an admin should hear of before a start: settings of dovecot.conf that do not do what they say.

DESCRIPTION
    `warnings(configuration)` gives one line for each setting that is set to something else than its default and
    has no effect, or is not served yet.  Settings are served outside `local`, `remote`, `local_name` and
    `protocol` blocks, a few within `protocol` (`SERVED_WITHIN_PROTOCOL`), and those of `connection_blocks` in all;
    inside a block that does not count, a setting is told, or refused if who gets in or where mail goes depends
    on it.

FAULTS
    ConfigurationFault  a setting that must not be ignored: who gets in or where mail goes depends on it
"""

from collections.abc import Callable
from typing import Final

import msgspec

from pillarbox.config.dovecot.connection_blocks import is_served
from pillarbox.config.dovecot.file_reader import default, setting_of
from pillarbox.config.dovecot.interpretation import (
    SERVED_PROTOCOLS,
    SERVED_WITHIN_PROTOCOL,
)
from pillarbox.config.dovecot.log_formats import complaints
from pillarbox.config.dovecot.mail_location import without_effect
from pillarbox.config.dovecot.namespaces import is_virtual
from pillarbox.config.dovecot.plugins import NO_INDEX, trash_warnings
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.dovecot.service_findings import limit_finding, service_findings
from pillarbox.config.dovecot.service_listeners import quota_status_services, script_command
from pillarbox.config.dovecot.written_settings import Entry, Filter, Path
from pillarbox.config.lazy_expunge_settings import EXCLUDE
from pillarbox.config.quota_settings import is_quota_setting
from pillarbox.config.treatment import Kind
from pillarbox.vocabulary.faults import ConfigurationFault

_SERVED_PLUGINS: Final = frozenset(
    "acl imap_acl fts last_login lazy_expunge listescape mail_compress mail_log notify quota imap_quota trash zlib "
    "imap_zlib".split()
)
_SERVED_PLUGIN_SETTINGS: Final = frozenset(
    "zlib_save zlib_save_level acl acl_shared_dict acl_user acl_anyone acl_defaults_from_inbox fts_autoindex "
    "last_login_dict last_login_key last_login_precision "
    "lazy_expunge lazy_expunge_only_last_instance listescape_char mail_log_events mail_log_fields master_user "
    "trash".split()
)
_REFUSED_PLUGINS: Final = {
    "mail_crypt": "mail would be stored unencrypted",
    "mail_crypt_acl": "mail would be stored unencrypted",
    "mail_filter": "mail would be stored without passing the filter",
}
_SIEVE: Final = "Sieve scripts are not run yet"
_LATER_PLUGINS: Final = (
    dict.fromkeys(
        "apparmor charset_alias fs_compress imap_old_stats imap_stats mail_lua mailbox_alias "
        "notify_status old_stats pop3_migration push_notification push_notification_lua quota_clone replication "
        "stats var_expand_crypt welcome".split(),
        "not served yet",
    )
    | dict.fromkeys(
        "fts_elastic fts_flatcurve fts_lucene fts_solr fts_squat fts_xapian".split(),
        "not used: the index of texts is Pillarbox's own",
    )
    | {"virtual": "not served: virtual mailboxes are missing, the messages in them are where they belong"}
    | dict.fromkeys("sieve imap_sieve imap_filter_sieve".split(), f"not used: {_SIEVE}")
)
"""Plugins without which mail is where it belongs.  Others do not exist: Dovecot shows nobody his mail then."""
_REFUSED_PREFIXES: Final = {
    "mail_crypt": "mail_crypt",
    "mail_filter": "mail_filter",
}
_OWN_INDEX: Final = "the index of texts is Pillarbox's own"
_LATER_PREFIXES: Final = {
    "quota": "it does not exist here",
    "sieve": _SIEVE,
    "imapsieve": _SIEVE,
    "fts": _OWN_INDEX,
    "mail_log_cached_only": "what is told of messages is in the cache",
}
FREE_BLOCKS: Final = {
    "dict": "there is no dict service",
    "metric": "no metrics are kept",
    "event_exporter": "no metrics are kept",
    "fts": _OWN_INDEX,
}
"""Blocks that may hold anything, and have no effect."""


def warnings(configuration: Configuration) -> list[str]:
    """One line for each setting that does less than it says."""
    told, refused = findings(configuration)
    if refused:
        raise refused[0]
    return told


def findings(configuration: Configuration) -> tuple[list[str], list[ConfigurationFault]]:
    """The same lines, and all settings that end a start because they are not served."""
    refused: list[ConfigurationFault] = []

    def told(finding: Callable[..., str], *arguments: object) -> str:
        try:
            return finding(*arguments)
        except ConfigurationFault as fault:
            refused.append(fault)
            return ""

    found: list[str] = list(configuration.warnings)
    has_quota = any(
        "quota" in entry.value.split()
        for settings in (configuration.root, *configuration.filters)
        for path, entry in settings.entries.items()
        if path == ("mail_plugins",)
    )
    scripts = [path for path in configuration.blocks("service") if script_command(configuration, path)]
    scripts += quota_status_services(configuration)
    for path, entry in configuration.root.entries.items():
        if path[:2] in scripts and path[2:] in (("executable",), ("user",)):
            continue
        found.append(told(_finding, path, entry))
        if path[0] == "namespace" and path[-1] == "location" and is_virtual(configuration, path[:-1]):
            found.append(f"{entry.where}: namespace {path[1]} is left out: virtual mailboxes are not served")
        if path == ("mail_location",) or (path[0] == "namespace" and path[-1] == "location"):
            found += [f"{entry.where}: {path[-1]}: {text}" for text in without_effect(entry.value)]
        if path[0] == "plugin" and is_quota_setting(path[-1]) and not has_quota:
            found.append(f"{entry.where}: plugin/{path[-1]} is ignored: quota is not among mail_plugins")
    for settings in configuration.filters:
        for path, entry in settings.entries.items():
            found.append(told(_finding, path, entry))
            if not found[-1]:
                found.append(told(_finding_in_block, configuration, settings.scope, path, entry))
    serves_logins = {"imap", "pop3"} & set(configuration.words("protocols"))
    if serves_logins and configuration.value("ssl") != "no" and not configuration.value("ssl_cert"):
        found.append(f"{configuration.path}: ssl enabled, but ssl_cert not set: TLS is not offered")
    if serves_logins and not configuration.blocks("passdb"):
        found.append(f"{configuration.path}: No passdbs specified in configuration file: nobody can log in")
    found += [
        f"{_place(configuration.where('protocols'))}: protocol {word} is not served yet"
        for word in configuration.words("protocols")
        if word not in SERVED_PROTOCOLS and word != "none"
    ]
    found += trash_warnings(configuration)
    found += complaints(configuration)
    found += service_findings(configuration)
    return [line for line in dict.fromkeys(found) if line], refused


def _place(where: str) -> str:
    return where.removeprefix("Error in configuration file ")


def _finding(path: Path, entry: Entry) -> str:
    if path[0] == "plugin":
        return _plugin_setting(path[-1], entry)
    if (reason := FREE_BLOCKS.get(path[0].partition(" ")[0])) is not None:
        return f"{entry.where}: {'/'.join(path)} is ignored: {reason}"
    if line := limit_finding(path, entry):
        return line
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


def _finding_in_block(configuration: Configuration, scope: Filter, path: Path, entry: Entry) -> str:
    """A served setting that counts outside the block only."""
    declared = setting_of(path)
    if declared is None or declared.kind is not Kind.SERVED or entry.value == configuration.value(*path):
        return ""
    if is_served(scope, path):
        return ""
    if scope == Filter(protocol=scope.protocol) and path[-1] in SERVED_WITHIN_PROTOCOL.get(
        scope.protocol, ()
    ):
        return ""
    name = "/".join(path)
    block = " ".join(f"{kind} {value}" for kind, value in msgspec.structs.asdict(scope).items() if value)
    if path[0] in _DECIDING:
        raise ConfigurationFault(
            f"Error in configuration file {entry.where}",
            f"{name} = {entry.shown} inside {block} {{ }} is not served, and {_DECIDING[path[0]]}",
            mend="set it outside the block, or remove it",
        )
    return f"{entry.where}: {name} inside {block} {{ }} is ignored: set it outside the block"


_ACCESS: Final = "who may log in, and how, depends on it"
_PLACE: Final = "where mail is depends on it"
_DECIDING: Final = dict.fromkeys(
    "auth_mechanisms auth_username_chars auth_username_format auth_default_realm auth_master_user_separator "
    "disable_plaintext_auth ssl ssl_min_protocol ssl_verify_client_cert ssl_ca ssl_require_crl "
    "ssl_cert_username_field auth_ssl_require_client_cert auth_ssl_username_from_cert "
    "login_trusted_networks passdb userdb first_valid_uid "
    "last_valid_uid first_valid_gid last_valid_gid".split(),
    _ACCESS,
) | dict.fromkeys("mail_location mail_home mail_uid mail_gid namespace".split(), _PLACE)


def _plugins(entry: Entry) -> str:
    for name in entry.value.split():
        if name in _REFUSED_PLUGINS:
            raise ConfigurationFault(
                f"Error in configuration file {entry.where}",
                f"mail_plugins: {name} is not served, and {_REFUSED_PLUGINS[name]}",
                mend="remove it to start without it",
            )
        if name not in _SERVED_PLUGINS and name not in _LATER_PLUGINS:
            raise ConfigurationFault(
                f"Error in configuration file {entry.where}",
                f"mail_plugins: Plugin '{name}' not found",
                mend="mend its name, or remove it",
            )
    by_reason: dict[str, list[str]] = {}
    for name in entry.value.split():
        if name in _LATER_PLUGINS:
            by_reason.setdefault(_LATER_PLUGINS[name], []).append(name)
    told = [
        f"{' '.join(names)} {'is' if len(names) == 1 else 'are'} {reason}"
        for reason, names in by_reason.items()
    ]
    return f"{entry.where}: mail_plugins: {', '.join(told)}" if told else ""


def _plugin_setting(name: str, entry: Entry) -> str:
    if name == "fts" and entry.value.lower() not in NO_INDEX:
        return f"{entry.where}: plugin/fts: {entry.shown} is not used: {_OWN_INDEX}"
    if name.startswith(EXCLUDE):
        return ""
    if is_quota_setting(name) or name == "fts" or name in _SERVED_PLUGIN_SETTINGS:
        return ""
    if name.startswith("acl") and entry.value:
        raise ConfigurationFault(
            f"Error in configuration file {entry.where}",
            f"plugin/{name} is not served, and rights would be others than it says",
            mend="remove it to start without it",
        )
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

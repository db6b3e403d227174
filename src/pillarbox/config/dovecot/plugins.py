"""What plugin { } says of acl, fts, lazy_expunge, listescape, mail_log, quota, trash and zlib, which are served.

FAULTS
    ConfigurationFault  who may read what, or what is stored or told, would be other than it says

STANDARDS
    Dovecot 2.3, ACL, Plugins.FTS, Plugins.Listescape, Plugins.MailLog, Plugins.Zlib, Quota.Configuration
"""

from collections.abc import Iterable
from typing import Any, Final

from pillarbox.config.dovecot import variables
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.mail_log_settings import NOTHING, MailLogFault, MailLogSettings, mail_log_settings
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.config.quota_settings import QuotaFault, quota_settings
from pillarbox.config.trash_settings import MAX_FILE, TrashFault, parse_trash
from pillarbox.vocabulary.digits import is_decimal
from pillarbox.vocabulary.faults import ConfigurationFault


def access_lists(configuration: Configuration) -> dict[str, Any]:
    """What the acl plugin is to do."""
    value = configuration.value("plugin", "acl")
    driver, _, path = value.partition(":")
    if value and driver != "vfile":
        raise ConfigurationFault(
            configuration.where("plugin", "acl"), f"acl: Unknown ACL backend: {driver}", mend="acl = vfile"
        )
    shared = configuration.value("plugin", "acl_shared_dict")
    if shared and not shared.startswith("file:/"):
        raise ConfigurationFault(
            configuration.where("plugin", "acl_shared_dict"),
            f"acl_shared_dict {shared} is not served",
            mend="acl_shared_dict = file:/var/lib/dovecot/shared-mailboxes",
        )
    return {
        "acl_file": path.partition(":")[0],
        "acl_shared_dict": shared.removeprefix("file:"),
        "acl_defaults_from_inbox": configuration.value("plugin", "acl_defaults_from_inbox").lower()
        in ("yes", "y", "1", "true"),
        "acl_anyone": configuration.value("plugin", "acl_anyone") == "allow",
    }


def escaping(configuration: Configuration) -> str:
    """The character by which listescape writes what directories cannot be called; empty without it."""
    settings = (configuration.root, *configuration.filters)
    if not any(
        "listescape" in one.entries[path].value.split()
        for one in settings
        for path in one.entries
        if path == ("mail_plugins",)
    ):
        return ""
    mark = configuration.value("plugin", "listescape_char") or "\\"
    if len(mark) != 1 or not mark.isascii() or mark.isalnum() or mark in "/.~&" or not mark.isprintable():
        raise ConfigurationFault(
            configuration.where("plugin", "listescape_char"),
            f"listescape_char: {mark} cannot escape anything",
            mend='listescape_char = "\\\\"',
        )
    return mark


_PACKINGS: Final = {"gz": 9, "bz2": 9, "zstd": 22, "lz4": 9}
"""zlib_save, and its highest zlib_save_level."""


def packing(configuration: Configuration, protocols: Iterable[str]) -> tuple[str, int] | None:
    """How new messages are compressed."""
    plugins = {word for name in protocols for word in configuration.for_protocol(name).words("mail_plugins")}
    algorithm = configuration.value("plugin", "zlib_save")
    if "zlib" not in plugins or not algorithm:
        return None
    if algorithm not in _PACKINGS:
        raise ConfigurationFault(
            configuration.where("plugin", "zlib_save"),
            f"zlib_save: Unknown handler: {algorithm}",
            mend=", ".join(_PACKINGS),
        )
    level = configuration.value("plugin", "zlib_save_level") or "0"
    if not is_decimal(level.encode("ascii", "replace")) or not 0 <= int(level) <= _PACKINGS[algorithm]:
        raise ConfigurationFault(
            configuration.where("plugin", "zlib_save_level"),
            f"zlib_save_level: Level must be between 1 and {_PACKINGS[algorithm]}",
        )
    return algorithm, int(level)


def mail_log(configuration: Configuration, protocols: Iterable[str]) -> MailLogSettings:
    """What mail_log tells of, if a protocol has the plugin."""
    found = NOTHING
    for name in protocols:
        words = configuration.for_protocol(name).words("mail_plugins")
        if "mail_log" not in words:
            continue
        settings = {
            setting: configuration.value("plugin", setting)
            for setting in ("mail_log_events", "mail_log_fields")
            if ("plugin", setting) in configuration.root.entries
        }
        try:
            found = mail_log_settings(settings)
        except MailLogFault as fault:
            raise ConfigurationFault(configuration.where("plugin", fault.setting), str(fault)) from fault
    return found


NO_INDEX: Final = frozenset(("no", "none"))
"""Values of plugin/fts, which otherwise names a driver, for no index at all."""


def search_index(configuration: Configuration) -> str:
    """Which mailboxes get an index of their texts: all with fts_autoindex, none with fts = no."""
    if configuration.value("plugin", "fts").lower() in NO_INDEX:
        return "none"
    return (
        "all" if configuration.value("plugin", "fts_autoindex").lower() in {"yes", "y", "1"} else "searched"
    )


_NEEDED: Final = {
    "imap": {"imap_acl": "acl", "imap_quota": "quota"},
    "": {"trash": "quota", "mail_log": "notify", "notify_status": "notify", "fts_squat": "fts"},
}
"""Protocol, or any → plugin → what it works with."""


def check_dependencies(configuration: Configuration, protocols: Iterable[str]) -> None:
    """Plugins that need others: without, Dovecot shows nobody his mail."""
    for protocol in protocols:
        words = configuration.for_protocol(protocol).words("mail_plugins")
        for name, needed in (_NEEDED[""] | _NEEDED.get(protocol, {})).items():
            if name in words and needed not in words:
                raise ConfigurationFault(
                    configuration.where("mail_plugins"),
                    f"mail_plugins: {name} needs {needed}",
                    mend=f"mail_plugins = $mail_plugins {needed} {name}",
                )


def check_lazy_expunge(configuration: Configuration, settings: MailboxSettings) -> None:
    """What trash removes for want of room would be gone, where Dovecot keeps it."""
    if settings.has_plugin("lazy_expunge") and settings.has_plugin("trash"):
        raise ConfigurationFault(
            configuration.where("mail_plugins"),
            "mail_plugins: lazy_expunge is not served with trash, and what trash removes would be gone",
            mend="use one of them",
        )


def trash_warnings(configuration: Configuration) -> list[str]:
    """What is wrong with trash.conf: nothing is removed until that is mended."""
    path = configuration.value("plugin", "trash")
    if not path or "%" in path or path.startswith("~"):
        return []  # a file of each user's own
    where = configuration.where("plugin", "trash").removeprefix("Error in configuration file ")
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            parse_trash(file.read(MAX_FILE))
    except OSError as error:
        return [f"{where}: trash plugin: open({path}) failed: {error.strerror}"]
    except TrashFault as fault:
        return [f"{where}: trash plugin: {path} {fault}"]
    return []


def check_quotas(configuration: Configuration, settings: MailboxSettings) -> None:
    """Quotas that would not be enforced end the start."""
    if not settings.has_plugin("quota"):
        return
    try:
        quota_settings({key: variables.expand(text, {}) for key, text in settings.plugin.items()})
    except QuotaFault as fault:
        raise ConfigurationFault(configuration.where("plugin", fault.setting), f"plugin/{fault}") from fault
    except ValueError as error:
        raise ConfigurationFault(
            f"Error in configuration file {configuration.path}", f"plugin: {error}"
        ) from error

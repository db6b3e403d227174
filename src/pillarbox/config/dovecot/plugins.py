"""What plugin { } says of the plugins that are served: acl, fts, zlib and quota.

FAULTS
    ConfigurationFault  who may read what, or what may be stored, would be other than it says

STANDARDS
    Dovecot 2.3, ACL, Plugins.FTS, Plugins.Zlib, Quota.Configuration
"""

from collections.abc import Iterable
from typing import Any, Final

from pillarbox.config.dovecot import variables
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.mailbox_settings import MailboxSettings
from pillarbox.config.quota_settings import QuotaFault, quota_settings
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
        "acl_anyone": configuration.value("plugin", "acl_anyone") == "allow",
    }


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


NO_INDEX: Final = frozenset(("no", "none"))
"""Values of plugin/fts, which otherwise names a driver, for no index at all."""


def search_index(configuration: Configuration) -> str:
    """Which mailboxes get an index of their texts: all with fts_autoindex, none with fts = no."""
    if configuration.value("plugin", "fts").lower() in NO_INDEX:
        return "none"
    return (
        "all" if configuration.value("plugin", "fts_autoindex").lower() in {"yes", "y", "1"} else "searched"
    )


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

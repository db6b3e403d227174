"""What Dovecot finds wrong with a configuration whose lines are right one by one.

DESCRIPTION
    `complaint(configuration)` is the first thing that it says, without a place: values that a setting cannot have,
    and settings that need each other.  doveconf(1) shows the configuration and ends with it; a start is refused.

FAULTS
    ConfigurationFault  the same, of check_consistency()

STANDARDS
    Dovecot 2.3 Settings
"""

import pwd
from collections.abc import Iterator
from typing import Final

from pillarbox.config.dovecot.file_reader import default
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.dovecot.written_settings import Path
from pillarbox.vocabulary.digits import is_decimal_text
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.vocabulary.syslog_facilities import FACILITY_NAMES

_WORDS: Final = {
    "pop3_client_workarounds": ("workaround", ("outlook-no-nuls", "oe-ns-eoh")),
    "imap_client_workarounds": ("workaround", ("delay-newmail", "tb-extra-mailbox-sep", "tb-lsub-flags")),
    "lmtp_client_workarounds": ("workaround", ("whitespace-before-path", "mailbox-for-path")),
    "submission_client_workarounds": (
        "workaround",
        ("implicit-auth-external", "whitespace-before-path", "mailbox-for-path"),
    ),
    "dsync_features": ("feature", ("empty-header-workaround",)),
}
"""Setting → what its words are, and which there are."""
_TLS_FLAGS: Final = ("no_compression", "compression", "no_ticket")
_PROTOCOLS: Final = ("imap", "pop3", "lmtp", "submission", "sieve")
_USES: Final = frozenset(
    ("\\all", "\\archive", "\\drafts", "\\flagged", "\\important", "\\junk", "\\sent", "\\trash")
)
_TYPES: Final = ("", "log", "config", "anvil", "login", "startup", "worker")
_SEVERAL: Final = ("stats", "config")
"""Services of one process by default that may have several."""


def complaint(configuration: Configuration) -> str:
    """What is wrong outside filters; empty if nothing is."""
    return next(_complaints(configuration), "")


def complaint_within(configuration: Configuration) -> str:
    """What is wrong within a filter; empty if nothing is."""
    each = (next(_complaints(found), "") for found in configuration.with_each_filter())
    return next(filter(None, each), "")


def check_consistency(configuration: Configuration) -> None:
    """ConfigurationFault with the complaint, if there is one."""
    if found := complaint(configuration) or complaint_within(configuration):
        raise ConfigurationFault(f"Error in configuration file {configuration.path}", found)


def _complaints(configuration: Configuration) -> Iterator[str]:
    yield from _of_tls(configuration)
    yield from _of_access(configuration)
    yield from _of_services(configuration)
    yield from _of_mailboxes(configuration)
    for name, (kind, known) in _WORDS.items():
        yield from (
            f"{name}: Unknown {kind}: {word}" for word in configuration.words(name) if word not in known
        )


def _of_tls(configuration: Configuration) -> Iterator[str]:
    value = configuration.value
    for flag in configuration.words("ssl_options"):
        if flag not in _TLS_FLAGS:
            yield f"ssl_options: unknown flag: '{flag}'"
    if configuration.yes("ssl_verify_client_cert") and value("ssl") != "no" and not value("ssl_ca"):
        yield "ssl_verify_client_cert set, but ssl_ca not"


def _of_access(configuration: Configuration) -> Iterator[str]:
    value, number = configuration.value, configuration.number
    if value("auth_policy_server_url") and not value("auth_policy_hash_nonce"):
        yield "auth_policy_hash_nonce must be set when policy server is used"
    size = configuration.octets("auth_cache_size")
    if 0 < size < 1024:
        yield f"auth_cache_size value is too small ({size} bytes)"
    yield from _of_shown_passwords(value("auth_verbose_passwords"))
    for kind in ("passdb", "userdb"):
        if any(not value(*path, "driver") for path in configuration.blocks(kind)):
            yield f"{kind} is missing driver"
    for kind in ("uid", "gid"):
        last = number(f"last_valid_{kind}")
        if last and number(f"first_valid_{kind}") > last:
            yield f"first_valid_{kind} can't be larger than last_valid_{kind}"


def _of_shown_passwords(text: str) -> Iterator[str]:
    kind, colon, length = text.partition(":")
    if kind not in ("no", "yes", "plain", "sha1") or (kind in ("no", "yes") and colon):
        yield "auth_verbose_passwords: Invalid value"
    elif colon and not (is_decimal_text(length) and int(length) > 0):
        yield f"auth_verbose_passwords: Invalid truncation number: '{length}'"


def _of_services(configuration: Configuration) -> Iterator[str]:
    value = configuration.value
    if not value("listen"):
        yield "listen can't be set empty"
    words = configuration.words("protocols")
    yield from (
        f"protocols: Unknown protocol: {word}"
        for word in words
        if word not in _PROTOCOLS and words != ("none",)
    )
    for name in ("default_internal_user", "default_login_user"):
        if configuration.is_set(name) and not _is_user(value(name)):
            yield f"{name} doesn't exist: {value(name)}"
    if value("syslog_facility") not in FACILITY_NAMES:
        yield f"Unknown syslog_facility: {value('syslog_facility')}"
    for path in configuration.blocks("service"):
        yield from _of_service(configuration, path)


def _of_service(configuration: Configuration, path: Path) -> Iterator[str]:
    value, number, name = configuration.value, configuration.number, path[-1]
    if value(*path, "type") not in _TYPES:
        yield f"Unknown service type: {value(*path, 'type')}"
    limit = number(*path, "process_limit")
    if limit > 1 and name not in _SEVERAL and default((*path, "process_limit")) == "1":
        yield f"service({name}): process_limit must be 1"
    protocol = value(*path, "protocol")
    is_wanted = not protocol or protocol in configuration.words("protocols")
    if is_wanted and number(*path, "process_min_avail") > (limit or number("default_process_limit")):
        yield f"service({name}): process_min_avail is higher than process_limit"
    for kind in ("unix_listener", "fifo_listener"):
        for inner in configuration.blocks(kind, *path):
            if not configuration.root.blocks[inner]:
                yield f"service({name}): {kind}: path must not be empty"


def _of_mailboxes(configuration: Configuration) -> Iterator[str]:
    value, number, octets = configuration.value, configuration.number, configuration.octets
    if configuration.yes("mail_nfs_index"):
        if not configuration.yes("mmap_disable"):
            yield "mail_nfs_index=yes requires mmap_disable=yes"
        if value("mail_fsync") != "always":
            yield "mail_nfs_index=yes requires mail_fsync=always"
    if not configuration.seconds("mailbox_idle_check_interval"):
        yield "mailbox_idle_check_interval must not be 0"
    if octets("mail_cache_max_size") > 1 << 30:
        yield "mail_cache_max_size can't be over 1 GB"
    if number("mail_cache_purge_delete_percentage") > 100:
        yield "mail_cache_purge_delete_percentage can't be over 100"
    if value("pop3_delete_type") == "flag" and not value("pop3_deleted_flag"):
        yield "pop3_delete_type=flag, but pop3_deleted_flag not set"
    if "%" not in value("pop3_uidl_format"):
        yield "pop3_uidl_format setting doesn't contain any %% variables."
    if configuration.seconds("director_user_expire") < 10:
        yield "director_user_expire is too low"
    for name in ("dsync_alt_char", "dsync_hashed_headers"):
        if not value(name):
            yield f"{name} must not be empty"
    for path in configuration.blocks("namespace"):
        if len(value(*path, "separator")) > 1:
            prefix = value(*path, "prefix")
            yield f"Namespace '{prefix}': Hierarchy separator must be only one character long"
        for inner in configuration.blocks("mailbox", *path):
            for use in value(*inner, "special_use").split():
                if use.lower() not in _USES:
                    yield f"mailbox {inner[-1]}: unknown special_use: {use}"


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except (KeyError, ValueError):
        return False
    return True

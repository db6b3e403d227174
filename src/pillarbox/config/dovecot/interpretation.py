"""From a dovecot.conf that was read to the settings of the mailbox half's roles.

DESCRIPTION
    `mailbox_settings(configuration)` takes what is served.  What cannot be served is refused here with its
    line; `unserved.warnings()` tells of what is left out without harm.

FAULTS
    ConfigurationFault  a setting that must not be ignored: place, what it is, how to mend it
"""

import grp
import os
from typing import Any, Final

import msgspec

from pillarbox.config.dovecot import logout_format, variables
from pillarbox.config.dovecot.attribute_file import attribute_file
from pillarbox.config.dovecot.connection_blocks import connection_blocks
from pillarbox.config.dovecot.database_arguments import check_arguments, check_fields, fields_of_passwd
from pillarbox.config.dovecot.environment import with_environment
from pillarbox.config.dovecot.log_formats import mailbox_lines
from pillarbox.config.dovecot.mail_location import storage
from pillarbox.config.dovecot.namespaces import namespaces
from pillarbox.config.dovecot.oauth2_file import oauth2_settings
from pillarbox.config.dovecot.plugins import (
    access_lists,
    check_dependencies,
    check_lazy_expunge,
    check_quotas,
    escaping,
    mail_log,
    packing,
    search_index,
)
from pillarbox.config.dovecot.pop3 import logout_text, pop3_settings
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.config.dovecot.server_identity import server_identity
from pillarbox.config.dovecot.service_listeners import (
    QUOTA_STATUS,
    inet_sockets,
    quota_status_services,
    scripts,
    unix_sockets,
)
from pillarbox.config.dovecot.tls import tls_settings
from pillarbox.config.dovecot.written_settings import Path
from pillarbox.config.mailbox_settings import (
    Database,
    MailboxSettings,
)
from pillarbox.vocabulary.digits import is_decimal_text
from pillarbox.vocabulary.faults import ConfigurationFault

SERVED_PROTOCOLS: Final = ("imap", "pop3", "lmtp")
KNOWN_PROTOCOLS: Final = (*SERVED_PROTOCOLS, "submission", "sieve", "imaps", "pop3s", "none")
MECHANISMS: Final = (
    "plain",
    "login",
    "cram-md5",
    "digest-md5",
    "scram-sha-1",
    "scram-sha-256",
    "external",
    "anonymous",
    "apop",
    "oauthbearer",
    "xoauth2",
)
_NEED_STORED_PASSWORDS: Final = ("apop", "cram-md5", "digest-md5", "scram-sha-1", "scram-sha-256")
"""Whoever proves that he knows a password can only be believed by somebody who knows it."""
PASSDB_DRIVERS: Final = ("pam", "passwd", "shadow", "passwd-file", "static", "oauth2")
USERDB_DRIVERS: Final = ("passwd", "passwd-file", "static", "prefetch")
SERVED_WITHIN_PROTOCOL: Final = {
    "lda": frozenset(
        "deliver_log_format lda_mailbox_autocreate lda_mailbox_autosubscribe lda_original_recipient_header "
        "mail_log_prefix postmaster_address quota_full_tempfail rejection_reason rejection_subject "
        "sendmail_path".split()
    ),
    "imap": frozenset(
        "imap_capability imap_client_workarounds imap_hibernate_timeout imap_idle_notify_interval "
        "imap_id_log imap_id_send imap_literal_minus imap_logout_format imap_max_line_length imap_metadata "
        "imap_urlauth_host imap_urlauth_port login_log_format login_log_format_elements mail_log_prefix "
        "mail_debug mail_plugins".split()
    ),
    "lmtp": frozenset(
        "lmtp_save_to_detail_mailbox lmtp_hdr_delivery_address lmtp_add_received_header lmtp_rcpt_check_quota "
        "lda_mailbox_autocreate lda_mailbox_autosubscribe deliver_log_format mail_log_prefix "
        "mail_plugins quota_full_tempfail".split()
    ),
    "pop3": frozenset(
        "login_log_format login_log_format_elements mail_log_prefix "
        "mail_debug mail_plugins pop3_client_workarounds pop3_delete_type pop3_deleted_flag pop3_enable_last "
        "pop3_lock_session pop3_logout_format pop3_no_flag_updates pop3_reuse_xuidl pop3_save_uidl "
        "pop3_uidl_duplicates pop3_uidl_format".split()
    ),
}
"""Settings that count in a `protocol NAME { }` block as they do outside."""
WORKAROUNDS: Final = {
    "imap": ("delay-newmail", "tb-extra-mailbox-sep", "tb-lsub-flags"),
    "pop3": ("outlook-no-nuls", "oe-ns-eoh"),
}
PARK_IDLE_AFTER: Final = 5.0
PARK_AFTER: Final = 30.0
"""Seconds of silence, in IDLE and otherwise, after which clients are parked; imap_hibernate_timeout sets both."""
MIN_LINE: Final = 1024
"""Octets of an IMAP line that are taken whatever imap_max_line_length says."""
_PENALTY_SOCKET: Final = ("service", "anvil", "unix_listener", "anvil-auth-penalty")
"""A door of Dovecot's own that we do not have; closing it is how an admin switches penalties off."""


def _check_files(configuration: Configuration) -> None:
    """Whether all values that stand in files could be read."""
    for settings in (configuration.root, *configuration.filters):
        for place, entry in settings.entries.items():
            if entry.trouble:
                raise ConfigurationFault(
                    f"Error in configuration file {entry.where}",
                    f"{'/'.join(place)}: Can't open file {entry.content}: {entry.trouble}",
                )


def mailbox_settings(configuration: Configuration, *, hostname: str) -> MailboxSettings:
    """The settings of the half's roles."""
    _check_files(configuration)
    value = configuration.value
    pop3 = configuration.for_protocol("pop3")
    spaces = namespaces(configuration)
    tls = value("ssl")
    settings = MailboxSettings(
        configuration=os.path.abspath(configuration.path),
        base_dir=value("base_dir"),
        hostname=value("hostname") or hostname,
        protocols=_protocols(configuration),
        inet_sockets=inet_sockets(configuration, _protocols(configuration), tls=tls != "no"),
        unix_sockets=unix_sockets(configuration, _protocols(configuration)),
        scripts=scripts(configuration),
        internal_user=value("default_internal_user"),
        login_user=value("default_login_user"),
        log_path=value("log_path"),
        info_log_path=value("info_log_path"),
        debug_log_path=value("debug_log_path"),
        log_timestamp=value("log_timestamp"),
        log_lines=mailbox_lines(configuration, (*SERVED_PROTOCOLS, "lda")),
        syslog_facility=value("syslog_facility"),
        **_login_settings(configuration),
        **_auth_settings(configuration),
        **tls_settings(configuration),
        **_owner_settings(configuration),
        storage=msgspec.structs.replace(
            storage(
                with_environment(configuration, value("mail_location")),
                where=configuration.where("mail_location"),
                escaping=escaping(configuration),
            ),
            prefixed=bool(spaces[0].prefix),
        ),
        namespaces=spaces,
        **_imap_settings(configuration.for_protocol("imap")),
        pop3_client_workarounds=_workarounds(pop3, "pop3"),
        **pop3_settings(pop3),
        mail_attribute_dict=attribute_file(configuration),
        mail_server_admin=value("mail_server_admin"),
        mail_server_comment=value("mail_server_comment"),
        quota_mail_size=configuration.octets("quota_mail_size"),
        packing=packing(configuration, SERVED_PROTOCOLS),
        mail_log=mail_log(configuration, (*SERVED_PROTOCOLS, "lda")),
        search_index=search_index(configuration),
        **access_lists(configuration),
        mail_plugins={
            name: configuration.for_protocol(name).words("mail_plugins")
            for name in (*SERVED_PROTOCOLS, *([QUOTA_STATUS] if quota_status_services(configuration) else []))
        },
        plugin={
            path[-1]: entry.value
            for path, entry in configuration.root.entries.items()
            if path[0] == "plugin" and len(path) == 2
        },
        mail_location=value("mail_location"),
        mail_debug=tuple(
            name for name in ("imap", "pop3") if configuration.for_protocol(name).yes("mail_debug")
        ),
        mail_access_groups=_groups(configuration, "mail_access_groups"),
        mail_temp_dir=value("mail_temp_dir"),
        recipient_delimiter=value("recipient_delimiter"),
        **_lmtp_settings(configuration.for_protocol("lmtp")),
    )
    _check_quota_mail_size(configuration, settings)
    check_quotas(configuration, settings)
    check_dependencies(configuration, (*SERVED_PROTOCOLS, "lda"))
    check_lazy_expunge(configuration, settings)
    return settings


def _groups(configuration: Configuration, name: str) -> tuple[int, ...]:
    """Numbers of the groups that a setting names."""
    numbers = []
    for word in configuration.value(name).replace(",", " ").split():
        try:
            numbers.append(int(word) if is_decimal_text(word, max_digits=9) else grp.getgrnam(word).gr_gid)
        except KeyError:
            raise ConfigurationFault(configuration.where(name), f"{name}: no such group: {word}") from None
    return tuple(numbers)


def _auth_settings(configuration: Configuration) -> dict[str, Any]:
    """Fields for the auth server: databases, mechanisms, names."""
    value = configuration.value
    debug = configuration.yes("auth_debug") or configuration.yes("auth_debug_passwords")
    return {
        "passdbs": databases(configuration, "passdb"),
        "userdbs": databases(configuration, "userdb"),
        "auth_mechanisms": _mechanisms(configuration),
        "auth_failure_delay": float(configuration.seconds("auth_failure_delay")),
        "auth_penalty": configuration.number(*_PENALTY_SOCKET, "mode") != 0,
        "auth_anonymous_username": value("auth_anonymous_username"),
        "auth_default_realm": value("auth_default_realm"),
        "auth_realms": tuple(configuration.words("auth_realms")),
        "auth_master_user_separator": value("auth_master_user_separator"),
        "auth_username_chars": value("auth_username_chars"),
        "auth_username_format": _template(configuration, "auth_username_format"),
        "auth_username_translation": value("auth_username_translation"),
        "auth_debug": debug,
        "auth_debug_passwords": configuration.yes("auth_debug_passwords"),
        "auth_verbose": debug or configuration.yes("auth_verbose"),
        "auth_verbose_passwords": value("auth_verbose_passwords"),
        "auth_worker_max_count": max(1, configuration.number("auth_worker_max_count")),
    }


def _login_settings(configuration: Configuration) -> dict[str, Any]:
    """Fields for login processes: who may connect, from where, how often."""
    value, words = configuration.value, configuration.words
    return {
        "login_processes": _login_processes(configuration),
        "login_client_limit": _login_client_limit(configuration),
        "disable_plaintext_auth": configuration.yes("disable_plaintext_auth") or value("ssl") == "required",
        "login_greeting": value("login_greeting"),
        "login_trusted_networks": words("login_trusted_networks"),
        "haproxy_trusted_networks": words("haproxy_trusted_networks"),
        "haproxy_timeout": configuration.seconds("haproxy_timeout"),
        "mail_max_userip_connections": configuration.number("mail_max_userip_connections"),
        "connection_blocks": connection_blocks(configuration),
    }


def _owner_settings(configuration: Configuration) -> dict[str, Any]:
    """Whose files mail is kept in, and who may have mail at all."""
    value = configuration.value
    return {
        "mail_home": with_environment(configuration, _template(configuration, "mail_home")),
        "mail_uid": value("mail_uid"),
        "mail_gid": value("mail_gid"),
        "first_valid_uid": configuration.number("first_valid_uid"),
        "last_valid_uid": configuration.number("last_valid_uid"),
        "first_valid_gid": configuration.number("first_valid_gid"),
        "last_valid_gid": configuration.number("last_valid_gid"),
    }


def _imap_settings(imap: Configuration) -> dict[str, Any]:
    """Fields from what counts within `protocol imap`."""
    return {
        "imap_capability": imap.value("imap_capability"),
        "imap_client_workarounds": _workarounds(imap, "imap"),
        "imap_hibernate_timeout": _seconds_to_park(imap, PARK_IDLE_AFTER),
        "park_after": _seconds_to_park(imap, PARK_AFTER),
        "imap_idle_notify_interval": float(imap.seconds("imap_idle_notify_interval")),
        "imap_logout_format": logout_text(imap, "imap_logout_format", logout_format.IMAP_FIGURES),
        "imap_max_line_length": max(MIN_LINE, imap.octets("imap_max_line_length")),
        "imap_id_send": server_identity(imap),
        "imap_id_log": imap.words("imap_id_log"),
        "imap_literal_minus": imap.yes("imap_literal_minus"),
        "imap_metadata": imap.yes("imap_metadata"),
        "imap_urlauth_host": imap.value("imap_urlauth_host"),
        "imap_urlauth_port": imap.number("imap_urlauth_port"),
    }


def _lmtp_settings(lmtp: Configuration) -> dict[str, Any]:
    """Fields from what counts within `protocol lmtp`."""
    return {
        "lmtp_save_to_detail_mailbox": lmtp.yes("lmtp_save_to_detail_mailbox"),
        "lmtp_hdr_delivery_address": lmtp.value("lmtp_hdr_delivery_address"),
        "lmtp_add_received_header": lmtp.yes("lmtp_add_received_header"),
        "lmtp_rcpt_check_quota": lmtp.yes("lmtp_rcpt_check_quota"),
        "lda_mailbox_autocreate": lmtp.yes("lda_mailbox_autocreate"),
        "lda_mailbox_autosubscribe": lmtp.yes("lda_mailbox_autosubscribe"),
        "quota_full_tempfail": lmtp.yes("quota_full_tempfail"),
        "deliver_log_format": lmtp.value("deliver_log_format"),
    }


def _workarounds(configuration: Configuration, protocol: str) -> tuple[str, ...]:
    name = f"{protocol}_client_workarounds"
    for word in (words := configuration.words(name)):
        if word not in WORKAROUNDS[protocol]:
            raise ConfigurationFault(
                configuration.where(name),
                f"{name}: Unknown client workaround: {word}",
                mend=" ".join(WORKAROUNDS[protocol]),
            )
    return words


def _seconds_to_park(imap: Configuration, usual: float) -> float:
    """imap_hibernate_timeout.  Dovecot's default is never, ours is not (docs/adr/0018)."""
    if imap.entry("imap_hibernate_timeout") is None:
        return usual
    return float(imap.seconds("imap_hibernate_timeout"))


def _check_quota_mail_size(configuration: Configuration, settings: MailboxSettings) -> None:
    if not settings.quota_mail_size < 1 << 32:
        raise ConfigurationFault(
            configuration.where("quota_mail_size"),
            f"quota_mail_size {configuration.value('quota_mail_size')} is not below 4G",
        )


def _protocols(configuration: Configuration) -> tuple[str, ...]:
    words = configuration.words("protocols")
    for word in words:
        if word not in KNOWN_PROTOCOLS:
            raise ConfigurationFault(
                configuration.where("protocols"),
                f"protocols: Unknown protocol: {word}",
                mend=f"served are: {' '.join(SERVED_PROTOCOLS)}",
            )
    return tuple(word for word in words if word in SERVED_PROTOCOLS)


def _mechanisms(configuration: Configuration) -> tuple[str, ...]:
    words = tuple(word.lower() for word in configuration.words("auth_mechanisms"))
    for word in words:
        if word == "otp":  # each login needs another password stored
            raise ConfigurationFault(
                configuration.where("auth_mechanisms"), "OTP mechanism can't be supported with given passdbs"
            )
        if word not in MECHANISMS:
            raise ConfigurationFault(
                configuration.where("auth_mechanisms"),
                f"Unknown authentication mechanism '{word.upper()}'",
                mend=f"served are: {' '.join(MECHANISMS)}",
            )
        if word in _NEED_STORED_PASSWORDS and not _has_stored_passwords(configuration):
            raise ConfigurationFault(
                configuration.where("auth_mechanisms"),
                f"{word.upper()} mechanism can't be supported with given passdbs",
                mend="PAM and OAuth 2.0 show no password: leave the mechanism out, or add a passdb passwd-file",
            )
    return words


def _has_stored_passwords(configuration: Configuration) -> bool:
    return any(
        configuration.value(*path, "driver") not in ("pam", "oauth2")
        and not configuration.yes(*path, "master")
        for path in configuration.blocks("passdb")
    )


def _template(configuration: Configuration, name: str) -> str:
    text = configuration.value(name)
    try:
        variables.check(text)
    except ValueError as error:
        raise ConfigurationFault(configuration.where(name), f"{name}: {error}") from error
    return text


def _login_processes(configuration: Configuration) -> int:
    wanted = [
        configuration.number("service", service, "process_min_avail")
        for service in ("imap-login", "pop3-login")
    ]
    return max(wanted)


def _login_client_limit(configuration: Configuration) -> int:
    own = [
        configuration.number("service", service, "client_limit") for service in ("imap-login", "pop3-login")
    ]
    return max(own) or configuration.number("default_client_limit")


# -- users ---------------------------------------------------------------------------------------------


def databases(configuration: Configuration, kind: str) -> tuple[Database, ...]:
    """What `passdb` or `userdb` blocks say, in their order."""
    drivers = PASSDB_DRIVERS if kind == "passdb" else USERDB_DRIVERS
    return tuple(_database(configuration, path, drivers) for path in configuration.blocks(kind))


def _database(configuration: Configuration, path: Path, drivers: tuple[str, ...]) -> Database:
    kind = path[0]
    driver = configuration.value(*path, "driver")
    where = configuration.where(*path, "driver")
    if not driver:
        raise ConfigurationFault(
            f"Error in configuration file {configuration.path}", f"{kind} is missing driver"
        )
    if driver not in drivers:
        raise ConfigurationFault(
            where, f"{kind} driver {driver} is not served", mend=f"served are: {', '.join(drivers)}"
        )
    args = configuration.value(*path, "args")
    for field in ("args", "default_fields", "override_fields"):
        _template_at(configuration, (*path, field))
    if kind == "passdb":
        check_fields(configuration, path)
    if driver == "passwd-file" and not args.split():
        raise ConfigurationFault(
            where, f"{kind} passwd-file: Missing args: path", mend="args = /etc/dovecot/users"
        )
    check_arguments(configuration, path, driver)
    passdb = kind == "passdb"
    override_fields = configuration.value(*path, "override_fields")
    if not passdb and driver == "passwd":
        override_fields = f"{fields_of_passwd(args)} {override_fields}".strip()
    return Database(
        driver=driver,
        args=args,
        default_fields=configuration.value(*path, "default_fields"),
        override_fields=override_fields,
        deny=passdb and configuration.yes(*path, "deny"),
        master=passdb and configuration.yes(*path, "master"),
        go_on=passdb and configuration.yes(*path, "pass"),
        skip=configuration.value(*path, "skip"),
        result_success=configuration.value(*path, "result_success"),
        result_failure=configuration.value(*path, "result_failure"),
        result_internalfail=configuration.value(*path, "result_internalfail"),
        auth_verbose=configuration.value(*path, "auth_verbose"),
        mechanisms=configuration.words(*path, "mechanisms") if passdb else (),
        username_filter=configuration.words(*path, "username_filter") if passdb else (),
        oauth2=oauth2_settings(args, configuration.where(*path, "args")) if driver == "oauth2" else None,
        where=where.removeprefix("Error in configuration file "),
    )


def _template_at(configuration: Configuration, path: Path) -> None:
    try:
        variables.check(configuration.value(*path))
    except ValueError as error:
        raise ConfigurationFault(configuration.where(*path), f"{path[-1]}: {error}") from error

"""The dialect of Dovecot 2.4: its settings as those of 2.3 that mean the same.

DESCRIPTION
    `dovecot_config_version = 2.4.x` as the first setting selects it.  Names that changed are renamed; names that
    repeat their block's name (`passdb_driver` in passdb { }) lose it; lists written as blocks
    (`protocols { imap = yes }`) become words; `mail_driver`, `mail_path` and their like become mail_location;
    the settings of a passdb's or userdb's driver become its args.

FAULTS
    ConfigurationFault  a version that is not 2.4, a group of settings that is not known

STANDARDS
    Dovecot 2.4 Upgrading from 2.3
"""

from typing import Final

import msgspec

from pillarbox.config.dovecot.text import Form
from pillarbox.vocabulary.faults import ConfigurationFault

_RENAMED: Final = {
    "auth_default_domain": "auth_default_realm",
    "default_idle_kill_interval": "default_idle_kill",
    "mail_max_userip_connections": "mail_max_userip_connections",
    "ssl_server_dh_file": "ssl_dh",
    "ssl_server_prefer_ciphers": "ssl_prefer_server_ciphers",
    "ssl_server_request_client_cert": "ssl_verify_client_cert",
    "ssl_server_cert_username_field": "ssl_cert_username_field",
    "ssl_server_require_crl": "ssl_require_crl",
}
_RENAMED_IN_BLOCKS: Final = {
    ("inet_listener", "listen"): "address",
    ("service", "idle_kill_interval"): "idle_kill",
    ("service", "restart_request_count"): "service_count",
}
_FILES: Final = {
    "ssl_server_ca_file": "ssl_ca",
    "ssl_server_cert_file": "ssl_cert",
    "ssl_server_key_file": "ssl_key",
}
_OF_PLUGINS: Final = frozenset(("fts_autoindex",))
_LISTS: Final = frozenset(
    "auth_mechanisms auth_realms import_environment listen login_trusted_networks mail_access_groups "
    "mail_plugins protocols imap_client_workarounds pop3_client_workarounds".split()
)
_GROUPS: Final = frozenset({"ssl_server", "fields", "passdb_fields", "userdb_fields"})
_LOCATION: Final = {
    "mail_driver": "",
    "mail_path": "",
    "mail_inbox_path": "INBOX",
    "mail_index_path": "INDEX",
    "mail_control_path": "CONTROL",
    "mail_volatile_path": "VOLATILEDIR",
    "mailbox_list_layout": "LAYOUT",
    "mailbox_root_directory_name": "DIRNAME",
    "mailbox_subscriptions_filename": "SUBSCRIPTIONS",
}
_ARGUMENTS: Final = {
    "passwd_file_path": "",
    "default_password_scheme": "scheme",
    "auth_username_format": "username_format",
    "pam_service_name": "",
    "service_name": "",
    "pam_session": "session",
    "session": "session",
    "pam_setcred": "setcred",
    "setcred": "setcred",
    "pam_failure_show_msg": "failure_show_msg",
    "failure_show_msg": "failure_show_msg",
    "pam_max_requests": "max_requests",
    "max_requests": "max_requests",
    "static_password": "password",
    "password": "password",
    "static_allow_all_users": "allow_all_users",
    "allow_all_users": "allow_all_users",
    "passwd_file": "",
}
_WITHOUT_EFFECT: Final = frozenset(
    {"use_worker", "use_cache", "fields_import_all", "dovecot_storage_version"}
)
_ENGLISH: Final = (
    ("Drafts", "\\Drafts"), ("Junk", "\\Junk"), ("Trash", "\\Trash"),
    ("Sent", "\\Sent"), ("Sent Messages", "\\Sent"),
)  # fmt: skip


class _Driver(msgspec.Struct):
    """What a passdb or userdb block has said."""

    driver: str
    arguments: list[str] = []
    last: str = ""
    fields: list[str] = []


Made = list[tuple[tuple[str, ...], str, str, int]]


class Dialect24:
    """One configuration's translation."""

    def __init__(self, version: str, where: str) -> None:
        if version != "2.4" and not version.startswith("2.4."):
            raise ConfigurationFault(
                f"Error in configuration file {where}",
                f"dovecot_config_version {version} is not served",
                mend="2.4.0, or no such line for the dialect of 2.3",
            )
        self._where = where.rpartition(" line ")[0]
        self._drivers: dict[tuple[str, ...], _Driver] = {}
        self._locations: dict[tuple[str, ...], dict[str, str]] = {}
        self._lists: dict[tuple[str, ...], list[str]] = {}
        self._english: set[tuple[str, ...]] = set()
        self._plugin: dict[str, str] = {}

    def collects(self, outer: str, kind: str) -> bool:
        """Whether a block is a list, or a group of settings with a common prefix."""
        return kind in _LISTS or kind in _GROUPS

    def begin(self, path: tuple[str, ...], name: str) -> None:
        """A passdb's name is its driver unless it says otherwise."""
        if path[0] in ("passdb", "userdb"):
            self._drivers[path] = _Driver(name)

    def translate(
        self,
        kind: str,
        path: tuple[str, ...],
        lists: tuple[str, ...],
        name: str,
        value: str,
        form: Form,
        known: set[str],
    ) -> tuple[str, str, Form] | None:
        """The setting of 2.3; None if it was taken note of, or means nothing here."""
        if lists:
            return self._in_list(path, lists[-1], name, value, form, known)
        driver = self._drivers.get(path)
        for prefix in (f"{kind}_", f"{path[0]}_" if path else ""):
            if prefix and name.startswith(prefix) and name not in known:
                name = name[len(prefix) :]
        if name in _WITHOUT_EFFECT:
            return None
        if name == "@mailbox_defaults":
            return self._mailbox_defaults(value, path)
        if driver is not None:
            return self._of_driver(driver, name, value, form)
        if name in _LOCATION and (not path or path[0] == "namespace"):
            self._locations.setdefault(path, {})[name] = value
            return None
        if not path and name in _OF_PLUGINS:
            self._plugin[name] = value
            return None
        if not path:
            return self._at_root(name, value, form)
        return _RENAMED_IN_BLOCKS.get((kind, name), name), value, form

    def _at_root(self, name: str, value: str, form: Form) -> tuple[str, str, Form]:
        if name == "auth_allow_cleartext":
            return "disable_plaintext_auth", "no" if value.lower() in ("yes", "y", "1") else "yes", form
        if name == "ssl_server_prefer_ciphers":
            value = {"client": "no", "server": "yes"}.get(value, value)
        if name in _FILES:
            return _FILES[name], value, Form.FILE
        return _RENAMED.get(name, name), value, form

    def _in_list(
        self, path: tuple[str, ...], collects: str, name: str, value: str, form: Form, known: set[str]
    ) -> tuple[str, str, Form] | None:
        driver = self._drivers.get(path)
        if collects.endswith("fields") and driver is not None:
            driver.fields.append(f"{name}={value}")
            return None
        if collects in _GROUPS:
            return self._at_root(f"{collects}_{name}", value, form)
        words = self._lists.setdefault((*path, collects), [])
        if value.lower() in ("yes", "y", "1"):
            words.append(name)
        return collects, " ".join(words), Form.QUOTED

    @staticmethod
    def _of_driver(driver: _Driver, name: str, value: str, form: Form) -> tuple[str, str, Form] | None:
        if name == "driver":
            driver.driver = value
            return None
        argument = _ARGUMENTS.get(name)
        if argument is None:
            return name, value, form
        if argument:
            driver.arguments.append(f"{argument}={value}")
        else:
            driver.last = value
        return None

    def end(self, kind: str, path: tuple[str, ...], file: str, line: int) -> Made:
        """What the block that ends has come to."""
        driver = self._drivers.get(path)
        if driver is not None:
            words = [*driver.arguments, *([driver.last] if driver.last else [])]
            made: Made = [((*path, "driver"), driver.driver, file, line)]
            if driver.driver == "static":
                words = [*driver.arguments, *driver.fields]
            elif driver.fields:
                made.append(((*path, "override_fields"), " ".join(driver.fields), file, line))
            return [*made, ((*path, "args"), " ".join(words), file, line)] if words else made
        made = []
        if path in self._english:
            self._english.discard(path)
            made = [((*path, "mailbox", name, "special_use"), use, file, line) for name, use in _ENGLISH]
        location = self._locations.pop(path, None) if path else None
        if location:
            made.append(((*path, "location"), _composed(location), file, line))
        return made

    def finish(self) -> Made:
        """mail_location, and what plugin { } was, when everything is read."""
        location = self._locations.pop((), None)
        made: Made = [(("plugin", name), value, self._where, 0) for name, value in self._plugin.items()]
        return [*made, (("mail_location",), _composed(location), self._where, 0)] if location else made

    def _mailbox_defaults(self, value: str, path: tuple[str, ...]) -> tuple[str, str, Form] | None:
        if value != "english":
            return "@mailbox_defaults", value, Form.PLAIN  # no such setting: refused with its line
        self._english.add(path)
        return None


def _composed(parts: dict[str, str]) -> str:
    """mail_location of mail_driver, mail_path and their like."""
    options = [f"{option}={parts[name]}" for name, option in _LOCATION.items() if option and parts.get(name)]
    return ":".join([parts.get("mail_driver", "maildir"), parts.get("mail_path") or "~/Maildir", *options])

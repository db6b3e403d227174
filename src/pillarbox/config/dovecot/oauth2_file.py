"""dovecot-oauth2.conf.ext, the args of a passdb oauth2.

DESCRIPTION
    Lines `name = value`; `#` begins a comment, a backslash at the end goes on in the next line, quotes around a
    value are taken off.  `!include` and `!include_try` read other files.

FAULTS
    ConfigurationFault  a file that cannot be read, a setting that is unknown, settings that do not fit together,
                        https without certificates to trust.  Dovecot's auth process dies of most of them.

STANDARDS
    Dovecot 2.3, passdb oauth2
"""

import glob
import os
import re
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from pillarbox.config.dovecot import variables
from pillarbox.config.oauth2_settings import OAuth2Settings
from pillarbox.vocabulary.digits import is_decimal_text
from pillarbox.vocabulary.faults import ConfigurationFault

_TYPES: Final[dict[str, Any]] = {field.name: field.type for field in msgspec.structs.fields(OAuth2Settings)}
_WITHOUT_EFFECT: Final = ("max_pipelined_requests", "rawlog_dir", "debug")
_KEYS: Final = "fs:posix:prefix="
_URLS: Final = ("tokeninfo_url", "grant_url", "introspection_url", "openid_configuration_url")
_MODES: Final = ("auth", "get", "post", "local")
_TOKEN: Final = re.compile(r"%\{oauth2:[^{}]*\}|%\$")


def oauth2_settings(path: str, where: str) -> OAuth2Settings:
    """The settings of a file; `where` is the place of the passdb."""
    if not path.startswith("/"):
        raise ConfigurationFault(
            where,
            "passdb oauth2: args is not the path of a file",
            mend="/etc/dovecot/dovecot-oauth2.conf.ext",
        )
    found: dict[str, Any] = {}
    _read(path, found, [])
    settings = OAuth2Settings(**found)
    if fault := _fault(settings):
        raise ConfigurationFault(f"oauth2 {path}", fault)
    return settings


def _read(path: str, found: dict[str, Any], including: list[str]) -> None:
    """Add what a file says."""
    if path in including:
        raise ConfigurationFault(f"oauth2 {including[0]}", f"Recursive include file: {path}")
    including = [*including, path]
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().split("\n")
    except OSError as error:
        raise ConfigurationFault(
            f"oauth2 {including[0]}", f"Can't open configuration file {path}: {error.strerror}"
        ) from error
    begun = ""
    for number, line in enumerate(lines, 1):
        text = _without_comment(line.lstrip()).rstrip()
        if text.endswith("\\"):
            begun += text[:-1].rstrip() + " "
            continue
        text, begun = begun + text, ""
        name, equals, value = text.partition("=")
        word, _, pattern = text.partition(" ")
        if word in ("!include", "!include_try"):
            _include(os.path.join(os.path.dirname(path), pattern.strip()), word, found, including)
        elif text:
            where = f"oauth2 {including[0]}: Error in configuration file {path} line {number}"
            if not equals:
                raise ConfigurationFault(where, "Missing '='")
            _set(name.strip(), _unquoted(value.strip()), found, where)


def _include(pattern: str, word: str, found: dict[str, Any], including: list[str]) -> None:
    paths = sorted(glob.glob(pattern))
    if not paths and word == "!include":
        raise ConfigurationFault(f"oauth2 {including[0]}", f"{word} {pattern}: No matches")
    for path in paths:
        _read(path, found, including)


def _without_comment(line: str) -> str:
    """Up to a `#` that is not between quotes."""
    quote = ""
    for at, mark in enumerate(line):
        if quote:
            quote = "" if mark == quote and line[at - 1] != "\\" else quote
        elif mark in "'\"":
            quote = mark
        elif mark == "#":
            return line[:at]
    return line


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _set(name: str, value: str, found: dict[str, Any], where: str) -> None:
    """One setting."""
    if name in _WITHOUT_EFFECT:
        return
    if name == "local_validation_key_dict":
        if value and not value.startswith(f"{_KEYS}/"):
            raise ConfigurationFault(
                where, f"local_validation_key_dict {value} is not served", mend=f"{_KEYS}/etc/dovecot/keys/"
            )
        found["key_directory"] = value.removeprefix(_KEYS)
    elif name not in _TYPES or name == "key_directory":
        raise ConfigurationFault(where, f"Unknown setting: {name}")
    elif _TYPES[name] is bool:
        if value.lower() not in ("yes", "no", "y", "n", "1", "0", "true", "false"):
            raise ConfigurationFault(where, f"Invalid boolean: {value}")
        found[name] = value.lower() in ("yes", "y", "1", "true")
    elif _TYPES[name] is int:
        if not is_decimal_text(value, max_digits=9):
            raise ConfigurationFault(where, f"Invalid number: {value}")
        found[name] = int(value)
    elif name == "issuers":
        found[name] = tuple(value.split())
    else:
        found[name] = value or ("auth" if name == "introspection_mode" else "")


def _fault(settings: OAuth2Settings) -> str:
    """What does not fit together; empty if all does."""
    asks = settings.tokeninfo_url or settings.introspection_url or settings.key_directory
    if not asks and not (settings.grant_url and settings.client_id):
        return "Password grant, tokeninfo, introspection URL or validation key dictionary must be given"
    if settings.use_grant_password and not settings.grant_url:
        return "use_grant_password is set, but grant_url is not"
    if settings.active_attribute and not settings.active_value:
        return "Cannot have empty active_value if active_attribute is set"
    if settings.active_value and not settings.active_attribute:
        return "Cannot have empty active_attribute is active_value is set"
    mode = settings.introspection_mode
    if mode not in _MODES:
        return f"Invalid value '{mode}' for introspection mode, must be on auth, get, post or local"
    if mode == "local" and not settings.key_directory:
        return "local_validation_key_dict is required for local introspection."
    if not (settings.tokeninfo_url or settings.introspection_url or mode == "local"):
        if not settings.use_grant_password:
            return "nobody can be asked about a token: set introspection_url or use_grant_password"
    try:
        variables.check(settings.username_format)
        variables.check(_TOKEN.sub("", settings.pass_attrs))
    except ValueError as error:
        return str(error)
    return next(filter(None, (_url_fault(settings, name) for name in _URLS)), "")


def _url_fault(settings: OAuth2Settings, name: str) -> str:
    url = getattr(settings, name)
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or any(mark <= " " for mark in url):
        return f"Invalid {name}: {url}"
    trusts = settings.tls_ca_cert_file or settings.tls_ca_cert_dir or settings.tls_allow_invalid_cert
    if parts.scheme == "https" and not trusts and name != "openid_configuration_url":
        return (
            f"{name}: Can't verify remote server certs without trusted CAs: "
            "set tls_ca_cert_file = /etc/ssl/certs/ca-certificates.crt"
        )
    return ""

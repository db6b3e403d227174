"""Settings that Dovecot 2.3 takes under their old names, and says so: what they are called now.

DESCRIPTION
    `replacement(name, value, protocol)` gives the settings that a line of an older configuration stands for, and
    what is said of it.  Such lines are found where a host has been upgraded for years.

STANDARDS
    Dovecot 2.3, Upgrading; the words are those of its doveconf(1)
"""

from collections.abc import Callable
from typing import Final

import msgspec

from pillarbox.vocabulary.digits import is_decimal_text

CLEAN: Final = "NOTE: You can get a new clean config file with: doveconf -Pn > dovecot-new.conf"
"""What is said once, before the first of them."""

Made = tuple[tuple[str, ...], str, bool]
"""A setting's path, its value, and whether that is the name of a file."""


class Replacement(msgspec.Struct, frozen=True):
    """What a line stands for."""

    remarks: tuple[str, ...]
    """Behind `Obsolete setting in F:N: `."""
    settings: tuple[Made, ...] = ()
    fault: str = ""
    """Why there is no setting; it ends nothing."""


_REMOVED: Final = frozenset(
    "login_dir dbox_rotate_min_size dbox_rotate_days mail_log_max_lines_per_sec "
    "maildir_copy_preserve_filename".split()
)
_NEEDLESS: Final = frozenset(("ssl_parameters_regenerate", "ssl_dh_parameters_length"))
_RENAMED: Final = {
    "ssl_disable": ("ssl", {"yes": "no", "no": "yes"}),
    "fsync_disable": ("mail_fsync", {"yes": "never", "no": "optimized"}),
    "dbox_rotate_size": ("mdbox_rotate_size", {}),
}
_FILES: Final = {"ssl_cert_file": "ssl_cert", "ssl_key_file": "ssl_key", "ssl_ca_file": "ssl_ca"}
_OF_SERVICES: Final = {
    "login_executable": ("-login", "executable"),
    "login_user": ("-login", "user"),
    "login_chroot": ("-login", "chroot"),
    "login_process_size": ("-login", "vsz_limit"),
    "login_process_per_connection": ("-login", "service_count"),
    "login_processes_count": ("-login", "process_min_avail"),
    "login_max_processes_count": ("-login", "process_limit"),
    "login_max_connections": ("-login", "client_limit"),
    "mail_executable": ("", "executable"),
    "mail_process_size": ("", "vsz_limit"),
    "mail_drop_priv_before_exec": ("", "drop_priv_before_exec"),
    "max_mail_processes": ("", "process_limit"),
}
_OF_AUTH: Final = {"auth_process_size": "vsz_limit", "auth_user": "user"}
_VERSIONS: Final = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2")
_YES: Final = ("yes", "y", "1")


def replacement(name: str, value: str, protocol: str = "") -> Replacement | None:
    """What stands for it, inside `protocol { }` if one is given; None if the name is one of today's."""
    if name in _REMOVED:
        return Replacement((f"{name} has been removed",))
    if name in _NEEDLESS:
        return Replacement((f"{name} is no longer needed",))
    if name in _RENAMED:
        new, values = _RENAMED[name]
        return Replacement(
            (f"{name} has been renamed to {new}",), (((new,), values.get(value, value), False),)
        )
    if name in _FILES:
        if not value:
            return Replacement(())
        new = _FILES[name]
        return Replacement((f"{name} has been replaced by {new} = <file",), (((new,), value, True),))
    if name in _OF_SERVICES:
        return _of_services(name, value, protocol)
    if name in _OF_AUTH:
        new = _OF_AUTH[name]
        remark = f"{name} has been replaced by service auth {{ {new} }}"
        return Replacement((remark,), ((("service", "auth", new), _sized(new, value), False),))
    special = _SPECIAL.get(name)
    return special(value) if special is not None else None


def _of_services(name: str, value: str, protocol: str) -> Replacement:
    suffix, new = _OF_SERVICES[name]
    value = _sized(new, value)
    if new == "chroot":
        value = "login" if value in _YES else ""
    elif new == "service_count":
        value = "1" if value in _YES else "0"
    protocols = (protocol,) if protocol in ("imap", "pop3") else ("imap", "pop3")
    made = tuple((("service", f"{one}{suffix}", new), value, False) for one in protocols)
    return Replacement((f"{name} has been replaced by service {{ {new} }}",), made)


def _sized(name: str, value: str) -> str:
    """Sizes were in MiB."""
    return f"{value}M" if name == "vsz_limit" and value.isdigit() else value


def _auth_count(_value: str) -> Replacement:
    return Replacement(("auth_count has been removed, and its value must be 1",))


def _sieve(value: str) -> Replacement:
    remark = "sieve has been moved into plugin {} section"
    return Replacement((remark,), ((("plugin", "sieve"), value, False),))


def _auth_cache_size(value: str) -> Replacement | None:
    if not (is_decimal_text(value) and 0 < int(value) < 1024):
        return None
    remark = f"auth_cache_size value no longer defaults to megabytes. Use {value}M"
    return Replacement((remark,), ((("auth_cache_size",), f"{value}M", False),))


def _ssl_protocols(value: str) -> Replacement:
    remark = ("ssl_protocols has been replaced by ssl_min_protocol",)
    wanted: set[str] = set()
    refused: set[str] = set()
    for word in value.replace(",", " ").split():
        if (version := word.removeprefix("!")) not in _VERSIONS:
            return Replacement(remark, fault=_no_version(value, f"Unrecognized protocol '{version}'"))
        (refused if word.startswith("!") else wanted).add(version)
    left = [version for version in _VERSIONS if (version in wanted if wanted else version not in refused)]
    if not left:
        return Replacement(remark, fault=_no_version(value, "All protocols disabled"))
    return Replacement(remark, ((("ssl_min_protocol",), left[0], False),))


def _no_version(value: str, why: str) -> str:
    return f"Could not find a minimum ssl_min_protocol setting from ssl_protocols = {value}: {why}"


def _protocols(value: str) -> Replacement | None:
    words, remarks, made = value.split(), [], list[Made]()
    for old in ("imaps", "pop3s"):
        new = old[:-1]
        if old not in words:
            continue
        if new in words:
            remarks.append(f"'{old}' protocol is no longer necessary, remove it")
            words.remove(old)
            continue
        remarks.append(
            f"'{old}' protocol can no longer be specified (use protocols={new}). to disable non-ssl {new}, "
            f"use service {new}-login {{ inet_listener {new} {{ port=0 }} }}"
        )
        words.remove(old)
        words.append(new)
        made.append((("service", f"{new}-login", "inet_listener", new, "port"), "0", False))
    if "managesieve" in words:
        remarks.append("protocols=managesieve has been renamed to protocols=sieve")
        words[words.index("managesieve")] = "sieve"
    if not remarks:
        return None
    return Replacement(tuple(remarks), ((("protocols",), " ".join(words), False), *made))


def _imap_client_workarounds(value: str) -> Replacement | None:
    remarks = [
        f"imap_client_workarounds={word} is no longer {how}"
        for word, how in (("netscape-eoh", "supported"), ("outlook-idle", "necessary"))
        if word in value.split()
    ]
    if not remarks:
        return None
    for word in ("netscape-eoh", "outlook-idle"):
        value = value.replace(word, "")
    return Replacement(tuple(remarks), ((("imap_client_workarounds",), value, False),))


_SPECIAL: Final[dict[str, Callable[[str], Replacement | None]]] = {
    "auth_count": _auth_count,
    "sieve": _sieve,
    "auth_cache_size": _auth_cache_size,
    "ssl_protocols": _ssl_protocols,
    "protocols": _protocols,
    "imap_client_workarounds": _imap_client_workarounds,
}

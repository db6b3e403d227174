"""How lines of Dovecot's log begin and what they tell: login_log_format and its elements, mail_log_prefix.

DESCRIPTION
    `MailboxLines` are the templates, by protocol.  An element of login_log_format_elements is left out if all
    of its variables are empty, or if it has none; one with `%u` or `%n` stays, so that `user=<>` is told.

        login   Login: user=<me>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=42, TLS, session=<AbC>
        mail    imap(me)<42><AbC>:

FAULTS
    What a template names and is not known is told at start (`complaints`); an element with it is left out, and in a
    prefix it shows as Dovecot shows it, `UNSUPPORTED_VARIABLE_x`.

STANDARDS
    Dovecot 2.3, login_log_format, login_log_format_elements, mail_log_prefix, deliver_log_format
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from pillarbox.config.dovecot import variables
from pillarbox.config.dovecot.variable_functions import DIGESTS

if TYPE_CHECKING:  # commands of Postfix write log lines, too, and read no dovecot.conf
    from pillarbox.config.dovecot.reading import Configuration

LOGIN_FORMAT: Final = "%$: %s"
LOGIN_ELEMENTS: Final = "user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}>"
MAIL_PREFIX: Final = "%s(%u)<%{pid}><%{session}>: "
DELIVERY_FORMAT: Final = "msgid=%m: %$"
TIMESTAMP: Final = "%b %d %H:%M:%S "

_OTHER_NAMES: Final = {
    **{
        "local_ip": "lip",
        "remote_ip": "rip",
        "local_port": "lport",
        "remote_port": "rport",
        "mechanism": "mech",
    },
    **{"real_local_ip": "real_lip", "real_remote_ip": "real_rip"},
    **{"real_local_port": "real_lport", "real_remote_port": "real_rport"},
    **{f"original_{name}": f"orig_{name}" for name in ("user", "username", "domain")},
}
_LOGIN: Final = {
    **_OTHER_NAMES,
    "u": "user", "n": "username", "d": "domain", "s": "service", "h": "home", "l": "lip", "r": "rip", "p": "pid",
    "m": "mech", "a": "lport", "b": "rport", "c": "secured", "k": "ssl_security", "e": "mail_pid",
    **{name: name for name in (
        "user", "username", "domain", "service", "home", "lip", "rip", "pid", "mech", "lport", "rport", "secured",
        "ssl_security", "mail_pid", "session", "real_lip", "real_rip", "real_lport",
        "real_rport", "orig_user", "orig_username", "orig_domain", "auth_user", "auth_username", "auth_domain",
        "listener", "local_name",
    )},
}  # fmt: skip
_MAIL: Final = {
    "u": "user", "n": "username", "d": "domain", "s": "service", "l": "lip", "r": "rip", "p": "pid", "i": "uid",
    **{name: name for name in (
        "user", "username", "domain", "service", "lip", "rip", "pid", "uid", "gid", "session", "auth_user",
        "auth_username", "auth_domain", "hostname",
    )},
    **{name: _OTHER_NAMES[name] for name in ("local_ip", "remote_ip")},
}  # fmt: skip
_MESSAGE: Final = {"$": "message", "message": "message"}
_FORMAT: Final = {"s": "elements", "elements": "elements", **_MESSAGE}
_DELIVERY: Final = {
    "m": "msgid", "s": "subject", "f": "from", "e": "from_envelope", "p": "size", "w": "vsize",
    **{name: name for name in (
        "msgid", "subject", "from", "from_envelope", "size", "vsize", "to_envelope", "delivery_time",
        "session_time", "storage_id",
    )},
    **_MESSAGE,
}  # fmt: skip
_FUNCTIONS: Final = frozenset({"if", "env", "userdb", "passdb", *DIGESTS})
_ANY: Final = re.compile(
    r"%(?:%|(?P<modifiers>[-0-9.A-Z]*)(?:(?P<letter>[a-z$])|\{(?P<long>[^{}]*)\}))", re.ASCII
)
_USERNAME: Final = re.compile(r"%[-0-9.A-Z]*[un]", re.ASCII)


class MailboxLines(msgspec.Struct, frozen=True):
    """Templates; `within`: those of `protocol` blocks, by protocol and setting."""

    login_log_format: str = LOGIN_FORMAT
    login_log_format_elements: str = LOGIN_ELEMENTS
    mail_log_prefix: str = MAIL_PREFIX
    within: dict[str, dict[str, str]] = {}

    def login(self, service: str, message: str, values: Mapping[str, str]) -> str:
        """`Login: user=<me>, …`; `values` by the long names of variables."""
        elements = self._template("login_log_format_elements", service)
        said = ", ".join(filter(None, [_element(text, values) for text in elements.split()]))
        format_ = self._template("login_log_format", service)
        return _expand(format_, {"message": message, "elements": said}, _FORMAT)

    def mail_prefix(self, service: str, values: Mapping[str, str]) -> str:
        """`imap(me)<42><AbC>: `; `values` by the long names of variables."""
        return _expand(self._template("mail_log_prefix", service), values, _MAIL)

    def _template(self, name: str, service: str) -> str:
        template: str = getattr(self, name)
        return self.within.get(service, {}).get(name, template)


def mailbox_lines(configuration: "Configuration", protocols: Iterable[str]) -> MailboxLines:
    """What the configuration says."""
    names = ("login_log_format", "login_log_format_elements", "mail_log_prefix")
    values = {name: configuration.value(name) for name in names}
    within = {}
    for protocol in protocols:
        own = {name: configuration.for_protocol(protocol).value(name) for name in names}
        if own != values:
            within[protocol] = own
    return MailboxLines(**values, within=within)


def delivery_text(template: str, message: str, value: Callable[[str], str]) -> str:
    """`msgid=<1@x>: saved mail to INBOX`; `value` gives what a variable's long name stands for."""
    values = {"message": message} | {name: value(name) for name in delivery_variables(template)}
    return _expand(template, values, _DELIVERY)


@lru_cache(maxsize=64)
def delivery_variables(template: str) -> tuple[str, ...]:
    """The long names of what deliver_log_format tells."""
    names = {name: name for name in _DELIVERY.values() if name != "message"}
    usual = _expand(template, names, _DELIVERY)
    return tuple(name for name in names if _expand(template, names | {name: "\0"}, _DELIVERY) != usual)


def complaints(configuration: "Configuration") -> list[str]:
    """A line for each variable that a template names and nobody knows."""
    found = []
    for settings in (configuration.root, *configuration.filters):
        for path, entry in settings.entries.items():
            if path[0] in _TEMPLATES:
                unknown = _prepared(entry.value, tuple(_TEMPLATES[path[0]].items()))[1]
                found += [f"{entry.where}: {path[0]}: Unknown variable '%{name}'" for name in unknown]
    return found


_TEMPLATES: Final = {
    "login_log_format": _FORMAT,
    "login_log_format_elements": _LOGIN,
    "mail_log_prefix": _MAIL,
    "deliver_log_format": _DELIVERY,
}


@lru_cache(maxsize=256)
def _is_left_out(text: str) -> bool:
    return bool(_prepared(text, tuple(_LOGIN.items()))[1])


@lru_cache(maxsize=256)
def _empty(text: str) -> str:
    return _expand(text, {}, _LOGIN)


def _element(text: str, values: Mapping[str, str]) -> str:
    """The element with its variables, or nothing."""
    if _is_left_out(text):
        return ""
    said = _expand(text, values, _LOGIN)
    is_told = _USERNAME.search(text) or "%{passdb:" in text
    return said if is_told or said != _empty(text) else ""


def _expand(text: str, values: Mapping[str, str], letters: Mapping[str, str]) -> str:
    if (pieces := _pieces(text, id(letters))) is not None:
        return "".join([values.get(letters[piece], "") if is_name else piece for is_name, piece in pieces])
    prepared, _ = _prepared(text, tuple(letters.items()))
    return variables.expand(prepared, values, letters=letters)


@lru_cache(maxsize=256)
def _pieces(text: str, letters: int) -> tuple[tuple[bool, str], ...] | None:
    """Text, and names between; None if there is more to it than names: a template is used for each line."""
    known = next(one for one in (_FORMAT, _LOGIN, _MAIL, _DELIVERY) if id(one) == letters)
    found: list[tuple[bool, str]] = []
    at = 0
    for match in _ANY.finditer(text):
        name = match["letter"] or match["long"]
        if match["modifiers"] or name not in known:
            return None
        found += [(False, text[at : match.start()]), (True, name)]
        at = match.end()
    return (*found, (False, text[at:]))


@lru_cache(maxsize=256)
def _prepared(text: str, letters: tuple[tuple[str, str], ...]) -> tuple[str, tuple[str, ...]]:
    """The template without what nobody knows, and the names of that."""
    known = dict(letters)
    unknown = []

    def replace(match: re.Match[str]) -> str:
        name = match["letter"] or match["long"]
        if match[0] == "%%" or name in known or re.split("[:;|]", name)[0] in _FUNCTIONS:
            return match[0].replace("%$", "%{message}")
        unknown.append(name)
        return f"UNSUPPORTED_VARIABLE_{name}"

    prepared = _ANY.sub(replace, text)
    try:
        variables.expand(prepared, {}, letters=known)
    except ValueError as error:  # a modifier that does not exist
        return text.replace("%", "%%"), (str(error),)
    return prepared, tuple(unknown)

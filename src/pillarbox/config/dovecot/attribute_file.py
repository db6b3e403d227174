"""mail_attribute_dict: where the annotations of a user's mailboxes are.

FAULTS
    ConfigurationFault  a dict that is no file, or a path that a user cannot have

STANDARDS
    Dovecot 2.3, Dictionary (`file:PATH[:lock=dotlock|fcntl|flock]`)
"""

import re
from typing import Final

from pillarbox.config.dovecot import variables
from pillarbox.config.dovecot.reading import Configuration
from pillarbox.vocabulary.faults import ConfigurationFault

_FILE: Final = re.compile(r"file:([^:\n]+)(?::lock=(?:dotlock|fcntl|flock))?")
_HOME: Final = re.compile(r"~/|%h|%\{home\}")


def attribute_file(configuration: Configuration) -> str:
    """The path with its variables; "" if there is no such setting."""
    text = configuration.value("mail_attribute_dict")
    if not text:
        return ""
    where = configuration.where("mail_attribute_dict")
    found = _FILE.fullmatch(text)
    if found is None:
        raise ConfigurationFault(
            where,
            f"mail_attribute_dict {text} is not served: annotations of mailboxes would be missing",
            mend="mail_attribute_dict = file:%h/Maildir/dovecot-attributes",
        )
    try:
        variables.check(found[1])
    except ValueError as error:
        raise ConfigurationFault(where, f"mail_attribute_dict: {error}") from error
    return found[1]


def attribute_file_of(template: str, *, user: str, home: str) -> str:
    """A user's file; "" if none is configured."""
    if not template:
        return ""
    where = f"user {user}"
    values = variables.user_values(user) | {"home": home}
    if any(value in (".", "..") or "/" in value for value in (values["username"], values["domain"], user)):
        raise ConfigurationFault(where, "the name cannot be part of a path")
    if not home.startswith("/") and _HOME.match(template) is not None:
        raise ConfigurationFault(
            where, f"no home directory, and mail_attribute_dict {template} lies in it", mend="set mail_home"
        )
    path = variables.expand(template, values)
    if path.startswith("~/"):
        path = home.rstrip("/") + path[1:]
    if not path.startswith("/"):
        raise ConfigurationFault(where, f"mail_attribute_dict {path} is not an absolute path")
    return path

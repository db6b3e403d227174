"""From what a client calls itself to the name that is looked up.

DESCRIPTION
    In this order: auth_username_translation, auth_default_realm, auth_username_chars, auth_username_format.
    A name `user*master` with auth_master_user_separator `*` says that master wants to be user.

FAULTS
    BadName  a character that is not allowed, an empty name; `str()` is for the log

STANDARDS
    Dovecot 2.3 auth settings
"""

import msgspec

from pillarbox.config.dovecot.variables import expand, user_values


class BadName(Exception):
    """Not a name that can be looked up."""


class LoginName(msgspec.Struct, frozen=True):
    """Whose mail it is, and whose password was given."""

    user: str
    master: str = ""


class LoginNames(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of a configuration."""

    chars: str = ""
    format: str = "%Lu"
    translation: str = ""
    default_realm: str = ""
    master_separator: str = ""

    def parse(self, text: str) -> LoginName:
        """What the client gave.  BadName."""
        user, master = text, ""
        if self.master_separator and self.master_separator in text:
            user, _, master = text.partition(self.master_separator)
            if not master:
                raise BadName("Empty master user login attempted")
        return LoginName(self.normal(user), self.normal(master) if master else "")

    def normal(self, name: str) -> str:
        """One name.  BadName."""
        name = name.translate(str.maketrans(self.translation[::2], self.translation[1::2]))
        if self.default_realm and "@" not in name:
            name = f"{name}@{self.default_realm}"
        if not name:
            raise BadName("Username is empty")
        if self.chars and (bad := next((letter for letter in name if letter not in self.chars), "")):
            raise BadName(
                f"Username character disallowed by auth_username_chars: 0x{ord(bad):02x} (username: {name})"
            )
        if "\0" in name or "/" in name or name in (".", ".."):
            raise BadName("Username contains a slash or NUL")
        name = expand(self.format, user_values(name)) if self.format else name
        if not name:
            raise BadName("auth_username_format expanded the username to an empty string")
        return name

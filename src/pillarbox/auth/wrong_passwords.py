"""auth_verbose_passwords: what the log says of a password that was wrong.

STANDARDS
    Dovecot 2.3: no, plain, sha1; `plain:3` and `sha1:6` are the first characters of it
"""

import hashlib
from typing import Final

from pillarbox.vocabulary.secret import Secret

_TOLD: Final = frozenset(("Password mismatch", "unknown user"))


def with_password(reason: str, password: Secret, form: str) -> str:
    """`Password mismatch (given password: x)`; a reason that is not about the password stays as it is."""
    kind, _, length = form.partition(":")
    if kind == "no" or reason not in _TOLD:
        return reason
    text = password.reveal().decode("utf-8", "replace")
    what = "given password"
    if kind == "sha1":
        text = hashlib.sha1(password.reveal(), usedforsecurity=False).hexdigest()
        what = "SHA1 of given password"
    return f"{reason} ({what}: {text[: int(length)] if length else text})"

"""`%{env:NAME}` where mail is: what import_environment lets through of the environment that a program starts in.

STANDARDS
    Dovecot 2.3, import_environment, Variables
"""

import os
import re
from typing import Final

from pillarbox.config.dovecot.reading import Configuration

_VARIABLE: Final = re.compile(r"%\{env:([^{}:]*)(?::([^{}]*))?\}")


def with_environment(configuration: Configuration, text: str) -> str:
    """The text with its `%{env:NAME}` and `%{env:NAME:DEFAULT}`; what is not let through is empty."""
    if "%{env:" not in text:
        return text
    known = {}
    for word in configuration.words("import_environment"):
        name, is_set, value = word.partition("=")
        if is_set:
            known[name] = value
        elif name in os.environ:
            known[name] = os.environ[name]

    def value_of(match: re.Match[str]) -> str:
        return known.get(match[1], match[2] or "").replace("%", "%%")

    return _VARIABLE.sub(value_of, text)

"""TLS versions as smtpd_tls_protocols and its kin name them.

FAULTS
    ConfigurationFault  a version that does not exist, or none that is left
"""

import re
import ssl
import warnings
from typing import Final

from pillarbox.vocabulary.faults import ConfigurationFault

_VERSIONS: Final = {
    "tlsv1": ssl.TLSVersion.TLSv1,
    "tlsv1.0": ssl.TLSVersion.TLSv1,
    "tlsv1.1": ssl.TLSVersion.TLSv1_1,
    "tlsv1.2": ssl.TLSVersion.TLSv1_2,
    "tlsv1.3": ssl.TLSVersion.TLSv1_3,
}
_OLDER: Final = ("sslv2", "sslv3")
_ORDER: Final = (
    ssl.TLSVersion.TLSv1,
    ssl.TLSVersion.TLSv1_1,
    ssl.TLSVersion.TLSv1_2,
    ssl.TLSVersion.TLSv1_3,
)
_WITHOUT: Final = {ssl.TLSVersion.TLSv1_1: ssl.OP_NO_TLSv1_1, ssl.TLSVersion.TLSv1_2: ssl.OP_NO_TLSv1_2}
_HEXADECIMAL: Final = re.compile("(?:0[xX])?[0-9a-fA-F]{1,8}")


def version_range(text: str) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    """`>=TLSv1.2, <=TLSv1.3` or `!SSLv2, !SSLv3, !TLSv1` as the oldest and the newest version."""
    allowed = _allowed(text)
    return allowed[0], allowed[-1]


def limit_versions(context: ssl.SSLContext, text: str) -> None:
    """Have a context speak these versions, and none between them that is left out."""
    allowed = _allowed(text)
    with warnings.catch_warnings():  # whoever has written an old one down knows
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = allowed[0], allowed[-1]
        for version in _ORDER[_ORDER.index(allowed[0]) : _ORDER.index(allowed[-1])]:
            if version not in allowed:
                context.options |= _WITHOUT[version]


def _allowed(text: str) -> list[ssl.TLSVersion]:
    """The versions in their order.  The last of several limits counts, and a limit may be a number: 0303."""
    oldest, newest = _ORDER[0], _ORDER[-1]
    excluded: set[ssl.TLSVersion] = set()
    named: set[ssl.TLSVersion] = set()
    for word in text.replace(",", " ").replace(":", " ").split():
        operator = next((sign for sign in (">=", "<=", "!") if word.startswith(sign)), "")
        version = _version(word, word[len(operator) :], is_limit=operator in (">=", "<="))
        if operator == ">=":
            oldest = version or _ORDER[0]
        elif operator == "<=":
            newest = version or _ORDER[-1]
        elif version is not None:
            (excluded if operator else named).add(version)
    allowed = [one for one in _ORDER if oldest <= one <= newest and one not in excluded]
    if named:
        allowed = [one for one in allowed if one in named]
    if not allowed:
        raise ConfigurationFault("TLS versions", f'"{text}" leaves no version')
    return allowed


def _version(word: str, name: str, *, is_limit: bool) -> ssl.TLSVersion | None:
    """None for one that is older than all that there are."""
    found = _VERSIONS.get(name.lower())
    if found is None and name.lower() not in (*_OLDER, *(("none",) if is_limit else ())):
        number = int(name, 16) if is_limit and _HEXADECIMAL.fullmatch(name) else -1
        found = next((one for one in _ORDER if one == number), None)
        if found is None and not 0 <= number < _ORDER[0]:
            raise ConfigurationFault("TLS versions", f'"{word}" is no version of TLS', mend="write >=TLSv1.2")
    return found

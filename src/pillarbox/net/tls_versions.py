"""TLS versions as smtpd_tls_protocols and its kin name them.

FAULTS
    ConfigurationFault  a version that does not exist, or none that is left
"""

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


def version_range(text: str) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    """`>=TLSv1.2, <=TLSv1.3` or `!SSLv2, !SSLv3, !TLSv1` as the oldest and the newest version."""
    allowed = list(_ORDER)
    named: list[ssl.TLSVersion] = []
    for word in text.replace(",", " ").replace(":", " ").split():
        operator = next((sign for sign in (">=", "<=", "!") if word.startswith(sign)), "")
        name = word[len(operator) :].lower()
        if name in _OLDER:
            continue
        version = _VERSIONS.get(name)
        if version is None:
            raise ConfigurationFault("TLS versions", f'"{word}" is no version of TLS', mend="write >=TLSv1.2")
        if operator == ">=":
            allowed = [one for one in allowed if one >= version]
        elif operator == "<=":
            allowed = [one for one in allowed if one <= version]
        elif operator == "!":
            allowed = [one for one in allowed if one is not version]
        else:
            named.append(version)
    if named:
        allowed = [one for one in allowed if one in named]
    if not allowed:
        raise ConfigurationFault("TLS versions", f'"{text}" leaves no version')
    return allowed[0], allowed[-1]


def limit_versions(context: ssl.SSLContext, text: str) -> None:
    """Have a context speak these versions."""
    oldest, newest = version_range(text)
    with warnings.catch_warnings():  # whoever has written an old one down knows
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = oldest, newest

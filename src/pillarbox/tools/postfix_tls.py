"""`postfix tls`: keys and certificates of the SMTP server, and the settings that turn TLS on.

DESCRIPTION
    enable-client [-r source]                      offer and use TLS when sending
    enable-server [-a algorithm] [-b bits] [-r source] [hostname …]
                                                   the same when receiving, with a new key and certificate
    new-server-key [-a algorithm] [-b bits] [hostname …]
                                                   a key and a self-signed certificate, which are not used yet
    new-server-cert [-a algorithm] [-b bits] [hostname …]
                                                   a certificate for the key that is in use
    deploy-server-cert certfile keyfile            use them
    output-server-csr [-k keyfile] [hostname …]    a request for a certificate authority
    output-server-tlsa [-h hostname] [keyfile …]   TLSA records for the zone
    all-default-client, all-default-server         whether no such setting is made: by the exit status

    Enabling changes nothing if there are settings already; it tells which are usual.  Algorithms are rsa (the
    default) and ecdsa; bits are a length, or a curve such as secp384r1.  Keys and certificates are files of the
    configuration directory with the time in their names; a keyfile may also be `rsa` or `ecdsa`, for the one that
    is in use.  smtp_tls_session_cache_database, which Postfix's sets too, is left alone: it would have no effect.

FAULTS
    exit 1; a line in the log and on standard error says why
"""

import datetime
import getopt
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

from pillarbox.config import main_cf_edit
from pillarbox.config.edit_file import edit_file
from pillarbox.config.reading import Configuration
from pillarbox.net.server_keys import (
    DEFAULT_BITS,
    KeyFault,
    PrivateKey,
    algorithm_of,
    certificate_digest,
    key_digest,
    key_text,
    make_certificate,
    make_key,
    make_request,
    read_key,
)
from pillarbox.tools.system_log import SystemLog

_CLIENT: Final = (
    "smtp_use_tls smtp_enforce_tls smtp_tls_enforce_peername smtp_tls_security_level smtp_tls_cert_file "
    "smtp_tls_dcert_file smtp_tls_eccert_file"
).split()
_SERVER: Final = (
    "smtpd_use_tls smtpd_enforce_tls smtpd_tls_security_level smtpd_tls_cert_file smtpd_tls_dcert_file "
    "smtpd_tls_eccert_file"
).split()
"""Settings without which TLS is as the defaults have it."""
_FILES: Final = {
    "rsa": ("smtpd_tls_key_file", "smtpd_tls_cert_file", "key", "cert"),
    "ecdsa": ("smtpd_tls_eckey_file", "smtpd_tls_eccert_file", "eckey", "eccert"),
}
"""By algorithm: where key and certificate are set, and how their files' names begin."""
_COMMANDS: Final = (
    "enable-client (or enable-server, new-server-key, new-server-cert, deploy-server-cert, output-server-csr, "
    "output-server-tlsa, all-default-client, all-default-server)"
)
_RELOAD: Final = (
    "Run the command:",
    "  # postfix reload",
    "if you want the new settings to take effect immediately.",
)
_USUAL_OF_SERVER: Final = (
    "*** Non-default SMTP server TLS settings detected, no changes made.",
    "For opportunistic TLS in the Postfix SMTP server, the below settings",
    "are typical:",
    "  smtpd_tls_security_level = may",
    "  smtpd_tls_loglevel = 1",
    'You can use "postfix tls new-server-cert" to create a new certificate.',
    'Or, "postfix tls new-server-key" to also force a new private key.',
    "If you publish DANE TLSA records, see:",
    "  https://tools.ietf.org/html/rfc7671#section-8",
    "  https://tools.ietf.org/html/rfc7671#section-5.1",
    "  https://tools.ietf.org/html/rfc7671#section-5.2",
    "  https://community.letsencrypt.org/t/please-avoid-3-0-1-and-3-0-2-dane-tlsa-records-with-le-certificates/7022",
)
_USUAL_OF_CLIENT: Final = (
    "*** Non-default SMTP client TLS settings detected, no changes made.",
    "For opportunistic TLS in the Postfix SMTP client, the below settings",
    "are typical:",
    "  smtp_tls_security_level = may",
    "  smtp_tls_loglevel = 1",
)


class _Refused(Exception):
    """The command ends here."""


class TlsCommand:
    """One configuration, and what `postfix tls` does with it."""

    def __init__(self, configuration: Configuration) -> None:
        self._snapshot = configuration.snapshot
        self._directory = configuration.directory
        name = f"{self._snapshot.value('syslog_name')}/postfix-tls-script"
        self._log = SystemLog(self._snapshot, program="postfix-tls-script", label=name, tag=name)
        self._commands: Final[dict[str, Callable[[list[str]], None]]] = {
            "enable-client": self._enable_client,
            "enable-server": self._enable_server,
            "new-server-key": self._new_server_key,
            "new-server-cert": self._new_server_certificate,
            "deploy-server-cert": self._deploy_server_certificate,
            "output-server-csr": self._output_request,
            "output-server-tlsa": self._output_tlsa,
            "all-default-client": lambda words: self._check_defaults("client", _CLIENT, words),
            "all-default-server": lambda words: self._check_defaults("server", _SERVER, words),
        }

    def run(self, words: Sequence[str]) -> int:
        """Do what the words say; the exit status."""
        name, *arguments = words or ("",)
        command = self._commands.get(name)
        try:
            if command is None:
                self._log.note(f"error: unknown tls command: '{name}'")
                raise _Refused(f"usage: postfix tls {_COMMANDS}")
            command(arguments)
        except _Refused as refused:
            if str(refused):
                self._log.refuse(str(refused))
            return 1
        except OSError as error:
            self._log.refuse(f"{error.filename}: {error.strerror}" if error.filename else str(error))
            return 1
        return 0

    # -- turning it on ---------------------------------------------------------------------------------

    def _enable_client(self, words: list[str]) -> None:
        usage = "enable-client [-r devrandom]"
        options, rest = _options(words, "r:", usage)
        if rest:
            raise _Refused(f"usage: postfix tls {usage}")
        if not self._are_default(_CLIENT):
            self._tell(_USUAL_OF_CLIENT)
            return
        self._set(
            {"smtp_tls_security_level": "may", "smtp_tls_loglevel": "1", **self._random_source(options)}
        )
        self._tell(("Enabled opportunistic TLS in the Postfix SMTP client.", *_RELOAD))

    def _enable_server(self, words: list[str]) -> None:
        usage = "enable-server [-a algorithm] [-b bits ] [-r devrandom] [hostname ...]"
        options, names = _options(words, "a:b:r:", usage)
        algorithm, bits = _kind_of_key(options, "private")
        if not self._are_default(_SERVER):
            self._tell(_USUAL_OF_SERVER)
            return
        key, certificate = self._make(algorithm, self._new_key(algorithm, bits), names)
        self._deploy(
            certificate,
            key,
            {
                "smtpd_tls_security_level": "may",
                "smtpd_tls_received_header": "yes",
                "smtpd_tls_loglevel": "1",
                **self._random_source(options),
            },
        )
        self._tell(
            (
                "Enabled opportunistic TLS in the Postfix SMTP server",
                "New TLS private key and certificate deployed.",
                *_RELOAD,
                *_next_steps(key, certificate, deployed=True),
                "(If you have DANE TLSA RRs, update them as soon as possible to match",
                "the newly deployed keys).",
            )
        )

    def _check_defaults(self, which: str, names: Sequence[str], words: list[str]) -> None:
        if words:
            raise _Refused(f"usage: postfix tls all-default-{which}")
        if not self._are_default(names):
            raise _Refused

    # -- keys and certificates -------------------------------------------------------------------------

    def _new_server_key(self, words: list[str]) -> None:
        options, names = _options(words, "a:b:", "new-server-key [-a algorithm] [-b bits ] [hostname ...]")
        algorithm, bits = _kind_of_key(options, "public")
        self._tell_made(*self._make(algorithm, self._new_key(algorithm, bits), names), is_new=True)

    def _new_server_certificate(self, words: list[str]) -> None:
        options, names = _options(words, "a:b:", "new-server-cert [-a algorithm] [-b bits ] [hostname ...]")
        algorithm, bits = _kind_of_key(options, "public")
        in_use = self._key_path(algorithm)
        if in_use and not os.path.isfile(in_use):
            self._log.caution(f"Key file: {in_use} not found, creating new keys")
            in_use = ""
        key = self._key_in_use(algorithm, in_use) if in_use else self._new_key(algorithm, bits)
        self._tell_made(*self._make(algorithm, key, names), is_new=not in_use)

    def _deploy_server_certificate(self, words: list[str]) -> None:
        if len(words) != 2:
            raise _Refused("usage: postfix tls deploy-server-cert certfile keyfile")
        certificate, key = (os.path.join(self._directory, word) for word in words)
        self._deploy(certificate, key, {})
        self._tell(("New TLS private key and certificate deployed.", *_RELOAD))

    def _output_request(self, words: list[str]) -> None:
        options, names = _options(words, "k:", "output-server-csr [-k keyfile] [hostname ...]")
        wanted = [options["-k"]] if options.get("-k") else ["rsa", "ecdsa"]
        path = next((path for word in wanted if (path := self._key_path(word))), "")
        if not path or not os.access(path, os.R_OK):
            raise _Refused("No usable keyfile specified or configured")
        try:
            request = make_request(read_key(path), names or [self._snapshot.value("myhostname")])
        except KeyFault as fault:
            raise _Refused(f"{path}: {fault}") from fault
        sys.stdout.write(request.decode())

    def _output_tlsa(self, words: list[str]) -> None:
        options, files = _options(words, "h:", "output-server-tlsa [-h hostname] [keyfile ...]")
        host = options.get("-h") or self._snapshot.value("myhostname")
        paths = [path for word in files or ["rsa", "ecdsa"] if (path := self._key_path(word))]
        for path in paths:
            sys.stdout.write(f"; {path}\n")
            sys.stdout.flush()
            digest = key_digest(self._read_key(path))
            sys.stdout.write(f"_25._tcp.{host}. IN TLSA 3 1 1 {digest}\n")
        if not paths:
            raise _Refused("No usable keyfiles specified or configured")

    def _new_key(self, algorithm: str, bits: str) -> PrivateKey:
        try:
            return make_key(algorithm, bits)
        except KeyFault as fault:
            self._log.caution(str(fault))
            raise _Refused(f"error generating new {algorithm} {bits} private key") from fault

    def _key_in_use(self, algorithm: str, path: str) -> PrivateKey:
        key = self._read_key(path)
        if algorithm_of(key) != algorithm:
            raise _Refused(f"Key algorithm '{algorithm_of(key)}' of '{path}' is not '{algorithm}'")
        return key

    def _read_key(self, path: str) -> PrivateKey:
        try:
            return read_key(path)
        except KeyFault as fault:
            raise _Refused(f"no private key found in file: {path}") from fault

    def _make(self, algorithm: str, key: PrivateKey, names: list[str]) -> tuple[str, str]:
        """Write the key, and a certificate for it; their paths."""
        now = datetime.datetime.now(datetime.UTC)
        _, _, key_name, certificate_name = _FILES[algorithm]
        key_path, certificate_path = (
            f"{self._directory}/{name}-{now:%Y%m%d-%H%M%S}.pem" for name in (key_name, certificate_name)
        )
        for kind, path in (("private key", key_path), ("certificate", certificate_path)):
            if os.path.lexists(path):
                raise _Refused(f"New {kind} file already exists: {path}")
        try:
            certificate = make_certificate(key, names or [self._snapshot.value("myhostname")], now=now)
        except KeyFault as fault:
            self._log.caution(str(fault))
            raise _Refused("error generating self-signed SSL certificate") from fault
        _write(key_path, key_text(key), 0o600)
        _write(certificate_path, certificate, 0o644)
        return key_path, certificate_path

    def _deploy(self, certificate: str, key: str, more: dict[str, str]) -> None:
        found = self._read_key(key)
        try:
            digest = certificate_digest(certificate)
        except KeyFault as fault:
            raise _Refused("error computing certificate public key digest") from fault
        if digest != key_digest(found):
            raise _Refused(f"Certificate in {certificate} does not match key in {key}")
        key_parameter, certificate_parameter, *_ = _FILES[algorithm_of(found)]
        self._set({key_parameter: key, certificate_parameter: certificate, **more})

    def _key_path(self, word: str) -> str:
        """Of a key that the command line names: a file, or an algorithm's one in use; empty if there is none."""
        if word in _FILES:
            parameter = _FILES[word][0]
            path = self._snapshot.value(parameter) if self._snapshot.explicit(parameter) else ""
        else:
            path = word
        return os.path.join(self._directory, path) if path not in ("", "none") else ""

    # -- settings --------------------------------------------------------------------------------------

    def _are_default(self, names: Sequence[str]) -> bool:
        explicit = (self._snapshot.explicit(name) for name in names)
        return not any(value is not None and value.text for value in explicit)

    def _random_source(self, options: dict[str, str]) -> dict[str, str]:
        return {"tls_random_source": options.get("-r") or self._snapshot.value("tls_random_source")}

    def _set(self, values: dict[str, str]) -> None:
        """As `postconf -e` does."""
        path = f"{self._directory}/main.cf"
        edit_file(path, lambda text: main_cf_edit.set_values(text, values, path=path)[0])

    def _tell_made(self, key: str, certificate: str, *, is_new: bool) -> None:
        self._tell(
            (
                "New private key and self-signed certificate created. To deploy run:",
                f"  # postfix tls deploy-server-cert {certificate} {key}",
                *_next_steps(key, certificate, deployed=False),
            )
        )
        if is_new:
            self._tell(("(deploy after updating the DNS and waiting for stale RRs to expire).",))

    def _tell(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._log.note(line)


def _next_steps(key: str, certificate: str, *, deployed: bool) -> tuple[str, ...]:
    return (
        "To generate a CSR run:",
        f"  # postfix tls output-server-csr -k {key} [<hostname> ...]",
        f"Save the signed certificate chain in {certificate}{'' if deployed else ', and deploy as above'}.",
        "To generate TLSA records run:",
        f"  # postfix tls output-server-tlsa [-h <hostname>] {'' if deployed else key}",
    )


def _options(words: list[str], letters: str, usage: str) -> tuple[dict[str, str], list[str]]:
    try:
        options, rest = getopt.getopt(words, letters)
    except getopt.GetoptError as error:
        raise _Refused(f"usage: postfix tls {usage}") from error
    return dict(options), rest


def _kind_of_key(options: dict[str, str], kind: str) -> tuple[str, str]:
    """Algorithm, and bits or curve."""
    algorithm = options.get("-a", "rsa")
    if algorithm not in DEFAULT_BITS:
        raise _Refused(f"Unsupported {kind} key algorithm: {algorithm}")
    return algorithm, options.get("-b") or DEFAULT_BITS[algorithm]


def _write(path: str, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)

"""Logins as Postfix has them checked by Cyrus SASL: by saslauthd(8), or by the passwords in sasldb2.

DESCRIPTION
    `CyrusLogins` is a `LoginChecker`, as `client.AuthClient` is with an authentication server.  What it does says
    smtpd.conf, in cyrus_sasl_config_path or where Debian has it:

        pwcheck_method: saslauthd     PLAIN and LOGIN, by saslauthd's socket (saslauthd_path)
        pwcheck_method: auxprop       these, CRAM-MD5, DIGEST-MD5 and SCRAM, by sasldb2 (sasldb_path); the default
        mech_list: plain login        which of them are offered, in this order

    A user without `@` has smtpd_sasl_local_domain for a realm if that is set; in sasldb2 he has myhostname else.
    Files and sockets are looked for below the queue directory first, where a Postfix with chroot finds them.

FAULTS
    ConfigurationFault  smtpd.conf cannot be read, or asks for what is not served
    A saslauthd that is away: `Refused`, temporary.

STANDARDS
    Cyrus SASL 2.1, options.html; saslauthd's protocol: cyrus-sasl, saslauthd/ipc_unix.c
"""

import asyncio
import os
import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from pillarbox.auth.logins import Accepted, Exchange, Refused
from pillarbox.tables.berkeley_hash import HashFile
from pillarbox.tables.page_reading import DamagedDatabase, FileInMemory
from pillarbox.vocabulary.faults import ConfigurationFault
from pillarbox.wire.sasl import steps
from pillarbox.wire.sasl.mechanisms import SECURITY, MechanismProperties, start

DIRECTORIES: Final = ("/usr/lib/sasl", "/usr/lib/sasl2")
"""Where Debian's Postfix, and the library, look for smtpd.conf after $config_directory/sasl."""
_PASSWORDS_SHOWN: Final = (b"PLAIN", b"LOGIN")
_PASSWORDS_STORED: Final = (b"SCRAM-SHA-256", b"SCRAM-SHA-1", b"DIGEST-MD5", b"CRAM-MD5", *_PASSWORDS_SHOWN)
_FAILURE: Final = "authentication failure"
_MALFORMED: Final = "bad protocol / cancel"
_GENERIC: Final = "generic failure"
_LARGEST: Final = 1 << 24
"""Octets of a sasldb2."""
_ANSWER_SECONDS: Final = 60.0


class CyrusSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How logins of a service are checked."""

    host: str  # myhostname
    realm: str = ""  # smtpd_sasl_local_domain
    service: str = "smtp"  # smtpd_sasl_service
    by_saslauthd: bool = False
    mechanisms: tuple[bytes, ...] = _PASSWORDS_STORED
    saslauthd: str = "/var/run/saslauthd/mux"
    sasldb: str = "/etc/sasldb2"
    root: str = ""  # queue_directory


def cyrus_settings(directories: tuple[str, ...], program: str, settings: CyrusSettings) -> CyrusSettings:
    """`settings` with what PROGRAM.conf in the first of the directories that has one says.  ConfigurationFault."""
    for directory in directories:
        path = os.path.join(directory, f"{program}.conf")
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                return _with_options(settings, file.read(), path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ConfigurationFault(path, error.strerror or "cannot be read") from error
    return settings


def _with_options(settings: CyrusSettings, text: str, path: str) -> CyrusSettings:
    options: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        name, colon, value = line.partition(":")
        if not line.strip() or line.startswith("#"):
            continue
        if not colon or not name.strip():
            raise ConfigurationFault(f"{path}, line {number}", f'"{line}" is not "option: value"')
        options[name.strip().lower()] = value.strip()
    methods = options.get("pwcheck_method", "auxprop").lower().split()
    by_saslauthd = "saslauthd" in methods
    if not by_saslauthd and "auxprop" not in methods:
        raise ConfigurationFault(
            path,
            f"pwcheck_method {options['pwcheck_method']} is not served",
            mend="saslauthd and auxprop are",
        )
    if not by_saslauthd and options.get("auxprop_plugin", "sasldb").lower() != "sasldb":
        raise ConfigurationFault(
            path, f"auxprop_plugin {options['auxprop_plugin']} is not served", mend="sasldb is"
        )
    served = _PASSWORDS_SHOWN if by_saslauthd else _PASSWORDS_STORED
    wanted = options["mech_list"].upper().encode().split() if "mech_list" in options else served
    return msgspec.structs.replace(
        settings,
        by_saslauthd=by_saslauthd,
        mechanisms=tuple(name for name in wanted if name in served),
        saslauthd=options.get("saslauthd_path", settings.saslauthd),
        sasldb=options.get("sasldb_path", settings.sasldb),
    )


class CyrusLogins:
    """Runs SASL exchanges itself; it has nothing open between them."""

    def __init__(self, settings: CyrusSettings, *, warn: Callable[[str], None]) -> None:
        self._settings = settings
        self._warn = warn
        self.mechanisms: MechanismProperties = {name: SECURITY[name] for name in settings.mechanisms}

    async def connect(self) -> bool:
        """There is nothing to wait for."""
        return True

    def close(self) -> None:
        """There is nothing to close."""

    async def authenticate(
        self,
        mechanism: bytes,
        initial_response: bytes | None,
        exchange: Exchange,
        *,
        fields: tuple[bytes, ...],
    ) -> Accepted | Refused:
        """One login."""
        settings = self._settings
        running = start(
            mechanism,
            nonce=secrets.token_hex(16).encode(),
            host=settings.host.encode(),
            realms=(self._own_realm(),),
            service=settings.service.encode(),
        )
        user = ""
        try:
            step = running.step(initial_response)
            while True:
                match step:
                    case steps.Challenge(data):
                        step = running.step(await exchange(data))
                    case steps.WantsStored(name, authorization, realm):
                        is_elsewhere = realm and realm != self._own_realm()
                        user = self._canonical(b"%s@%s" % (name, realm) if is_elsewhere else name)
                        if authorization and self._canonical(authorization) != user:
                            return _refused(user, _FAILURE)
                        password = self._stored(user)
                        step = running.with_stored(None if password is None else b"{PLAIN}" + password)
                    case steps.Credentials(name, password, authorization):
                        user = self._canonical(name)
                        if authorization and self._canonical(authorization) != user:
                            return _refused(user, _FAILURE)
                        return await self._checked(user, password.reveal())
                    case steps.Proven():
                        return self._accepted(user)
                    case _:
                        return _refused(user, _FAILURE)
        except steps.EmptyUser:
            return _refused(user, _GENERIC, temporary=True)
        except steps.MalformedResponse:
            return _refused(user, _FAILURE if mechanism == b"DIGEST-MD5" else _MALFORMED)

    def _own_realm(self) -> bytes:
        return (self._settings.realm or self._settings.host).encode()

    def _canonical(self, name: bytes) -> str:
        user = name.strip().decode("utf-8", "surrogateescape")
        realm = self._settings.realm
        return f"{user}@{realm}" if realm and "@" not in user else user

    def _accepted(self, user: str) -> Accepted:
        return Accepted(_shown(user), 0, os.getpid(), b"")

    async def _checked(self, user: str, password: bytes) -> Accepted | Refused:
        if self._settings.by_saslauthd:
            return await self._asked(user, password)
        stored = self._stored(user)
        right = secrets.compare_digest(stored or b"", password) and stored is not None
        return self._accepted(user) if right else _refused(user, _FAILURE)

    # -- sasldb2 -----------------------------------------------------------------------------------------

    def _stored(self, user: str) -> bytes | None:
        """The user's password; None if he is not there, or the file is not."""
        name, at, realm = user.rpartition("@")
        if not at:
            name, realm = user, self._settings.host
        key = (
            b"\0".join(part.encode("utf-8", "surrogateescape") for part in (name, realm)) + b"\0userPassword"
        )
        try:
            with open(self._place(self._settings.sasldb), "rb") as file:
                return HashFile(FileInMemory(file.read(_LARGEST))).get(key)
        except (OSError, DamagedDatabase) as fault:
            self._warn(f"SASL: {self._settings.sasldb}: {fault}")
            return None

    def _place(self, path: str) -> str:
        """The path below the queue directory, if there is something."""
        below = self._settings.root + path
        return below if self._settings.root and os.path.exists(below) else path

    # -- saslauthd ---------------------------------------------------------------------------------------

    async def _asked(self, user: str, password: bytes) -> Accepted | Refused:
        name, at, realm = user.rpartition("@")
        if not at:
            name, realm = user, ""
        words = [
            name.encode("utf-8", "surrogateescape"),
            password,
            self._settings.service.encode(),
            realm.encode("utf-8", "surrogateescape"),
        ]
        if any(len(word) > 0xFFFF for word in words):
            return _refused(user, _FAILURE)
        question = b"".join(len(word).to_bytes(2, "big") + word for word in words)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await _ask(self._place(self._settings.saslauthd), question)
        except (OSError, EOFError, TimeoutError) as fault:
            self._warn(f"SASL authentication failure: cannot connect to saslauthd server: {fault}")
            return _refused(user, _GENERIC, temporary=True)
        return self._accepted(user) if answer.startswith(b"OK") else _refused(user, _FAILURE)


def _shown(user: str) -> str:
    """A name for the log and for headers, where octets that are no UTF-8 have no place."""
    return user.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _refused(user: str, reason: str, *, temporary: bool = False) -> Refused:
    return Refused(_shown(user), reason, temporary=temporary)


async def _ask(path: str, question: bytes) -> bytes:
    """What saslauthd answers.  OSError, EOFError (asyncio.IncompleteReadError)."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(question)
        await writer.drain()
        size = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(size)
    finally:
        writer.close()

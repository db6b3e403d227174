"""passdb oauth2: the password is a token, and somebody else knows whose.

DESCRIPTION
    local          the token says it itself (json_web_tokens.py)
    tokeninfo      the token is good if tokeninfo_url says so; what it does not tell of the user, introspection does
    introspection  introspection_url tells of the user
    grant          the password is one: grant_url makes a token of it

    Whoever answers has to name the user (username_attribute), by the same name as the client, and must not say that
    he is closed (active_attribute) or the token for something else (scope).

FAULTS
    DatabaseFault  nobody answers, or does not name the user

STANDARDS
    RFC 6749 §4.3, RFC 6750, RFC 7662
    Dovecot 2.3, passdb oauth2
"""

import asyncio
import re
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Final
from urllib.parse import quote

from pillarbox.auth.oauth2.faults import InvalidToken, NoAnswer
from pillarbox.auth.oauth2.json_web_tokens import claims
from pillarbox.auth.oauth2.token_server import Answer, Question, TokenServer
from pillarbox.auth.user_database import (
    DatabaseFault,
    LoginRequest,
    PasswordRight,
    PasswordWrong,
    StoredPassword,
    UnknownUser,
    Verdict,
)
from pillarbox.config.dovecot.variables import expand, user_values
from pillarbox.config.oauth2_settings import OAuth2Settings
from pillarbox.vocabulary.clock import Clock
from pillarbox.vocabulary.secret import Secret

_NAMED: Final = re.compile(r"%\{oauth2:([^{}:]*)(?::([^{}]*))?\}|%\$")
_INTROSPECTION: Final = "Introspection failed: "
_VALIDATION: Final = "Token validation failed: "
_GRANT: Final = "Password grant failed: "
_LOCAL: Final = "Local validation failed: "


class _Refused(Exception):
    """By what the answer says."""

    def __init__(self, reason: str, *, is_unknown: bool = False, is_disabled: bool = False) -> None:
        super().__init__(reason)
        self.is_unknown = is_unknown
        self.is_disabled = is_disabled


class OAuth2Passwords:
    """One passdb."""

    driver = "oauth2"

    def __init__(
        self, settings: OAuth2Settings, server: TokenServer, *, clock: Clock, executor: Executor | None
    ) -> None:
        self._settings = settings
        self._server = server
        self._clock = clock
        self._executor = executor
        named = [match[1] for match in _NAMED.finditer(settings.pass_attrs) if match[1]]
        self._wanted = {*named, settings.username_attribute, settings.active_attribute} - {""}

    def lookup_text(self, request: LoginRequest) -> str:
        """For auth_debug."""
        settings = self._settings
        if settings.use_grant_password:
            return f"Making grant url request to {settings.grant_url}"
        if settings.introspection_mode == "local":
            return "Attempting to locally validate token"
        if settings.tokeninfo_url:
            return f"Making token validation lookup to {settings.tokeninfo_url}"
        return f"Making introspection request to {settings.introspection_url}"

    async def stored(self, request: LoginRequest) -> StoredPassword | None:
        """Nobody has stored anything here."""
        return None

    async def verify(self, request: LoginRequest, password: Secret) -> Verdict:
        """Whether it is a token of the user's."""
        token = password.reveal().decode("utf-8", "replace")
        if not token or "\r" in token or "\n" in token:
            return PasswordWrong("oauth2 failed: Invalid token")
        try:
            token, found = await self._answer(request, token)
        except NoAnswer as fault:
            raise DatabaseFault(f"oauth2 failed: {fault}") from fault
        except _Refused as refusal:
            reason = f"oauth2 failed: {refusal}"
            more_at = self._settings.openid_configuration_url
            if refusal.is_unknown:
                return UnknownUser(reason, more_at=more_at)
            return PasswordWrong(reason, disabled=refusal.is_disabled, more_at=more_at)
        return PasswordRight({**self._exported(request, found), "token": token})

    # -- who is asked ----------------------------------------------------------------------------------

    async def _answer(self, request: LoginRequest, token: str) -> tuple[str, dict[str, str]]:
        """The token and what is said of the user.  NoAnswer, _Refused."""
        settings = self._settings
        if settings.use_grant_password:
            return await self._granted(request, token)
        if settings.introspection_mode == "local":
            return token, await self._local(request, token, {})
        if not settings.tokeninfo_url:
            return token, await self._introspected(request, token, {})
        url = settings.tokeninfo_url + quote(token, safe="")
        answer = await self._ask(Question(url, self._headers(request, token)), _VALIDATION)
        if not answer.is_good:
            raise _Refused(f"{_VALIDATION}Invalid token")
        return token, await self._completed(request, token, answer.fields, _VALIDATION)

    async def _granted(self, request: LoginRequest, password: str) -> tuple[str, dict[str, str]]:
        settings = self._settings
        pairs = {"grant_type": "password", "username": request.user, "password": password}
        pairs |= {"client_id": settings.client_id, "client_secret": settings.client_secret}
        if settings.scope:
            pairs["scope"] = settings.scope
        headers = self._headers(request, "")
        answer = await self._ask(Question(settings.grant_url, headers, _form(pairs)), _GRANT)
        if not answer.is_good:
            error = answer.fields.get("error", "OAuth2 server returned failure without error field")
            if error == "invalid_grant":
                raise _Refused(f"{_GRANT}{error}")
            raise NoAnswer(f"{_GRANT}{error}")
        if "access_token" not in answer.fields:
            raise NoAnswer(f"{_GRANT}OAuth2 token missing from reply")
        token = answer.fields["access_token"]
        return token, await self._completed(request, token, answer.fields, _GRANT)

    async def _completed(
        self, request: LoginRequest, token: str, found: dict[str, str], prefix: str
    ) -> dict[str, str]:
        """With what somebody else says, if that is not all."""
        settings = self._settings
        if settings.force_introspection or not self._wanted <= found.keys():
            if settings.introspection_mode == "local":
                return await self._local(request, token, found)
            self._check_active(found, "Token is not valid: ")
            if settings.introspection_url:
                return await self._introspected(request, token, found)
        return self._checked(request, found, prefix)

    async def _introspected(self, request: LoginRequest, token: str, found: dict[str, str]) -> dict[str, str]:
        settings = self._settings
        url, form = settings.introspection_url, None
        client = {"client_id": settings.client_id, "client_secret": settings.client_secret}
        if settings.introspection_mode == "get":
            url += f"{quote(token, safe='')}&{_form(client)}"
        elif settings.introspection_mode == "post":
            form = _form({"token": token, **client})
        answer = await self._ask(Question(url, self._headers(request, token), form), _INTROSPECTION)
        return self._checked(request, found | answer.fields, _INTROSPECTION)

    async def _local(self, request: LoginRequest, token: str, found: dict[str, str]) -> dict[str, str]:
        loop, now = asyncio.get_running_loop(), self._clock.now()
        try:
            said = await loop.run_in_executor(self._executor, lambda: claims(token, self._settings, now=now))
        except InvalidToken as fault:
            raise _Refused(f"{_LOCAL}{fault}") from fault
        return self._checked(request, found | said, _LOCAL)

    async def _ask(self, question: Question, prefix: str) -> Answer:
        try:
            return await self._server.ask(question)
        except NoAnswer as fault:
            raise NoAnswer(f"{prefix}{fault}") from fault

    def _headers(self, request: LoginRequest, token: str) -> dict[str, str]:
        headers = {}
        if token and self._settings.introspection_mode == "auth":
            headers["Authorization"] = f"Bearer {token}"
        if not token or self._settings.introspection_mode == "post":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if self._settings.send_auth_headers:
            values = request.values()
            headers["X-Dovecot-Auth-Service"] = request.service
            if request.local:
                headers["X-Dovecot-Auth-Local"] = _endpoint(request.local, values["lport"])
            if request.remote:
                headers["X-Dovecot-Auth-Remote"] = _endpoint(request.remote, values["rport"])
        return headers

    # -- what is answered ------------------------------------------------------------------------------

    def _checked(self, request: LoginRequest, found: dict[str, str], prefix: str) -> dict[str, str]:
        settings = self._settings
        self._check_active(found, prefix)
        named = found.get(settings.username_attribute)
        if named is None:
            raise NoAnswer(f"{prefix}No username returned")
        wanted = expand(settings.username_format, request.values())
        whose = expand(settings.username_format, user_values(named))
        if wanted != whose:
            raise _Refused(f"{prefix}Username '{wanted}' did not match '{whose}'", is_unknown=True)
        if settings.audience and settings.audience not in found.get("aud", "").split("\t"):
            raise _Refused(f"{prefix}Token audience does not include '{settings.audience}'", is_disabled=True)
        scopes = found.get("scope", found.get("aud", "")).split()
        if settings.scope and not set(settings.scope.split()) & set(scopes):
            raise _Refused(f"{prefix}Token is not valid for scope '{settings.scope}'", is_disabled=True)
        return found

    def _check_active(self, found: Mapping[str, str], prefix: str) -> None:
        settings = self._settings
        if settings.active_attribute and found.get(settings.active_attribute) not in (
            None,
            settings.active_value,
        ):
            raise _Refused(f"{prefix}Provided token is not valid")

    def _exported(self, request: LoginRequest, found: Mapping[str, str]) -> dict[str, str]:
        """pass_attrs; `%{oauth2:NAME:DEFAULT}` is a field of the answer, `%$` the one of the same name."""
        exported = {}
        for word in self._settings.pass_attrs.split():
            name, _, template = word.partition("=")

            def value(match: re.Match[str], own: str = name) -> str:
                field = own if match[1] is None else match[1]
                return found.get(field, match[2] or "").replace("%", "%%")

            exported[name] = expand(_NAMED.sub(value, template), request.values())
        return exported


def _form(pairs: Mapping[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs.items())


def _endpoint(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

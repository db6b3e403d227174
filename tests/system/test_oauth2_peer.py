"""Logins by tokens of OAuth 2.0: what Debian's Dovecot and ours ask the server of the tokens, and say to clients."""

import base64
import hashlib
import hmac
import json
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from fakes.dovecot_pair import Server
from fakes.dovecot_pair import dovecot_pair as pair_of
from fakes.mail_system import PATIENCE, PATIENT_WITH_GUESSERS, until
from fakes.token_server import PASSWORDS, WHAT, token_server

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.peer("dovecot")]

_FILES: Final = {
    "auth": "introspection_url = URL/introspect\nscope = mail\naudience =\n",
    "get": "introspection_url = URL/introspect?token=  # appended\nintrospection_mode = get\nclient_id = me\\\n  too\n"
    "client_secret = 's&#c'\nopenid_configuration_url = https://login.example/openid\n",
    "post": "introspection_url = http://who:pass@HOST/introspect\nintrospection_mode = post\nclient_id = me\n"
    "pass_attrs = foo=<%{oauth2:scope}> userdb_n=%$ n=%{oauth2:n}%Lu none=%{oauth2:none:default}\n"
    "send_auth_headers = yes\n",
    "tokeninfo": "tokeninfo_url = URL/introspect?token=\nintrospection_url = URL/introspect\naudience = them\n",
    "slim": "tokeninfo_url = URL/slim?token=\nintrospection_url = URL/introspect\nusername_format = %n\n",
    "forced": "tokeninfo_url = URL/introspect?token=\nintrospection_url = URL/introspect\n"
    "force_introspection = yes\nactive_attribute =\nactive_value =\n",
    "only": "tokeninfo_url = URL/slim?token=\n",
    "grant": "grant_url = URL/grant\nclient_id = me\nclient_secret = &\nscope = mail\nuse_grant_password = yes\n"
    "introspection_url = URL/introspect\n",
    "closed": "introspection_url = http://127.0.0.1:1/\n",
    "local": "introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix=BASE/keys/\n"
    "issuers = us them\nusername_attribute = sub\n",
}
"""A passdb for each user of that name."""
_PASSDBS: Final = "".join(
    f"passdb {{\n  driver = oauth2\n  args = {{base}}/{name}.oauth2\n  username_filter = {name}*\n}}\n"
    for name in _FILES
)
SETTINGS: Final = f"""\
protocols = imap pop3
mail_log_prefix = "%s(%u)<%{{userdb:seen_foo}}%{{userdb:seen_n}}%{{userdb:seen_none}}%{{userdb:seen_token}}>: "
mail_location = maildir:~/Maildir
auth_mechanisms = plain oauthbearer xoauth2
auth_verbose = yes
service pop3-login {{
  inet_listener pop3 {{
    port = {{pop3}}
  }}
}}
service auth {{
  unix_listener mta {{
    mode = 0600
  }}
}}
{_PASSDBS}{PATIENT_WITH_GUESSERS}"""
_FIELDS: Final = "allow_all_users=yes " + " ".join(
    f"seen_{name}=%{{passdb:{name}:none}}" for name in ("foo", "n", "none", "token")
)


class Login(NamedTuple):
    """What a client says."""

    mechanism: str
    response: bytes


def xoauth2(user: str, token: str) -> Login:
    """As Google's clients do."""
    return Login("XOAUTH2", f"user={user}\1auth=Bearer {token}\1\1".encode())


def bearer(user: str, token: str) -> Login:
    """RFC 7628."""
    return Login("OAUTHBEARER", f"n,a={user},\1host=mx.example\1port=143\1auth=Bearer {token}\1\1".encode())


def plain(user: str, token: str) -> Login:
    """A token in a password's place."""
    return Login("PLAIN", f"\0{user}\0{token}".encode())


_MALFORMED: Final = (
    *(Login("XOAUTH2", said) for said in (
        b"", b"user=auth\1\1", b"auth=Bearer good:auth\1\1", b"user=auth\1auth=Basic x\1\1",
        b"user=x\1user=auth\1auth=bEARER good:auth\1\1", b"user=auth\1auth=Bearer \1\1",
    )),
    *(Login("OAUTHBEARER", said) for said in (
        b"", b"\1auth=Bearer good:auth\1\1", b"f,a=auth,\1auth=Bearer good:auth\1\1",
        b"p=tls,a=auth,\1auth=Bearer good:auth\1\1", b"y,a=a=75th,\1auth=Bearer good:auth\1\1",
        b"n,b=auth,\1auth=Bearer good:auth\1\1", b"n,,\1auth=Bearer good:auth\1\1", b"n,a=auth,\1host=x\1\1",
        b"n,a=auth,\1auth=x\1\1", b"y,a=auth,\1user=you\1auth=Bearer good:auth\1\1",
    )),
)  # fmt: skip
_TOLD: Final = ("good", "refused", "inactive", "silent", "broken", "stranger")


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


class Signer:
    """Keys, and tokens that are signed by them."""

    def __init__(self) -> None:
        self._rsa = rsa.generate_private_key(65537, 2048)
        self._ec = ec.generate_private_key(ec.SECP256R1())

    def write_keys(self, directory: Path) -> None:
        """As local_validation_key_dict has them."""
        files = {"default/HS256/default": base64.b64encode(b"secret"), "an%2fapp/HS512/key%251": b"c2VjcmV0\n",
                 "default/HS256/empty": b"", "default/RS256/broken": b"no key"}  # fmt: skip
        for name, key in (("RS256", self._rsa), ("PS512", self._rsa), ("ES256", self._ec)):
            files[f"default/{name}/default"] = key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        for name, content in files.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(content)

    def token(
        self, algorithm: str = "HS256", header: Mapping[str, object] | None = None, **claims: object
    ) -> str:
        """A token of the user `local`; None takes a claim out."""
        head = {"typ": "JWT", "alg": algorithm, **(header or {})}
        body = {"sub": "local", "exp": 4102444800, "iss": "us", "active": "true", **claims}
        texts = [{key: value for key, value in one.items() if value is not None} for one in (head, body)]
        signed = ".".join(_base64url(json.dumps(one).encode()) for one in texts)
        return f"{signed}.{_base64url(self._signature(algorithm, signed.encode()))}"

    def _signature(self, algorithm: str, signed: bytes) -> bytes:
        if algorithm.startswith("HS") and algorithm[2:] in ("256", "512"):
            return hmac.digest(b"secret", signed, getattr(hashlib, f"sha{algorithm[2:]}"))
        if algorithm == "RS256":
            return self._rsa.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        if algorithm == "PS512":
            salted = padding.PSS(padding.MGF1(hashes.SHA512()), padding.PSS.DIGEST_LENGTH)
            return self._rsa.sign(signed, salted, hashes.SHA512())
        if algorithm == "ES256":
            pair = decode_dss_signature(self._ec.sign(signed, ec.ECDSA(hashes.SHA256())))
            return b"".join(number.to_bytes(32, "big") for number in pair)
        return b"signature"

    def tokens(self) -> list[str]:
        """Good ones and others."""
        whole = self.token()
        head, body, signature = whole.split(".")
        kinds = [self.token(name) for name in ("RS256", "PS512", "ES256", "HS999", "none", "hs256")]
        others = [
            self.token("HS512", {"kid": "key%1"}, azp="an/app"),
            *(self.token(header={"kid": name}) for name in ("", "empty", "missing", "../default")),
            self.token("RS256", {"kid": "broken"}),
            *(self.token(header={name: None}) for name in ("typ", "alg")),
            *(self.token(sub=None), self.token(exp=None), self.token(iss=None)),
            *(self.token(nbf=4102444900), self.token(iat=4102444900)),
            *(self.token(exp=moment) for moment in (1, "x", "2099-01-01T00:00:00Z", -5)),
            self.token(nbf=0, iat=10),
            self.token(iss="they"),
            self.token(sub="other"),
            self.token(active="no"),
        ]
        broken = [
            f"{head}.{body}.{signature[:-2]}",
            f"{head}.{body}",
            f"x.{body}.{signature}",
            f".{body}.x",
            "x",
        ]
        return [whole, *kinds, *others, *broken]


@pytest.fixture(scope="module")
def logins() -> Iterator[list[tuple[Server, list[str], list[Login]]]]:
    """(server, what it asks for tokens, what clients say); ours first."""
    signer = Signer()
    said = [
        *(xoauth2("auth", f"{what}:auth") for what in WHAT),
        *(
            login("auth", f"{what}:auth")
            for login in (bearer, plain)
            for what in ("good", "inactive", "broken")
        ),
        *_MALFORMED,
        *(xoauth2(user, f"{what}:{user}") for user in ("get", "post", "tokeninfo", "only") for what in _TOLD),
        xoauth2("tokeninfo", "audience:tokeninfo"),
        *(bearer("get", f"{what}:get") for what in ("inactive", "good +/")),
        *(xoauth2("slim@a.example", f"{what}:slim@b.example") for what in _TOLD),
        *(xoauth2("forced", f"{what}:forced") for what in _TOLD),
        *(plain("grant", password) for password in PASSWORDS),
        *(login("nobody", "x") for login in (plain, xoauth2, bearer)),
        *(plain("local", token) for token in signer.tokens()),
        xoauth2("local", signer.token()),
    ]
    with ExitStack() as stack:
        tokens = stack.enter_context(token_server())
        host = f"127.0.0.1:{tokens.server_port}"

        def prepare(server: Server) -> None:
            text = server.configuration.read_text()
            begin = text.index("passdb {\n  driver = static")
            server.configuration.write_text(text[:begin] + text[text.index("userdb {", begin) :])
            signer.write_keys(server.base / "keys")
            for name, content in _FILES.items():
                content = content.replace("URL", f"http://{host}").replace("HOST", host)
                (server.base / f"{name}.oauth2").write_text(content.replace("BASE", str(server.base)))

        servers = stack.enter_context(pair_of(SETTINGS, fields=_FIELDS, prepare=prepare))
        yield [(server, tokens.asked, said) for server in servers]


_VARIES: Final = re.compile(
    r"^\w+ +\d+ [0-9:]+ |mpid=\d+|,?<[A-Za-z0-9+/]{16}>|\[\S+:[0-9-]+ [0-9:]+\]|in \d+ secs|CAPABILITY [^]]*"
)


def _heard(port: int, login: Login, *, command: bytes) -> list[str]:
    """The answers of an IMAP or POP3 server to a login."""
    found = []
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock, sock.makefile("rb") as file:
        file.readline()
        response = base64.b64encode(login.response) or b"="
        sock.sendall(command % (login.mechanism.encode(), response))
        for line in file:
            found.append(_VARIES.sub("", line.decode().rstrip()))
            if line[:2] != b"+ ":
                break
            found[-1] = base64.b64decode(line[2:]).decode()
            sock.sendall(b"\r\n")
        sock.sendall(b"b LOGOUT\r\n" if command[:2] == b"a " else b"QUIT\r\n")
        file.read()
    return found


def _played(server: Server, asked: list[str], said: list[Login]) -> tuple[Sequence[object], ...]:
    """What clients hear, what the server of the tokens is asked, what the log says; many at a time.

    Dovecot tells a client that was refused after half a second.
    """
    del asked[:]
    begun = len(server.log())

    def heard(login: Login) -> list[str]:
        return _heard(server.port, login, command=b"a AUTHENTICATE %b %b\r\n")

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(heard, said))

    def is_over() -> bool:
        return server.log()[begun:].count(": Info: Disconnected") == len(said)

    until(is_over, what=lambda: f"each client's end is logged: {server.log()[begun:]}")
    lines = re.sub(" in=.*", "", server.log()[begun:]).split("\n")[:-1]
    logged = sorted(_VARIES.sub("", line).replace(str(server.base), "BASE") for line in lines)
    return list(zip(said, answers, strict=True)), sorted(asked), logged


def test_imap(logins: list[tuple[Server, list[str], list[Login]]]) -> None:
    """Each login."""
    told = [_played(*one) for one in logins]
    for ours, theirs in zip(*told, strict=True):
        different = [(mine, other) for mine, other in zip_longest(ours, theirs) if mine != other]
        assert not different, "\n".join(f"ours   {mine}\ntheirs {other}" for mine, other in different)
    assert sum("Logged in" in str(one) for one in told[0][0]) > 12


def test_pop3(logins: list[tuple[Server, list[str], list[Login]]]) -> None:
    """A refusal is told, and answered, in the same way."""
    said = [xoauth2("auth", "good:auth"), bearer("get", "inactive:get"), xoauth2("auth", "broken:auth")]
    ours, theirs = (
        [_heard(server.pop3, login, command=b"AUTH %b %b\r\n") for login in said] for server, _, _ in logins
    )
    assert ours == theirs
    assert ours[0] == ["+OK Logged in."]


def test_mta(logins: list[tuple[Server, list[str], list[Login]]]) -> None:
    """What an MTA hears over the auth socket, of which it makes its replies.

    Ours says `temp`, too, as Dovecot did before 2.3, and never the token, which no MTA needs.
    """
    told = []
    for server, _, _ in logins:
        found = []
        with socket.socket(socket.AF_UNIX) as sock, sock.makefile("rb") as file:
            sock.connect(str(server.base / "run" / "mta"))
            sock.sendall(b"VERSION\t1\t1\nCPID\t4242\n")
            while (line := file.readline()) != b"DONE\n":
                if line.startswith(b"MECH"):
                    found.append(line)
            for number, what in enumerate(("good", "inactive", "broken"), 1):
                login = xoauth2("auth", f"{what}:auth")
                response = base64.b64encode(login.response)
                sock.sendall(b"AUTH\t%d\tXOAUTH2\tservice=smtp\tresp=%b\n" % (number, response))
                found.append(re.sub(rb"\ttemp(?=\t)|\ttoken=\S+", b"", file.readline()))
                if found[-1].startswith(b"CONT"):
                    sock.sendall(b"CONT\t%d\t\n" % number)
                    found.append(file.readline())
        told.append(found)
    assert sorted(told[0]) == sorted(told[1])


def test_lookups(logins: list[tuple[Server, list[str], list[Login]]]) -> None:
    """Nothing is known of who shows no token."""
    told = []
    for server, _, _ in logins:
        done = [server.doveadm(*words, "post") for words in (("auth", "lookup"), ("user",))]
        told.append(
            [(one.returncode, one.stdout.replace(str(server.base), "BASE"), one.stderr) for one in done]
        )
    assert told[0] == told[1]

"""The cases of test_client_tls_parameters_peer.py: smtp_tls_… and smtp_sasl_… of services, and their servers."""

import base64
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from fakes.certificates import issue
from fakes.outbound_cases import Case
from fakes.outbound_world import Server
from fakes.scripted_server import BREAK_TLS, DROP, SILENCE, Replies
from system.client_parameter_cases import ehlo

TLS: Final = ehlo("PIPELINING", "STARTTLS")
PLAIN: Final = {"EHLO": ehlo("AUTH PLAIN")}
_CLIENT: Final = "/etc/postfix/client.pem"
_RSA: Final = "/etc/postfix/rsa.pem"


def certificate(path: Path) -> str:
    """The first certificate of a PEM file, alone."""
    text = path.read_text()
    return text[text.index("-----BEGIN CERTIFICATE") :]


class _Maker:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.top = issue(directory, "top")
        issue(directory, "strange")
        self.cases: list[Case] = []

    def server(
        self,
        case: str,
        *,
        name: str = "",
        signer: str = "top",
        old: bool = False,
        asks: bool = False,
        port: int = 25,
        wrapped: bool = False,
        offer: bytes = TLS,
    ) -> Server:
        """With a certificate for `name`; `old`: no TLS 1.3; `asks` for the client's."""
        name = name or f"mx0.{case}.test"
        path = issue(self._directory, name.replace("*", "star"), signer=signer, names=(name,))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        if old:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        if asks:
            context.load_verify_locations(self.top)
            context.verify_mode = ssl.CERT_OPTIONAL
        return Server({"EHLO": offer}, tls=context, port=port, wrapped=wrapped, notes_tls=True)

    def tls(
        self, name: str, settings: dict[str, str], server: Server | None = None, nexthop: str = ""
    ) -> None:
        """Names are without smtp_tls_, but for those after a blank."""
        named = {
            key[1:] if key.startswith(" ") else f"smtp_tls_{key}": text for key, text in settings.items()
        }
        self.cases.append(
            Case(
                name=name,
                settings={"smtp_tls_loglevel": "1"} | named,
                servers=(server or self.server(name),),
                nexthop=nexthop,
            )
        )

    def login(
        self, name: str, settings: dict[str, str], replies: Replies, nexthop: str = "", sender: str = ""
    ) -> None:
        """Names are without smtp_sasl_, but for those after a blank."""
        usual = {
            "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_password_maps": "static:user:secret",
            "smtp_sasl_security_options": "noanonymous",
        }
        named = {
            key[1:] if key.startswith(" ") else f"smtp_sasl_{key}": text for key, text in settings.items()
        }
        server = Server(replies) if replies else self.server(name, offer=ehlo("STARTTLS", "AUTH PLAIN"))
        self.cases.append(
            Case(name=name, settings=usual | named, servers=(server,), nexthop=nexthop, sender=sender)
        )

    def fingerprint(self, name: str, kind: str) -> None:
        """A certificate that is known by its digest."""
        server = self.server(name, signer="strange")
        path = self._directory / f"mx0.{name}.test.pem"
        known = x509.load_pem_x509_certificate(certificate(path).encode())
        digest = known.fingerprint(hashes.SHA256() if kind == "sha256" else hashes.SHA1())
        if name == "fingerwrong":
            digest = digest[::-1]
        text = ":".join(f"{octet:02x}" for octet in digest)
        self.tls(
            name,
            {"security_level": "fingerprint", "fingerprint_digest": kind, "fingerprint_cert_match": text},
            server,
        )


def _levels(make: _Maker) -> None:
    for level in ("none", "may", "encrypt"):
        make.tls(f"level{level}", {"security_level": level})
        make.tls(
            f"strange{level}", {"security_level": level}, make.server(f"strange{level}", signer="strange")
        )
        make.tls(f"silent{level}", {"security_level": level, "loglevel": "0"})
    make.tls("notenone", {"security_level": "none", "note_starttls_offer": "yes"})
    make.tls("noteempty", {"note_starttls_offer": "yes"})
    make.tls("notemay", {"security_level": "may", "note_starttls_offer": "yes"})
    make.tls("uses", {" smtp_use_tls": "yes"})
    make.tls(
        "enforced",
        {" smtp_enforce_tls": "yes", "enforce_peername": "no"},
        make.server("enforced", name="other.test"),
    )
    for level in ("may", "encrypt"):
        for name, replies in {
            "missing": {"EHLO": ehlo("PIPELINING")},
            "refused": {"EHLO": TLS, "STARTTLS": b"454 4.7.0 no"},
            "gone": {"EHLO": TLS, "STARTTLS": b"554 5.7.0 no"},
            "broken": {"EHLO": TLS, "STARTTLS": BREAK_TLS},
        }.items():
            make.tls(name + level, {"security_level": level}, Server(replies))
    make.tls(
        "slow",
        {"security_level": "encrypt", " smtp_starttls_timeout": "1s"},
        Server({"EHLO": TLS, "STARTTLS": SILENCE}),
    )
    for level in ("may", "encrypt"):
        name = f"wrapped{level}"
        server = make.server(name, port=465, wrapped=True)
        make.tls(name, {"security_level": level, "wrappermode": "yes"}, server, f"[mx0.{name}.test]:465")


def _mistakes(make: _Maker) -> None:
    """Files that are not there: in clear text where that will do, else mail waits, and other services go on."""
    for level in ("may", "encrypt", "verify"):
        for name, settings in {
            "nocert": {"cert_file": "/etc/postfix/none.pem"},
            "nokey": {"cert_file": _RSA, "key_file": "/etc/postfix/none.pem"},
            "nocertificate": {"cert_file": "/etc/postfix/main.cf"},
            "nochain": {"chain_files": "/etc/postfix/none.pem"},
            "noauthority": {"CAfile": "/etc/postfix/none.pem"},
            "noauthorities": {"CApath": "/etc/postfix/none"},
            "noanchor": {"trust_anchor_file": "/etc/postfix/none.pem"},
        }.items():
            make.tls(name + level, {"security_level": level, "servername": "hostname"} | settings)
    make.tls("nocertpolicy", {"policy_maps": "static:encrypt", "cert_file": "/etc/postfix/none.pem"})
    make.tls("nopolicies", {"policy_maps": "hash:/etc/postfix/none"})
    make.tls("nosites", {"per_site": "hash:/etc/postfix/none"})


def _names(make: _Maker) -> None:
    """With a name of its own in the handshake: what is asked for by itself differs from Postfix."""

    def matched(name: str, level: str, settings: dict[str, str], certified: str = "") -> None:
        own = {"security_level": level, "servername": "hostname"} | settings
        make.tls(name, own, make.server(name, name=certified))

    matched("verified", "verify", {})
    matched("misnamed", "verify", {}, "other.test")
    matched("secured", "secure", {}, "secured.test")
    matched("below", "secure", {}, "a.below.test")
    matched("byhost", "secure", {"secure_cert_match": "hostname"})
    matched("notbyhost", "secure", {"secure_cert_match": "nexthop"})
    matched("colons", "secure", {"secure_cert_match": "foo.test:bar.test"}, "bar.test")
    matched("verifycolons", "verify", {"verify_cert_match": "foo.test:hostname"})
    matched("dotted", "secure", {"secure_cert_match": ".foo.test"}, "a.foo.test")
    matched("starred", "verify", {}, "*.starred.test")
    make.fingerprint("finger", "sha256")
    make.fingerprint("fingersha", "sha1")
    make.fingerprint("fingerwrong", "sha256")
    make.tls("fingerless", {"security_level": "fingerprint"})
    for name, text in {"sni": "hostname", "snihop": "nexthop", "snitext": "x.example"}.items():
        make.tls(name, {"security_level": "may", "servername": text})


def _parameters(make: _Maker) -> None:
    make.tls("upto", {"security_level": "may", "protocols": "<=TLSv1.2"})
    make.tls("atleast", {"security_level": "encrypt", "mandatory_protocols": ">=TLSv1.3"})
    make.tls("butnot", {"security_level": "may", "protocols": "!TLSv1.3, !TLSv1"})
    make.tls("notmandatory", {"security_level": "may", "mandatory_protocols": "<=TLSv1.2"})
    make.tls("only", {"security_level": "encrypt", "mandatory_protocols": "TLSv1.2"})
    for grade in ("high", "medium", "low", "export"):
        make.tls(
            f"must{grade}",
            {"security_level": "encrypt", "mandatory_ciphers": grade},
            make.server(f"must{grade}", old=True),
        )
        make.tls(
            f"may{grade}", {"security_level": "may", "ciphers": grade}, make.server(f"may{grade}", old=True)
        )
    for name, settings in {
        "excluded": {"mandatory_exclude_ciphers": "AES256, ECDHE-ECDSA-CHACHA20-POLY1305"},
        "excludedtoo": {"exclude_ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384"},
        "highlist": {"mandatory_ciphers": "high", " tls_high_cipherlist": "ECDHE-ECDSA-AES128-SHA"},
        "mediumlist": {" tls_medium_cipherlist": "ECDHE-ECDSA-AES128-SHA256"},
    }.items():
        make.tls(name, {"security_level": "encrypt"} | settings, make.server(name, old=True))
    make.tls("curves", {"security_level": "encrypt", " tls_eecdh_auto_curves": "secp384r1"})
    make.tls("options", {"security_level": "may", " tls_ssl_options": "NO_TICKET"})
    for name, settings in {
        "own": {"cert_file": _CLIENT},
        "chain": {"chain_files": _CLIENT},
        "key": {"cert_file": _RSA, "key_file": _RSA},
        "elliptic": {"eccert_file": _CLIENT},
        "both": {"eccert_file": _CLIENT, "cert_file": _RSA},
    }.items():
        make.tls(name, {"security_level": "may"} | settings, make.server(name, asks=True))
    for at, policy in enumerate(
        (
            "none",
            "may",
            "encrypt",
            "encrypt protocols=TLSv1.2 ciphers=high",
            "may protocols=!TLSv1.3",
            "may exclude=AES256",
            "foo",
            "encrypt foo=bar",
            "fingerprint match=00:11",
            "none protocols=TLSv1.2",
            "may ciphers=bogus",
            "may match=nexthop",
            "encrypt servername=x.y",
            "secure servername=x.y match=mx0.policy13.test",
            "secure servername=x.y match=dot-nexthop",
            "encrypt protocols",
            "fingerprint match=00:11|0A:" + ":".join(["ab"] * 31),
        )
    ):
        make.tls(f"policy{at}", {"policy_maps": f"inline:{{ {{ policy{at}.test = {policy} }} }}"})
    make.tls("parent", {"policy_maps": "inline:{{ .test = encrypt }}"})


def _cram(line: bytes) -> bytes:
    if line.startswith(b"AUTH CRAM-MD5"):
        return b"334 " + base64.b64encode(b"<1@x>")
    return b"235 2.7.0 ok"


def _logins(make: _Maker) -> None:
    several: Replies = {"EHLO": ehlo("PIPELINING", "AUTH PLAIN LOGIN CRAM-MD5"), "AUTH": _cram}
    bad, later = {**PLAIN, "AUTH": b"535 5.7.8 bad"}, {**PLAIN, "AUTH": b"454 4.7.0 later"}
    make.login("plain", {}, PLAIN)
    make.login("plaincolons", {"password_maps": "static:user:a:b:c"}, PLAIN)
    make.login("nameless", {"password_maps": "static::secret"}, PLAIN)
    make.login("fails", {"password_maps": "fail:x"}, PLAIN)
    make.login("failsnot", {"password_maps": "fail:x"}, {"EHLO": ehlo("SIZE")})
    make.login("twice", {}, {"EHLO": ehlo("AUTH FOO", "AUTH", "AUTH PLAIN", "AUTH BAR")})
    make.login("twicefiltered", {"mechanism_filter": "login"}, {"EHLO": ehlo("AUTH FOO bar", "AUTH")})
    for name, options, offer in (
        ("noplain", "noplaintext, noanonymous", "AUTH PLAIN LOGIN"),
        ("noanonymous", "noanonymous", "AUTH ANONYMOUS"),
        ("noactive", "noactive", "AUTH PLAIN"),
        ("mutual", "mutual_auth", "AUTH PLAIN CRAM-MD5"),
        ("forward", "forward_secrecy", "AUTH PLAIN CRAM-MD5"),
        ("unknown", "noanonymous", "AUTH FOO BAR"),
    ):
        make.login(name, {"security_options": options}, {"EHLO": ehlo(offer)})
    make.login("filtered", {"mechanism_filter": "plain"}, several)
    make.login("filteredout", {"mechanism_filter": "!cram-md5, !login, static:rest"}, several)
    make.login("filteredaway", {"mechanism_filter": "gssapi"}, several)
    make.login("filteredby", {"mechanism_filter": "inline:{plain=x}"}, several)
    make.login("filterednot", {"mechanism_filter": "!inline:{cram-md5=x}, !login, static:rest"}, several)
    make.login("bad", {}, bad)
    make.login("badhard", {"auth_soft_bounce": "no"}, bad)
    make.login("later", {"auth_soft_bounce": "no"}, later)
    make.login("nothing", {}, {"EHLO": b"250-x\r\n250 AUTH"})
    make.login("nooffer", {}, {"EHLO": ehlo("PIPELINING")})
    make.login("equals", {}, {"EHLO": ehlo("AUTH=PLAIN")})
    make.login("dropped", {}, {**PLAIN, "AUTH": DROP})
    make.login("off", {"auth_enable": "no"}, PLAIN)
    make.login("byname", {"password_maps": "inline:{{mx0.byname.test=u:host}}"}, PLAIN)
    make.login(
        "bydomain", {"password_maps": "inline:{{bydomain.test=u:dest},{mx0.bydomain.test=u:host}}"}, PLAIN
    )
    make.login("byport", {"password_maps": "inline:{{mx0.byport.test:25=u:port}}"}, PLAIN)
    make.login("other", {"password_maps": "inline:{{other.example=u:p}}"}, PLAIN)
    for name, yes in {"bysender": "yes", "notbysender": "no"}.items():
        maps = f"inline:{{{{alice@sender.test=al:ice}},{{{name}.test=u:dest}}}}"
        make.login(name, {"password_maps": maps, " smtp_sender_dependent_authentication": yes}, PLAIN)
    make.login(
        "byextension",
        {
            "password_maps": "inline:{{alice@sender.test=al:ice}}",
            " smtp_sender_dependent_authentication": "yes",
            " recipient_delimiter": "+",
        },
        PLAIN,
        sender="Alice+x@sender.test",
    )
    make.cases.append(
        Case(
            name="notbylmtp",
            program="lmtp",
            settings={
                "lmtp_sasl_auth_enable": "yes",
                "lmtp_sasl_password_maps": "inline:{{alice@sender.test=al:ice}}",
                "lmtp_sasl_security_options": "noanonymous",
                "lmtp_sender_dependent_authentication": "yes",
            },
            servers=(Server({"LHLO": ehlo("AUTH PLAIN")}, lmtp=True, port=24),),
            nexthop="mx0.notbylmtp.test",
        )
    )
    for name, settings in {
        "tlsonly": {"security_options": "noplaintext", "tls_security_options": "noanonymous"},
        "tlsnot": {"security_options": "noanonymous", "tls_security_options": "noplaintext"},
    }.items():
        make.login(name, {" smtp_tls_security_level": "may"} | settings, {})


def tls_cases(directory: Path) -> tuple[Sequence[Case], dict[str, str]]:
    """The cases, and files of /etc/postfix that they need."""
    make = _Maker(directory)
    for part in (_levels, _names, _parameters, _logins, _mistakes):
        part(make)
    files = {
        "/etc/postfix/top.crt": certificate(make.top),
        _CLIENT: issue(directory, "client", signer="top").read_text(),
        _RSA: issue(directory, "rsa", signer="top", rsa_bits=2048).read_text(),
    }
    return make.cases, files

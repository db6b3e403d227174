"""The cases of test_server_tls_parameters_peer.py: smtpd_tls_… of services, and the clients that come to each."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fakes.certificates import fingerprint, issue


@dataclass(frozen=True)
class Client:
    """How a client does TLS: its context, and whether it comes again with the session it had."""

    context: ssl.SSLContext
    asked: str = "smtp.pillarbox.test"
    comes_again: bool = False


@dataclass(frozen=True)
class Case:
    """A service, without `smtpd_tls_` before its settings' names but for those after a blank."""

    settings: Mapping[str, str]
    clients: tuple[str, ...] = ("usual",)
    wrapped: bool = field(default=False)


def certificates(directory: Path) -> Path:
    """The servers' and the clients', in a directory of their own."""
    issue(directory, "top")
    issue(directory, "server", signer="top", names=("smtp.pillarbox.test",))
    issue(directory, "rsa", signer="top", rsa_bits=2048)
    issue(directory, "other", signer="top", names=("other.pillarbox.test",))
    issue(directory, "client", signer="top")
    issue(directory, "between", signer="top", is_authority=True)
    issue(directory, "below", signer="between")
    issue(directory, "strange")
    server = (directory / "server.pem").read_text()
    at = server.index("-----BEGIN CERT")
    for name, text in (
        ("server-key", server[:at]),
        ("server-certificate", server[at:]),
        ("both", server + (directory / "rsa.pem").read_text()),
    ):
        (directory / f"{name}.pem").write_text(text)
    for path in directory.glob("*.pem"):
        path.chmod(0o644)
    below = directory / "below.pem"
    between = (directory / "between.pem").read_text()
    below.write_text(below.read_text() + between[between.index("-----BEGIN CERTIFICATE") :])
    return directory


def _context(*, least: ssl.TLSVersion | None = None, most: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = least or ssl.TLSVersion.TLSv1
    context.maximum_version = most or ssl.TLSVersion.TLSv1_3
    return context


def clients(directory: Path) -> dict[str, Client]:
    """All of them, by name."""
    old = ssl.TLSVersion.TLSv1_2
    found = {
        "usual": Client(_context()),
        "nameless": Client(_context(), asked=""),
        "other": Client(_context(), asked="other.pillarbox.test"),
        "stranger": Client(_context(), asked="nobody.example"),
        "1.2": Client(_context(most=old)),
        "1.1": Client(_context(most=ssl.TLSVersion.TLSv1_1)),
        "1.0": Client(_context(most=ssl.TLSVersion.TLSv1)),
        "1.3 only": Client(_context(least=ssl.TLSVersion.TLSv1_3)),
        "again": Client(_context(), comes_again=True),
        "1.2 again": Client(_context(most=old), comes_again=True),
    }
    for name, words in {
        "weak": "AES128-SHA",
        "RSA": "aRSA",
        "anonymous": "ADH:AECDH",
        "both": "ECDHE+AES128:ECDHE+AES256",
        "Diffie-Hellman": "DHE+aRSA",
        "null": "eNULL",
    }.items():
        context = _context(most=old)
        context.set_ciphers(f"{words}:@SECLEVEL=0")
        found[name] = Client(context)
    for name in ("client", "below", "strange"):
        for version, most in {"": None, "1.2 ": old}.items():
            context = _context(most=most)
            context.load_cert_chain(directory / f"{name}.pem")
            found[version + name] = Client(context, comes_again=name == "client")
    return found


def cases(directory: Path) -> dict[str, Case]:
    """By the names of their services in the log."""

    def file(name: str) -> str:
        return str(directory / f"{name}.pem")

    usual = {"cert_file": file("server"), "security_level": "may", "loglevel": "1", "received_header": "yes"}
    asking = {"ask_ccert": "yes", "CAfile": file("top")}
    all_kinds = ("usual", "client", "1.2 client", "below", "strange", "1.2 strange")
    showing = ("client", "1.2 strange")
    found: dict[str, Case] = {}

    def case(name: str, settings: Mapping[str, str], *had: str, wrapped: bool = False) -> None:
        found[name] = Case(usual | dict(settings), had or ("usual",), wrapped)

    for level in ("none", "may", "encrypt"):
        case(f"level-{level}", {"security_level": level}, "plain", "usual", "1.2")
    case("level-verify", {"security_level": "verify"}, "plain", "usual")
    case("grade-bogus", {"ciphers": "bogus"}, "plain", "usual")
    case("use", {"security_level": "", " smtpd_use_tls": "yes"}, "plain", "usual")
    case("enforce", {"security_level": "", " smtpd_enforce_tls": "yes"}, "plain", "usual")
    case("wrapped", {"wrappermode": "yes"}, "usual", "1.2", "again", "client", wrapped=True)
    for number in range(2):
        case(f"log-{number}", {"loglevel": str(number)}, "usual")
    case("log-2", {**asking, "loglevel": "2"}, *showing)
    case("quiet", {"loglevel": "0", "received_header": "no", **asking}, *showing)
    case("sessions", {}, "again", "1.2 again")
    case("remembered", {"session_cache_database": "btree:${data_directory}/scache"}, "again", "1.2 again")
    case("forgotten", {"session_cache_timeout": "0"}, "again", "1.2 again")
    case("no-tickets", {" tls_ssl_options": "NO_TICKET"}, "again", "1.2 again")
    case("asks", asking, *all_kinds)
    case("asks-no-authority", {"ask_ccert": "yes"}, *showing)
    case("asks-header", {**asking, "loglevel": "0"}, *showing)
    case("requires", {**asking, "req_ccert": "yes"}, *showing)
    case("requires-encrypt", {**asking, "req_ccert": "yes", "security_level": "encrypt"}, *all_kinds)
    case("depth", {**asking, "ccert_verifydepth": "0"}, "client", "below")
    case("depth-1", {**asking, "ccert_verifydepth": "1"}, "client", "below")
    known = {
        name: f"{{{fingerprint(directory / f'{name}.pem')}={action}}}"
        for name, action in (("client", "permit"), ("strange", "REJECT known"))
    }
    table = f"inline:{{{known['client']}, {known['strange']}}}"
    digest = {"fingerprint_digest": "sha256"}
    refusing = "permit_tls_clientcerts, reject"
    case(
        "known",
        {**asking, **digest, " relay_clientcerts": table, " smtpd_recipient_restrictions": refusing},
        *showing,
    )
    refusing = "permit_tls_all_clientcerts, reject"
    case("vouched", {**asking, " smtpd_recipient_restrictions": refusing}, *all_kinds)
    access = {**asking, **digest, " smtpd_client_restrictions": f"check_ccert_access {table}"}
    case("access", {**access, " smtpd_delay_reject": "yes"}, *showing)
    for name, words in {
        "upto": "<=TLSv1.2",
        "atleast": ">=TLSv1.3",
        "atleast-2": ">=TLSv1.2",
        "between": ">=TLSv1.1, <=TLSv1.2",
        "butnot": "!TLSv1.3, !TLSv1",
        "butnot-old": "!SSLv2, !SSLv3",
        "only": "TLSv1.2",
        "colons": "!TLSv1:!TLSv1.1",
        "hole": "TLSv1.1 TLSv1.3",
        "small": "!tlsv1.3",
        "empty": "",
        "numbers": ">=0303",
    }.items():
        versions = ("1.0", "1.2", "1.3 only")
        case(f"protocols-{name}", {"protocols": words}, *versions)
        if name in ("upto", "butnot"):
            case(f"must-{name}", {"mandatory_protocols": words, "security_level": "encrypt"}, *versions)
    case("not-mandatory", {"mandatory_protocols": "<=TLSv1.2"}, "usual")
    kinds = ("weak", "RSA", "anonymous", "both", "Diffie-Hellman", "null")
    for grade in ("export", "low", "medium", "high", "null"):
        case(f"grade-{grade}", {"ciphers": grade, "cert_file": file("rsa")}, *kinds)
    case("grade-must", {"mandatory_ciphers": "high", "security_level": "encrypt"}, "weak", "both")
    case("excluded", {"exclude_ciphers": "AES128, aNULL"}, "anonymous", "both")
    case(
        "excluded-must", {"mandatory_exclude_ciphers": "AES128", "security_level": "encrypt"}, "weak", "both"
    )
    case("excluded-not", {"mandatory_exclude_ciphers": "AES128"}, "both")
    case("preempts", {" tls_preempt_cipherlist": "yes"}, "both")
    case("high-list", {"ciphers": "high", " tls_high_cipherlist": "AES256"}, "weak", "both")
    case("two", {"cert_file": file("rsa"), "eccert_file": file("server")}, "usual", "1.2", "RSA")
    case("chains", {"chain_files": f"{file('server')}, {file('rsa')}"}, "usual", "1.2", "RSA")
    case(
        "chain-in-two",
        {"chain_files": f"{file('server-key')}, {file('server-certificate')}"},
        "usual",
        "1.2",
        "RSA",
    )
    case("two-in-one", {"chain_files": file("both")}, "usual", "1.2", "RSA")
    case("no-certificate", {"cert_file": "none", "ciphers": "medium"}, "plain", "usual", "1.2", "anonymous")
    names = f"inline:{{{{other.pillarbox.test={file('other')}}}, {{.example={file('rsa')}}}}}"
    case("names", {" tls_server_sni_maps": names}, "usual", "nameless", "other", "stranger", "RSA")
    case("curves", {" tls_eecdh_auto_curves": "secp384r1"}, "usual", "1.2")
    case("grade-of-curves", {"eecdh_grade": "none"}, "usual", "1.2")
    case("ultra", {"eecdh_grade": "ultra"}, "usual", "1.2")
    case("login-only", {"auth_only": "yes", " smtpd_sasl_auth_enable": "yes"}, "plain", "usual")
    case("keyword", {" smtpd_discard_ehlo_keywords": "starttls"}, "plain", "usual")
    case("required", {" smtpd_recipient_restrictions": "permit_auth_destination, reject"}, "usual")
    return found

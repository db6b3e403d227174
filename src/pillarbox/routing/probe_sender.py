"""address_verify_sender: whom address probes come from, and how mail to that address is told.

DESCRIPTION
    With address_verify_sender_ttl the local part ends in the number of the current span of that length, in base 31
    without vowels.  Mail is taken for the address of now, of the span before, and of the next, as clocks differ.

STANDARDS
    postconf(5), address_verify_sender_ttl; Postfix verify_sender_addr(3), safe_ultostr(3)
"""

from typing import Final

_DIGITS: Final = "0123456789BCDFGHJKLMNPQRSTVWXYZ"


def probe_sender(sender: str, *, ttl: float, now: float, shift: int = 0) -> bytes:
    """The sender in internal form, not yet completed; empty for the null sender.  `shift` spans from now."""
    if sender in ("", "<>"):
        return b""
    local, at, domain = sender.partition("@")
    if ttl:
        local += _base31(max(0, int(now // ttl) + shift))
    return f"{local}{at}{domain}".encode()


def probe_senders(sender: str, *, ttl: float, now: float) -> list[bytes]:
    """All addresses by which the sender of probes is known now."""
    if sender in ("", "<>"):
        return []
    return [probe_sender(sender, ttl=ttl, now=now, shift=shift) for shift in ((-1, 0, 1) if ttl else (0,))]


def _base31(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
        if not number:
            return digits

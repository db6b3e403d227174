"""IP addresses as text."""

from ipaddress import IPv4Address, IPv6Address, ip_address


def is_ip_address(text: str) -> bool:
    """Whether it is one, of IPv4 or IPv6, without brackets."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def shown_address(text: str) -> str:
    """An address as inet_ntop(3) writes it: `::ffff:192.0.2.1`, `2001:db8::1` of `2001:DB8:0::1`."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return f"::ffff:{address.ipv4_mapped}"
        if 0xFFFF < int(address) <= 0xFFFFFFFF:  # RFC 4291 §2.5.5.1
            return f"::{IPv4Address(int(address))}"
    return str(address)

"""IP addresses and networks as text."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


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


def bare_address(text: str) -> str:
    """`::1` of `[::1]`; anything else as it is."""
    return text[1:-1] if text.startswith("[") and text.endswith("]") and ":" in text else text


def network(text: str) -> Network:
    """`192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32` or `[2001:db8::]/32`, as dovecot.conf has it.  ValueError."""
    address, slash, bits = text.partition("/")
    return ip_network(f"{bare_address(address)}{slash}{bits}", strict=False)


def is_within(address: str, block: Network) -> bool:
    """Whether it is an address of the network; one of IPv4 in its IPv6 form is one of IPv4.  ValueError."""
    parsed = ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return (mapped or parsed) in block

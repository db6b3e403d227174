"""IP addresses as text."""

from ipaddress import ip_address


def is_ip_address(text: str) -> bool:
    """Whether it is one, of IPv4 or IPv6, without brackets."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True

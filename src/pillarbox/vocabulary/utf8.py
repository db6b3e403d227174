"""Whether something is UTF-8: what a peer has sent, and text that octets of a file were made to."""


def is_utf8(text: bytes | str) -> bool:
    """Octets, or the text that was made of them; in that, surrogates stand for what was none."""
    if text.isascii():
        return True
    try:
        text.decode() if isinstance(text, bytes) else text.encode()
    except UnicodeError:
        return False
    return True

"""Numbers as peers and files write them: ASCII digits and nothing else.

DESCRIPTION
    `int()` takes `1_0`, ` +1`, and digits of other scripts, so it is banned on text from outside.
    `decimal()` takes one or more of `0`-`9`.  The length is bounded, because a number of a million
    digits is an attack on the conversion, not a number.

FAULTS
    ValueError  not ASCII digits, or more than `max_digits` of them.
"""


def decimal(text: bytes, *, max_digits: int = 20) -> int:
    """The number that ASCII digits spell, at most `max_digits` of them."""
    if not text.isdigit() or len(text) > max_digits:  # bytes.isdigit() is ASCII only
        raise ValueError(f"not a decimal number: {text[:40]!r}")
    return int(text)


def is_decimal(text: bytes, *, max_digits: int = 20) -> bool:
    """Whether `decimal()` would take the text."""
    return text.isdigit() and len(text) <= max_digits


def is_decimal_text(text: str, *, max_digits: int = 20) -> bool:
    """The same of decoded text, which `int()` takes then."""
    return text.isascii() and text.isdigit() and len(text) <= max_digits

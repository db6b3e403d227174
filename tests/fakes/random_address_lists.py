"""Random values of address fields: what mail programs write, what they should not, and what nobody writes."""

import random
from typing import Final

_WORDS: Final = (
    *(
        "alice",
        "bob",
        "list+x",
        "d..ot",
        ".dot",
        "dot.",
        "a!b",
        "a%b",
        "c%out.test",
        "out.test!d",
        "Al",
        "B.",
        "=",
    ),
    *(
        '"quoted"',
        '"a b"',
        '"a!b"',
        '"a%b"',
        '"a@b"',
        '""',
        '"es\\"c"',
        '"op(en"',
        "gr\u00fcn",
        '"gr\u00fcn b"',
    ),
    *(
        "a\\ b",
        "a\\@b",
        "x" * 60,
        "a\tb",
        "\\",
        "a\\(b",
        "-minus",
        "'q'",
        "a/b",
        "{x}",
        "a|b",
        "=?utf-8?q?a?=",
    ),
)
_DOMAINS: Final = (
    *(
        "here.test",
        "out.test",
        "lone",
        "OUT.Test",
        "out.test.",
        "out.test..",
        "",
        ".",
        "a..b",
        "[10.53.0.20]",
    ),
    *("[x", "[a b]", "b\u00fccher.test", "h.masq.test", "out . test", "x(c).test", '"q".test', "a_b", "1.2"),
)
_NAMES: Final = (
    *(
        "Alice",
        "Alice  B",
        "Alice B.",
        '"Alice, of here"',
        "=?utf-8?q?Gr=C3=BCn?=",
        "",
        "gr\u00fcn",
        '"a\\"b"',
        "(c) A",
    ),
    *("A (c) B", "J.R. Ewing", "a@b", "Name:", "A\tB", "@", "O'Neil", "a, b", '"open', "A [B]"),
)
_COMMENTS: Final = ("", "(c)", "(c (n) d)", "(es\\)c)", "(gr\u00fcn)", "(open", "(a)(b)", " (c) ")
_SEPARATORS: Final = (", ", ",", ",\n\t", " ,\n  ", ",,", ";", " ", "; ", ":", ", ,", "\n ")
_STRAY: Final = (
    "<",
    ">",
    "@",
    ",",
    ";",
    ":",
    '"',
    "(",
    ")",
    "\\",
    "[",
    "]",
    ".",
    "!",
    "%",
    "|",
    "<>",
    "<@a:b>",
    " ",
)


def random_fields(seed: int, count: int) -> list[str]:
    """Values to stand behind `To:`, folded lines and all."""
    chance = random.Random(seed)
    return [random_field(chance) for _ in range(count)]


def random_field(chance: random.Random) -> str:
    """One of them."""
    draw = chance.random()
    if draw < 0.12:
        count = chance.randint(1, 9)
        text = "".join(chance.choice((*_STRAY, *_WORDS[:6], *_DOMAINS[:3])) for _ in range(count))
    else:
        count = chance.choice((1, 1, 1, 2, 2, 3, 5, 9)) if draw < 0.98 else 40
        text = chance.choice((", ", ", ", chance.choice(_SEPARATORS))).join(
            _element(chance) for _ in range(count)
        )
        if draw < 0.2:
            text = f"{chance.choice(_NAMES)}:{text};" + chance.choice(("", ", bob", " bob", ";"))
        elif draw < 0.3:
            place = chance.randrange(len(text) + 1)
            text = text[:place] + chance.choice(_STRAY) + text[place:]
    # No line of a field is blank, or begins as another field does.
    lines = [line for line in text.split("\n") if line.strip()] or [""]
    return "\n".join([lines[0], *(line if line[:1] in " \t" else " " + line for line in lines[1:])])


def _element(chance: random.Random) -> str:
    address = _address(chance)
    match chance.randrange(8):
        case 0 | 1:
            return address
        case 2 | 3 | 4:
            return f"{chance.choice(_NAMES)} <{address}>"
        case 5:
            return f"{address} {chance.choice(_COMMENTS)}"
        case 6:
            return f"{chance.choice(_COMMENTS)}<{chance.choice(('', '@a:', '@a,@b:', 'x '))}{address}>"
        case _:
            return f"{chance.choice(_NAMES)} {address}"


def _address(chance: random.Random) -> str:
    word = chance.choice(_WORDS) if chance.random() < 0.5 else chance.choice(_WORDS[:3])
    if chance.random() < 0.1:
        word += chance.choice(_COMMENTS) + chance.choice((".", "", " ")) + chance.choice(_WORDS)
    domain = chance.choice(_DOMAINS) if chance.random() < 0.5 else "out.test"
    return word if chance.random() < 0.25 else f"{word}@{domain}"

"""The text of alias files, as postalias(1) reads it: `name: value, value …`, a logical line each.

DESCRIPTION
    Lines are taken apart as RFC 822 takes addresses apart: atoms, quoted strings, comments, `[literals]` and
    single characters that mean something.  The key is put together without quotes (as addresses are looked up),
    the value with them (as it is read again by those who look it up).

FAULTS
    warnings  lines that are left out, by number, in Postfix's words

STANDARDS
    aliases(5); RFC 822 §3.3, as sendmail has it
"""

from collections.abc import Iterator

from pillarbox.message.address_tokens import Kind, joined, tokens_of
from pillarbox.tables.pattern_sources import lines_of
from pillarbox.tables.table import Opening
from pillarbox.vocabulary.utf8 import is_utf8


def alias_entries(content: str, *, path: str, opening: Opening) -> Iterator[tuple[int, str, str]]:
    """(line number, name, value) of each line."""
    for number, line in lines_of(content, path=path, opening=opening):
        where = f"{path}, line {number}"
        if opening.utf8 and not is_utf8(line):
            opening.warn(f'{where}: non-UTF-8 input "{line}" -- ignoring this line')
            continue
        tokens = tokens_of(line)
        names = [token.text if token.kind is Kind.OPERATOR else "" for token in tokens]
        colon = names.index(":") if ":" in names else -1
        if colon <= 0 or colon + 1 == len(tokens) or "," in names[:colon]:
            opening.warn(f"{where}: need name:value pair")
        elif "@" in names[:colon] or "%" in names[:colon]:
            opening.warn(f"{where}: name must be local")
        else:
            key = joined(tokens[:colon], [token.unquoted for token in tokens[:colon]])
            value = joined(tokens[colon + 1 :], [token.quoted for token in tokens[colon + 1 :]])
            yield number, key, value

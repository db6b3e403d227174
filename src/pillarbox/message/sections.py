"""BODY[section] of FETCH as a range of the message's content.

DESCRIPTION
    A section is a path of part numbers and a name: `1.2.MIME` is `Section((1, 2), Text.MIME)`.  The part
    numbers are RFC 3501's: a message that is not multipart has one part, 1, which is its text; the parts of
    a message/rfc822 part are those of the message in it.

    `locate` gives (start, end) in the content, or None if there is no such part: then FETCH answers NIL.
    HEADER.FIELDS is HEADER run through `header_fields.select_fields`.

STANDARDS
    RFC 3501 §6.4.5 (section-spec, part specifiers)
"""

from enum import Enum, auto

import msgspec

from pillarbox.message.mime_tree import Part


class Text(Enum):
    """What of the part is wanted (`section-text`)."""

    ALL = auto()
    """The whole: BODY[] or BODY[1.2]."""
    HEADER = auto()
    """The header of the message, or of a message/rfc822 part; also for HEADER.FIELDS."""
    TEXT = auto()
    """The body of the message, or of a message/rfc822 part."""
    MIME = auto()
    """The MIME header of the part."""


class Section(msgspec.Struct, frozen=True, array_like=True):
    """`section-spec = section-msgtext / (section-part ["." section-text])`"""

    path: tuple[int, ...] = ()
    text: Text = Text.ALL


def locate(tree: Part, section: Section) -> tuple[int, int] | None:
    """Where the section lies in the content, or None if the message has no such part."""
    if not section.path:
        return _of_message(tree, section.text)
    part = find_part(tree, section.path)
    if part is None:
        return None
    if section.text is Text.ALL:
        return part.body_start, part.body_end
    if section.text is Text.MIME:
        return part.header_start, part.body_start
    if not part.is_message:
        return None  # HEADER and TEXT of a part mean the message in it
    return _of_message(part.children[0], section.text)


def find_part(tree: Part, path: tuple[int, ...]) -> Part | None:
    """The part that the numbers lead to."""
    part = tree
    message = tree  # whose parts the next number counts
    counts = True
    for number in path:
        if not counts:
            return None
        in_multipart = message.is_multipart
        if in_multipart:
            if not 1 <= number <= len(message.children):
                return None
            part = message.children[number - 1]
        elif number == 1:
            part = message
        else:
            return None
        if part.is_message:
            message = part.children[0]
        elif part.is_multipart:
            message = part
        else:  # 1 is the part of a message, and Dovecot gives it to a part of a multipart, too
            message, counts = part, in_multipart
    return part


def _of_message(message: Part, text: Text) -> tuple[int, int] | None:
    if text is Text.ALL:
        return message.header_start, message.body_end
    if text is Text.HEADER:
        return message.header_start, message.body_start
    if text is Text.TEXT:
        return message.body_start, message.body_end
    return None  # MIME needs a part number

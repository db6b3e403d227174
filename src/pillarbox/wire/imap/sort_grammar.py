"""SORT and THREAD.

FAULTS
    BadSyntax, Refusal  as `scanner` says.

STANDARDS
    RFC 5256 §5; RFC 5267 §3 (ESORT); RFC 5957 (DISPLAYFROM, DISPLAYTO)
"""

from typing import Final

from pillarbox.message.charsets import codec_of
from pillarbox.wire.imap.commands import Sort, Thread, ThreadAlgorithm
from pillarbox.wire.imap.scanner import BadSyntax, Refusal, Scanner
from pillarbox.wire.imap.search_grammar import keys_to_end, known_charset, saves, take_return_options
from pillarbox.wire.imap.search_keys import Criterion, SortStep

MAX_STEPS: Final = 32
"""Criteria of one SORT; there are ten."""
_CRITERIA: Final = {criterion.value: criterion for criterion in Criterion} | {b"X-SCORE": Criterion.RELEVANCY}
_ALGORITHMS: Final = {algorithm.value: algorithm for algorithm in ThreadAlgorithm}


def sort(tag: bytes, scanner: Scanner, *, by_uid: bool) -> Sort:
    """`sort = ["UID" SP] "SORT" [return-opts] SP sort-criteria SP charset 1*(SP search-key)`"""
    scanner.space_or("Invalid sort argument")
    result = take_return_options(scanner)
    if not scanner.take_open():
        raise BadSyntax("Invalid sort argument")
    steps = _steps(scanner)
    try:
        charset = _charset(scanner, "Invalid charset argument")
        return Sort(tag, by_uid, steps, keys_to_end(scanner, charset), result)
    except Refusal as refusal:
        refusal.forgets_result = saves(result)
        raise


def _steps(scanner: Scanner) -> tuple[SortStep, ...]:
    """`sort-criterion *(SP sort-criterion) ")"`, the bracket already taken"""
    steps: list[SortStep] = []
    reverse = False
    if scanner.take_close():
        raise BadSyntax("Empty sort program")
    while True:
        name = scanner.word(reason="Invalid sort argument")
        if name == b"REVERSE":
            reverse = not reverse
        elif name in _CRITERIA:
            steps.append(SortStep(_CRITERIA[name], reverse))
            reverse = False
        else:
            raise BadSyntax(f"Unknown sort argument: {name.decode('ascii')}")
        if len(steps) > MAX_STEPS:
            raise BadSyntax("Too many sort arguments")
        if scanner.take_close():
            break
        scanner.space()
    if reverse:
        raise BadSyntax("Sort list ends with REVERSE")
    return tuple(steps)


def thread(tag: bytes, scanner: Scanner, *, by_uid: bool) -> Thread:
    """`thread = ["UID" SP] "THREAD" SP thread-alg SP charset 1*(SP search-key)`"""
    scanner.space_or("Invalid arguments")
    algorithm = _ALGORITHMS.get(scanner.astring().upper())
    if algorithm is None:
        raise BadSyntax("Unknown thread algorithm")
    charset = _charset(scanner, "Invalid arguments")
    return Thread(tag, by_uid, algorithm, keys_to_end(scanner, charset))


def _charset(scanner: Scanner, reason: str) -> str:
    """`SP charset SP`

    Quirk: after ENABLE UTF8=ACCEPT it may be missing.  Such clients leave it out of SEARCH (RFC 6855 §3), and some
    (Horde) here, too, where it is mandatory.
    """
    scanner.space_or(reason)
    quoted = scanner.at(b'"') or scanner.at(b"{")
    if scanner.utf8_names and not quoted and codec_of(scanner.next_atom) is None:
        return "utf-8"
    try:
        charset = known_charset(scanner)
    except Refusal:
        if scanner.at_end:
            raise BadSyntax("Missing search parameters") from None
        raise
    scanner.space_or("Missing search parameters")
    return charset

"""Why a token does not count, or nobody can say whether it does."""


class NoAnswer(Exception):
    """The server of the tokens; `str()` says why, for the log."""


class InvalidToken(Exception):
    """The token; `str()` says why, for the log."""

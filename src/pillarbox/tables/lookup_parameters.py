"""The file that tells how a database is asked: `name = value` lines, as in main.cf.

DESCRIPTION
    Values are taken as they are: `$name` is not expanded.  What the SQL types have in common is read here:

        query, or table, select_field, where_field and additional_conditions of before Postfix 2.2
        result_format       how each value is given, %s
        domain              only addresses in these domains are looked up
        expansion_limit     how many values there may be, 0 for any number

FAULTS
    ConfigurationFault  the file cannot be read; a parameter without which nothing can be asked; a bad number

STANDARDS
    sqlite_table(5), mysql_table(5), pgsql_table(5)
"""

from collections.abc import Callable

from pillarbox.config.logical_lines import BLANKS
from pillarbox.config.main_cf import parse_main_cf
from pillarbox.config.value_types import MatchList, match_list, pattern_file_names
from pillarbox.tables.lookup_template import BadTemplate, Templates
from pillarbox.tables.table import LookupTable, Opening
from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.faults import ConfigurationFault

Open = Callable[[str, Opening], LookupTable]


class LookupParameters:
    """One such file."""

    def __init__(self, kind: str, path: str, opening: Opening) -> None:
        self.kind, self.path = kind, path
        self._opening = opening
        if path[:1] not in ("/", "."):
            raise self.fault(
                f"bad string length 0 < 1: {path}_dbpath = ",
                mend=f"put its parameters into a file, and name that with its path: {kind}:/etc/postfix/{path}.cf",
            )
        try:
            self.owner_uid = opening.file_system.stat(path).st_uid
            content = opening.file_system.read_file(path)
        except OSError as error:
            raise self.fault(f"open {path}: {error.strerror}") from error
        parsed = parse_main_cf(content.decode("utf-8", "surrogateescape"), path=path)
        for warning in parsed.warnings:
            opening.warn(warning)
        self._values = {name: value.text for name, value in parsed.values.items()}

    def text(self, name: str, default: str = "") -> str:
        """A value that may be missing."""
        return self._values.get(name, default)

    def needed(self, name: str, default: str = "") -> str:
        """A value that may not be empty.  ConfigurationFault."""
        value = self._values.get(name, default)
        if not value:
            raise self.fault(f"{self.path}: bad string length 0 < 1: {name} = ")
        return value

    def number(self, name: str, default: int) -> int:
        """A number; what is below zero is zero.  ConfigurationFault."""
        text = self._values.get(name)
        if text is None:
            return default
        try:
            value = decimal(text.removeprefix("-").encode(), max_digits=9)
        except ValueError:
            raise self.fault(f"{self.path}: bad numerical configuration: {name} = {text}") from None
        return 0 if text.startswith("-") else value

    def templates(self) -> Templates:
        """The query and the format of its results.  ConfigurationFault."""
        try:
            return Templates(
                f"{self.kind}:{self.path}",
                self.text("query") or self._old_query(),
                self.needed("result_format", "%s"),
                warn=self._opening.warn,
            )
        except BadTemplate as bad:
            raise self.fault(f"db_common_parse: {self.path}: {bad}") from bad

    def domains(self, open_with: Open) -> "DomainFilter | None":
        """Whose addresses are looked up; None for all keys.  ConfigurationFault."""
        listed = self.text("domain")
        if not listed:
            return None
        files: dict[str, tuple[str, ...]] = {}
        try:
            self._read_pattern_files(listed, files)
            patterns = match_list(listed, files=files)
        except ValueError as error:
            raise self.fault(f"{self.path}: domain: {error}") from error
        return DomainFilter(patterns, {name: open_with(name, self._opening) for name in patterns.tables})

    def fault(self, what: str, *, mend: str = "") -> ConfigurationFault:
        """What is wrong, at the place of the parameter that names the table."""
        return ConfigurationFault(self._opening.where, what, mend=mend)

    def _old_query(self) -> str:
        table, select, where = (self.needed(name) for name in ("table", "select_field", "where_field"))
        conditions = self.text("additional_conditions")
        return f"SELECT {select} FROM {table} WHERE {where} = '%s' {conditions}"  # noqa: S608 - an admin's words

    def _read_pattern_files(self, listed: str, files: dict[str, tuple[str, ...]]) -> None:
        for path in pattern_file_names(listed):
            if path in files:
                continue
            try:
                content = self._opening.file_system.read_file(path).decode("utf-8", "surrogateescape")
            except OSError as error:
                raise self.fault(f"{self.path}: domain: open {path}: {error.strerror}") from error
            lines = (line.strip(BLANKS) for line in content.split("\n"))
            files[path] = tuple(line for line in lines if line and not line.startswith("#"))
            for line in files[path]:
                self._read_pattern_files(line, files)


class DomainFilter:
    """The `domain` parameter: a list of domains, and tables of them."""

    def __init__(self, patterns: MatchList, tables: dict[str, LookupTable]) -> None:
        self._patterns = patterns
        self._tables = tables

    def has(self, key: str) -> bool:
        """Whether the key is an address, with a user, in one of the domains.  LookupFault."""
        user, _at, domain = key.rpartition("@")
        if not user or not domain:
            return False
        for pattern in self._patterns.patterns:
            if pattern.is_table:
                found = self._tables[pattern.text].query(domain) is not None
            else:
                found = pattern.text.casefold() == domain.casefold()
            if found:
                return not pattern.negated
        return False

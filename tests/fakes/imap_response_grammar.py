"""What an IMAP server may say, by the formal grammars: everything a server has said is read strictly.

DESCRIPTION
    `read_responses` takes all octets of a connection.  Each rule is a method of the same name as in the RFC, or a
    regular expression where a rule is regular; nothing is taken that the grammars do not have, so that a writer that
    leaves them is found.  What a client has enabled (`* ENABLED …`) opens and closes rules: UTF-8 in strings and in
    texts, no `\\Recent`.

FAULTS
    NotGrammar  with the rule, and where it stopped.

STANDARDS
    RFC 9051 §9; RFC 3501 §9 (RECENT, SEARCH, LSUB, RFC822); RFC 2971 (ID); RFC 3516 (BINARY); RFC 4314 (ACL);
    RFC 4466, 4731, 5267, 9394 (ESEARCH); RFC 4467, 5524 (URLAUTH); RFC 5256 (SORT, THREAD); RFC 5258, 5819, 6154, 8440,
    9590 (LIST); RFC 5464 (METADATA); RFC 5530 and others (codes); RFC 7162 (CONDSTORE, QRESYNC); RFC 8474, 8514, 8970;
    RFC 9208 (QUOTA); RFC 9585 (INPROGRESS); RFC 9586 (UIDONLY)
"""

import re
from collections.abc import Callable
from typing import Final

NUMBER: Final = rb"(?:0|[1-9][0-9]*)"
NZ: Final = rb"[1-9][0-9]*"
SET: Final = rb"(?:[1-9][0-9]*(?::[1-9][0-9]*)?)(?:,[1-9][0-9]*(?::[1-9][0-9]*)?)*"
_ATOM: Final = rb'[^(){ \x00-\x1f\x7f-\xff%*"\\\]]+'
_ASTRING: Final = rb'[^(){ \x00-\x1f\x7f-\xff%*"\\]+'
_TAG: Final = rb'[^(){ \x00-\x1f\x7f-\xff%*"\\+]+'
_QUOTED: Final = rb'"(?:[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]|\\["\\])*"'
_QUOTED_UTF8: Final = (
    rb'"(?:[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]|[\xc2-\xf4][\x80-\xbf]+|\\["\\])*"'
)
_DATE_TIME: Final = (
    rb'"(?: [0-9]|[0-9]{2})-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-[0-9]{4}'
    rb' [0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}"'
)
_BASE64: Final = rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
_OBJECT_ID: Final = rb"\([A-Za-z0-9_-]{1,255}\)"
_FLAG: Final = rb"(?:\\(?:Answered|Flagged|Deleted|Seen|Draft)|" + _ATOM + rb")"
_FLAG_RECENT: Final = rb"(?:\\Recent|" + _FLAG + rb")"


def _listed(one: bytes) -> bytes:
    """`"(" [one *(SP one)] ")"`"""
    return rb"\((?:" + one + rb"(?: " + one + rb")*)?\)"


_CODES: Final = re.compile(
    rb"|".join(
        (
            rb"ALERT|PARSE|READ-ONLY|READ-WRITE|TRYCREATE|UIDNOTSTICKY|UNAVAILABLE|AUTHENTICATIONFAILED",
            rb"AUTHORIZATIONFAILED|EXPIRED|PRIVACYREQUIRED|CONTACTADMIN|NOPERM|INUSE|EXPUNGEISSUED|CORRUPTION",
            rb"SERVERBUG|CLIENTBUG|CANNOT|LIMIT|OVERQUOTA|ALREADYEXISTS|NONEXISTENT|NOTSAVED|HASCHILDREN|CLOSED",
            rb"UNKNOWN-CTE|NOMODSEQ|USEATTR|TOOBIG|COMPRESSIONACTIVE|NOTIFICATIONOVERFLOW|UIDREQUIRED",
            rb"BADCHARSET(?: \((?:%b|%b)(?: (?:%b|%b))*\))?" % (_ATOM, _QUOTED, _ATOM, _QUOTED),
            rb"CAPABILITY(?: %b)+" % _ATOM,
            rb"PERMANENTFLAGS " + _listed(rb"(?:\\\*|" + _FLAG + rb")"),
            rb"(?:UIDNEXT|UIDVALIDITY|HIGHESTMODSEQ|UNSEEN) " + NZ,
            rb"APPENDUID %b %b" % (NZ, SET),
            rb"COPYUID %b %b %b" % (NZ, SET, SET),
            rb"MODIFIED " + SET,
            rb"MAILBOXID " + _OBJECT_ID,
            rb'BADURL "?[\x21\x23-\x5b\x5e-\x7e]*"?',
            rb"BADEVENT " + _listed(_ATOM),
            rb"NOUPDATE " + _QUOTED,
            rb"URLMECH INTERNAL(?: %b)*" % _ATOM,
            rb"METADATA (?:LONGENTRIES %b|MAXSIZE %b|TOOMANY|NOPRIVATE)" % (NUMBER, NUMBER),
            rb"INPROGRESS(?: \(%b (?:%b|NIL) (?:%b|NIL)\))?" % (_QUOTED, NUMBER, NZ),
        )
    )
)
_ATTRIBUTE: Final = (
    rb"\\(?:Noinferiors|Noselect|Marked|Unmarked|NonExistent|HasChildren|HasNoChildren|Subscribed|Remote|All|Archive"
    rb"|Drafts|Flagged|Junk|Sent|Trash|Important)"
)
_STATUS: Final = (
    rb"(?:(?:MESSAGES|RECENT|UNSEEN|SIZE|DELETED|DELETED-STORAGE|HIGHESTMODSEQ) %b|(?:UIDNEXT|UIDVALIDITY) %b"
    rb"|APPENDLIMIT (?:%b|NIL)|MAILBOXID %b)" % (NUMBER, NZ, NUMBER, _OBJECT_ID)
)
_SECTION_TEXT: Final = rb"(?:HEADER|TEXT|HEADER\.FIELDS(?:\.NOT)? \("
_ENTRY: Final = re.compile(rb"/(?:private|shared)(?:/[^/*%\x00-\x1f\x7f-\xff]+)*", re.IGNORECASE)


class NotGrammar(Exception):
    """The server has said what no rule gives."""


class _Reader:
    """A place in what the server has said."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0
        self._utf8 = False
        self._rev2 = False

    # Terminals.

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._octets)

    def take(self, pattern: bytes) -> bytes | None:
        """What a pattern finds here."""
        found = re.compile(pattern, re.IGNORECASE).match(self._octets, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def want(self, pattern: bytes, rule: str) -> bytes:
        """The same, which has to be there."""
        found = self.take(pattern)
        if found is None:
            start = self._octets.rfind(b"\n", 0, self._at) + 1
            raise NotGrammar(
                f"{rule}: {self._octets[start : self._at]!r} then {self._octets[self._at :][:60]!r}"
            )
        return found

    def space(self) -> None:
        self.want(rb" ", "SP")

    # Strings.

    def string(self, *, eight: bool = False) -> bytes:
        """`string = quoted / literal`; `eight`: or literal8"""
        quoted = self.take(_QUOTED_UTF8 if self._utf8 else _QUOTED)
        if quoted is not None:
            quoted.decode("utf-8")
            return quoted
        announced = self.want((rb"~?" if eight else b"") + rb"\{%b\}\r\n" % NUMBER, "string")
        size = int(announced.strip(b"~{}\r\n"))
        text = self._octets[self._at : self._at + size]
        if len(text) < size or (b"\0" in text and not announced.startswith(b"~")):
            raise NotGrammar(f"literal: {announced!r} {text[:60]!r}")
        self._at += size
        return text

    def nstring(self, *, eight: bool = False) -> bytes | None:
        return None if self.take(rb"NIL") is not None else self.string(eight=eight)

    def astring(self) -> bytes:
        atom = self.take(_ASTRING)
        return atom if atom is not None else self.string()

    def listed(self, one: Callable[[], object], *, least: int = 0) -> None:
        """`"(" [one *(SP one)] ")"`"""
        self.want(rb"\(", "(")
        count = 0
        while self.take(rb"\)") is None:
            if count:
                self.space()
            one()
            count += 1
        if count < least:
            raise NotGrammar(f"a list of at least {least}")

    # Responses.

    def response(self) -> None:
        """`continue-req / response-data / response-tagged`"""
        if self.take(rb"\+ ") is not None:
            if self.take(_BASE64 + rb"(?=\r\n)") is None:
                self.text()
        elif self.take(rb"\* ") is not None:
            self.data()
        else:
            self.want(_TAG, "tag")
            self.want(rb" (?:OK|NO|BAD) ", "resp-cond-state")
            self.resp_text()
        self.want(rb"\r\n", "CRLF")

    def resp_text(self) -> None:
        """`["[" resp-text-code "]" SP] text`"""
        if self.take(rb"\[") is not None:
            self.want(_CODES.pattern, "resp-text-code")
            self.want(rb"\] ", "]")
        self.text()

    def text(self) -> None:
        """`1*TEXT-CHAR`, which cannot begin as a code does

        It is UTF-8 only for who has enabled IMAP4rev2; we say names of mailboxes as people read them to all, as
        Dovecot does.
        """
        if self.take(rb"\[") is not None:
            raise NotGrammar("text begins with [")
        self.want(rb"[^\x00\r\n]+", "text").decode("utf-8")

    def data(self) -> None:
        """`mailbox-data`, `message-data`, …, by its first word"""
        if self.take(rb"(?:OK|NO|BAD|BYE|PREAUTH) ") is not None:
            self.resp_text()
        elif self.take(rb"%b (?=EXISTS|RECENT)" % NUMBER) is not None:
            self.want(rb"EXISTS" if self._rev2 else rb"EXISTS|RECENT", "mailbox-data")
        elif self.take(rb"%b EXPUNGE" % NZ) is not None:
            pass
        elif self.take(rb"%b (?:UID)?FETCH " % NZ) is not None:
            self.listed(self.msg_att, least=1)
        else:
            word = self.want(rb"[A-Z]+", "response-data").upper().decode("ascii")
            rule = getattr(self, f"data_{word.lower()}", None)
            if rule is None:
                raise NotGrammar(f"response-data: {word}")
            rule()

    def data_capability(self) -> None:
        words = self.want(rb"(?: %b)+" % _ATOM, "capability-data").split()
        if b"IMAP4rev1" not in words and b"IMAP4rev2" not in words:
            raise NotGrammar("capability-data without IMAP4rev1")

    def data_enabled(self) -> None:
        words = self.want(rb"(?: %b)*" % _ATOM, "enable-data").upper().split()
        self._rev2 |= b"IMAP4REV2" in words
        self._utf8 |= b"IMAP4REV2" in words or b"UTF8=ACCEPT" in words

    def data_flags(self) -> None:
        self.want(rb" " + _listed(_FLAG), "flag-list")

    def data_list(self) -> None:
        self.want(rb" " + _listed(_ATTRIBUTE), "mbx-list-flags")
        self.want(rb' (?:"(?:[^"\\\r\n]|\\["\\])"|NIL) ', "hierarchy separator")
        self.astring()
        if self.take(rb" (?=\()") is not None:
            self.listed(self._extended_item, least=1)

    def _extended_item(self) -> None:
        self.want(
            rb'"?CHILDINFO"? \("SUBSCRIBED"(?: "SPECIAL-USE")?\)|"?OLDNAME"? (?=\()',
            "mbox-list-extended-item",
        )
        if self.take(rb"\(") is not None:
            self.astring()
            self.want(rb"\)", "oldname-extended-item")

    data_lsub = data_list

    def data_search(self) -> None:
        if self._rev2:
            raise NotGrammar("SEARCH in IMAP4rev2")
        self.want(rb"(?: %b)*(?: \(MODSEQ %b\))?" % (NZ, NZ), "SEARCH")

    def data_sort(self) -> None:
        self.want(rb"(?: %b)*(?: \(MODSEQ %b\))?" % (NZ, NZ), "SORT")

    def data_esearch(self) -> None:
        """`[search-correlator] [SP "UID"] *(SP search-return-data)`"""
        self.want(rb" \(TAG %b\)(?: UID)?" % _QUOTED, "search-correlator")
        change = rb"(?:ADDTO|REMOVEFROM) \(%b %b(?: %b %b)*\)" % (NUMBER, SET, NUMBER, SET)
        partial = rb"PARTIAL \(-?%b:-?%b (?:%b|NIL)\)" % (NZ, NZ, SET)
        numbers = rb"(?:MIN|MAX|MODSEQ) %b|COUNT %b|RELEVANCY %b" % (NZ, NUMBER, _listed(NZ))
        self.want(rb"(?: (?:%b|ALL %b|%b|%b))*(?=\r)" % (numbers, SET, change, partial), "search-return-data")

    def data_status(self) -> None:
        self.space()
        self.astring()
        self.want(rb" " + _listed(_STATUS), "status-att-list")

    def data_namespace(self) -> None:
        for _ in range(3):
            self.space()
            if self.take(rb"NIL") is None:
                self.want(rb"\(", "namespace")
                while self.take(rb"\)") is None:
                    self.want(rb"\(", "namespace-descr")
                    self.string()
                    self.want(rb' (?:"(?:[^"\\\r\n]|\\["\\])"|NIL)\)', "namespace-descr")

    def data_id(self) -> None:
        self.space()
        if self.take(rb"NIL") is None:
            self.listed(self._id_pair, least=1)

    def _id_pair(self) -> None:
        self.string()
        self.space()
        self.nstring()

    def data_vanished(self) -> None:
        self.want(rb"(?: \(EARLIER\))? " + SET, "expunged-resp")

    def data_quota(self) -> None:
        self.space()
        self.astring()
        self.want(rb" " + _listed(rb"%b %b %b" % (_ATOM, NUMBER, NUMBER)), "quota-list")

    def data_quotaroot(self) -> None:
        self.space()
        self.astring()
        while self.take(rb" ") is not None:
            self.astring()

    def data_myrights(self) -> None:
        self.space()
        self.astring()
        self.space()
        self.astring()

    def data_acl(self) -> None:
        self.space()
        self.astring()
        while self.take(rb" ") is not None:
            self.astring()
            self.space()
            self.astring()

    def data_listrights(self) -> None:
        self.data_myrights()
        while self.take(rb" ") is not None:
            self.astring()

    def data_metadata(self) -> None:
        """`SP mailbox SP (entry-values / entry-list)`"""
        self.space()
        self.astring()
        self.space()
        if self.take(rb"(?=\()") is not None:
            self.listed(self._entry_value, least=1)
        else:
            self.entry()
            while self.take(rb" ") is not None:
                self.entry()

    def entry(self) -> None:
        """`entry = astring`, of components of any characters but wildcards and controls"""
        name = self.astring().strip(b'"')
        if _ENTRY.fullmatch(name) is None:
            raise NotGrammar(f"entry: {name!r}")

    def _entry_value(self) -> None:
        self.entry()
        self.space()
        self.nstring(eight=True)

    def data_genurlauth(self) -> None:
        while self.take(rb" ") is not None:
            self.astring()

    def data_urlfetch(self) -> None:
        """`1*(SP url-full SP nstring)`, or RFC 5524's items"""
        while self.take(rb" ") is not None:
            self.astring()
            if self.take(rb" NIL") is not None:
                continue
            if self.take(rb" (?=\()") is None:
                self.space()
                self.nstring()
                continue
            self._url_item()
            while self.take(rb" (?=\()") is not None:
                self._url_item()

    def _url_item(self) -> None:
        name = self.want(rb"\((?:BODY|BINARY|BODYPARTSTRUCTURE) ", "url-metadata-el")
        if name == b"(BODYPARTSTRUCTURE ":
            self.body(extended=True)
        else:
            self.nstring(eight=name == b"(BINARY ")
        self.want(rb"\)", "url-metadata-el")

    def data_thread(self) -> None:
        """`[SP 1*thread-list]`"""
        if self.take(rb" ") is not None:
            self.thread_list()
            while self.take(rb"(?=\()") is not None:
                self.thread_list()

    def thread_list(self) -> None:
        """`"(" (thread-members / thread-nested) ")"`"""
        self.want(rb"\(", "thread-list")
        if self.take(NZ) is not None:
            while self.take(rb" (?=[1-9])") is not None:
                self.want(NZ, "thread-members")
            nested = self.take(rb" (?=\()") is not None
        else:
            nested = True
        count = 0
        while nested and self.take(rb"(?=\()") is not None:
            self.thread_list()
            count += 1
        if nested and count < 2:
            raise NotGrammar("thread-nested = 2*thread-list")
        self.want(rb"\)", "thread-list")

    # FETCH.

    def msg_att(self) -> None:
        """`msg-att-dynamic / msg-att-static`"""
        simple = (
            rb"UID %b|MODSEQ \(%b\)|RFC822\.SIZE %b|INTERNALDATE %b|SAVEDATE (?:%b|NIL)|EMAILID %b|THREADID (?:%b|NIL)"
            % (NZ, NZ, NUMBER, _DATE_TIME, _DATE_TIME, _OBJECT_ID, _OBJECT_ID)
        )
        if self.take(rb"(?:%b)(?=[ )])" % simple) is not None:
            return
        name = self.want(
            rb"FLAGS|ENVELOPE|BODYSTRUCTURE|BODY(?=[ \[])|BINARY\.SIZE|BINARY|RFC822\.HEADER|RFC822\.TEXT|RFC822"
            rb"|PREVIEW|SNIPPET|X-[A-Z-]+",
            "msg-att",
        ).upper()
        match name:
            case b"FLAGS":
                self.want(rb" " + _listed(_FLAG if self._rev2 else _FLAG_RECENT), "flag-fetch")
            case b"ENVELOPE":
                self.space()
                self.envelope()
            case b"BODYSTRUCTURE":
                self.space()
                self.body(extended=True)
            case b"BODY" if self.take(rb" ") is not None:
                self.body(extended=False)
            case b"BODY":
                self.section()
                self.want(rb"(?:<%b>)? " % NUMBER, "section")
                self.nstring()
            case b"BINARY.SIZE":
                self.want(rb"\[(?:%b(?:\.%b)*)?\] %b" % (NZ, NZ, NUMBER), "BINARY.SIZE")
            case b"BINARY":
                parts = rb"(?:%b(?:\.%b)*(?:\.(?:MIME|TEXT|HEADER))?)?" % (NZ, NZ)  # the names are Dovecot's
                self.want(rb"\[%b\](?:<%b>)? " % (parts, NUMBER), "section-binary")
                self.nstring(eight=True)
            case b"PREVIEW" | b"SNIPPET" if self.take(rb" \(FUZZY ") is not None:  # the draft's form
                self.nstring()
                self.want(rb"\)", "PREVIEW")
            case _ if name.startswith(b"X-"):
                self.space()
                self.astring()
            case _:
                self.space()
                self.nstring()

    def section(self) -> None:
        """`"[" [section-spec] "]"`"""
        self.want(rb"\[(?:%b(?:\.%b)*)?" % (NZ, NZ), "section")
        numbered = self._octets[self._at - 1 : self._at] != b"["
        text = self.take(
            (rb"\." if numbered else b"") + rb"(?:HEADER\.FIELDS(?:\.NOT)? (?=\()|HEADER|TEXT|MIME)"
        )
        if text is not None and text.endswith(b" "):
            self.listed(self.astring, least=1)
        if text == b"MIME":
            raise NotGrammar("MIME without a part")
        self.want(rb"\]", "section")

    def envelope(self) -> None:
        self.want(rb"\(", "envelope")
        for field in range(10):
            if field:
                self.space()
            if field in (0, 1, 8, 9):
                self.nstring()
            elif self.take(rb"NIL") is None:
                self.want(rb"\(", "env-from")
                self.address()
                while self.take(rb"\)") is None:
                    self.address()
        self.want(rb"\)", "envelope")

    def address(self) -> None:
        self.want(rb"\(", "address")
        for field in range(4):
            if field:
                self.space()
            self.nstring()
        self.want(rb"\)", "address")

    def body(self, *, extended: bool) -> None:
        """`"(" (body-type-1part / body-type-mpart) ")"`"""
        self.want(rb"\(", "body")
        if self.take(rb"(?=\()") is not None:
            while self.take(rb"(?=\()") is not None:
                self.body(extended=extended)
            self.space()
            self.string()
            if extended and self.take(rb" ") is not None:
                self.body_fld_param()
                self._body_extension()
        else:
            self._body_1part(extended=extended)
        self.want(rb"\)", "body")

    def _body_1part(self, *, extended: bool) -> None:
        kind = self.string().strip(b'"').upper()
        self.space()
        subtype = self.string().strip(b'"').upper()
        self.space()
        self.body_fld_param()
        for _ in range(2):
            self.space()
            self.nstring()
        self.space()
        self.string()
        self.want(rb" " + NUMBER, "body-fld-octets")
        if kind == b"MESSAGE" and subtype in (b"RFC822", b"GLOBAL"):
            self.space()
            self.envelope()
            self.space()
            self.body(extended=extended)
            self.want(rb" " + NUMBER, "body-fld-lines")
        elif kind == b"TEXT":
            self.want(rb" " + NUMBER, "body-fld-lines")
        if extended and self.take(rb" ") is not None:
            self.nstring()  # body-fld-md5
            self._body_extension()

    def _body_extension(self) -> None:
        """`[SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc]]]`"""
        if self.take(rb" ") is None:
            return
        if self.take(rb"NIL") is None:
            self.want(rb"\(", "body-fld-dsp")
            self.string()
            self.space()
            self.body_fld_param()
            self.want(rb"\)", "body-fld-dsp")
        if self.take(rb" ") is None:
            return
        if self.take(rb"(?=\()") is not None:
            self.listed(self.string, least=1)
        else:
            self.nstring()
        if self.take(rb" ") is not None:
            self.nstring()

    def body_fld_param(self) -> None:
        if self.take(rb"NIL") is None:
            self.listed(self._parameter, least=1)

    def _parameter(self) -> None:
        self.string()
        self.space()
        self.string()


def read_responses(octets: bytes) -> int:
    """How many responses there are.  NotGrammar if one is none."""
    reader = _Reader(octets)
    count = 0
    while not reader.at_end:
        reader.response()
        count += 1
    return count

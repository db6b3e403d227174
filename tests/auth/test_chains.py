"""Several passdbs and userdbs, asked in the order of the configuration."""

import asyncio
from collections.abc import Mapping

import pytest

from pillarbox.auth.account_chain import AccountChain, Owner, UserLink
from pillarbox.auth.login_names import BadName, LoginName, LoginNames
from pillarbox.auth.password_chain import Link, NoLookups, Outcome, PasswordChain
from pillarbox.auth.static_users import StaticPasswords, StaticUsers
from pillarbox.auth.user_database import (
    DatabaseFault,
    LoginRequest,
    PasswordRight,
    PasswordWrong,
    StoredPassword,
    UnknownUser,
    UserAccount,
    Verdict,
)
from pillarbox.config.mailbox_settings import Database
from pillarbox.vocabulary.secret import Secret


class Users:
    """A database in memory: the twin of the real ones.  `broken`: it cannot answer."""

    def __init__(
        self, passwords: Mapping[str, str], fields: Mapping[str, str] | None = None, *, broken: bool = False
    ) -> None:
        self.driver = "memory"
        self._passwords = passwords
        self._fields = fields or {}
        self._broken = broken

    def lookup_text(self, request: LoginRequest) -> str:
        """For auth_debug."""
        return f"lookup: {request.user}"

    async def verify(self, request: LoginRequest, password: Secret) -> Verdict:
        """As it stands in the table."""
        stored = await self.stored(request)
        if stored is None:
            return UnknownUser()
        right = stored.password.reveal() == b"{PLAIN}" + password.reveal()
        return PasswordRight(self._fields) if right else PasswordWrong("Password mismatch")

    async def stored(self, request: LoginRequest) -> StoredPassword | None:
        """The password of the table."""
        if self._broken:
            raise DatabaseFault("out of order")
        found = self._passwords.get(request.user)
        return None if found is None else StoredPassword(Secret(b"{PLAIN}" + found.encode()), self._fields)

    async def lookup(self, request: LoginRequest) -> Mapping[str, str] | None:
        """The fields of the table."""
        return self._fields if request.user in self._passwords else None

    async def users(self) -> list[str]:
        """All names."""
        return list(self._passwords)


ME = {"me": "right"}


def link(database: Users, **settings: object) -> Link:
    """A passdb block."""
    return Link(Database(driver="memory", **settings), database)  # type: ignore[arg-type]  # fields by name


def verify(links: list[Link], password: str = "right", user: str = "me", **request: str) -> Outcome:
    """What they all say."""
    chain = PasswordChain(links, report=lambda *_: None, report_fault=lambda *_: None)
    asked = LoginRequest(
        user=user, remote=request.get("remote", "192.0.2.1"), mechanism=request.get("mechanism", "PLAIN")
    )
    name = LoginName(user, request.get("master", ""))
    return asyncio.run(chain.verify(name, asked, Secret(password.encode())))


CASES = [
    ("one, right", [link(Users(ME))], "right", True),
    ("one, wrong", [link(Users(ME))], "wrong", False),
    ("second knows him", [link(Users({})), link(Users(ME))], "right", True),
    ("second has another password", [link(Users({"me": "other"})), link(Users(ME))], "right", True),
    ("denied", [link(Users(ME), deny=True), link(Users(ME))], "right", False),
    ("deny does not know him", [link(Users({"you": ""}), deny=True), link(Users(ME))], "right", True),
    (
        "first refusal is final",
        [link(Users({"me": "other"}), result_failure="return-fail"), link(Users(ME))],
        "right",
        False,
    ),
    (
        "both must agree",
        [link(Users(ME), result_success="continue-ok"), link(Users({}), result_failure="return-fail")],
        "right",
        False,
    ),
    ("success goes on", [link(Users(ME), result_success="continue-ok"), link(Users({}))], "right", True),
    (
        "only if not yet right",
        [
            link(Users(ME), result_success="continue-ok"),
            link(Users({}), skip="authenticated", result_failure="return-fail"),
        ],
        "right",
        True,
    ),
    ("only if right already", [link(Users({})), link(Users(ME), skip="unauthenticated")], "right", False),
    ("other mechanism", [link(Users(ME), mechanisms=("SCRAM-SHA-256",))], "right", False),
    ("other users", [link(Users(ME), username_filter=("*@example.org",))], "right", False),
    ("not this user", [link(Users(ME), username_filter=("*", "!me"))], "right", False),
    ("network", [link(Users(ME, {"allow_nets": "192.0.2.0/24,10.0.0.0/8"}))], "right", True),
    ("other network", [link(Users(ME, {"allow_nets": "10.0.0.0/8"}))], "right", False),
    ("nologin", [link(Users(ME, {"nologin": "yes"}))], "right", False),
    ("broken, then known", [link(Users({}, broken=True)), link(Users(ME))], "right", True),
]


@pytest.mark.parametrize(("name", "links", "password", "right"), CASES, ids=[case[0] for case in CASES])
def test_who_gets_in(name: str, links: list[Link], password: str, right: bool) -> None:
    """By the settings of each block."""
    outcome = verify(links, password)
    assert outcome.right is right
    assert outcome.temporary is (name in ("other mechanism", "other users", "not this user")), (
        "nobody was asked"
    )


def test_a_broken_database_refuses_nobody_for_good() -> None:
    """Another one does not know him; perhaps the broken one does."""
    outcome = verify([link(Users({}, broken=True)), link(Users({}))])
    assert (outcome.right, outcome.temporary) == (False, True)


def test_the_database_may_give_another_name_and_fields() -> None:
    """`user` renames, default_fields stand behind what the database says, override_fields before it."""
    outcome = verify(
        [
            link(
                Users(ME, {"user": "you", "a": "1", "b": "1"}),
                default_fields="a=0 c=%n",
                override_fields="b=%u",
            )
        ]
    )
    assert (outcome.user, outcome.fields) == ("you", {"a": "1", "b": "me", "c": "me"})


def test_a_master_user_logs_in_as_another() -> None:
    """His password is asked of master databases alone; pass = yes wants the other to exist."""
    master = link(Users({"boss": "right"}), master=True, go_on=True)
    assert verify([master, link(Users(ME))], master="boss").user == "me"
    assert verify([master, link(Users(ME))], master="boss").right
    assert not verify([master, link(Users({}))], master="boss").right
    assert not verify([master, link(Users(ME))], "wrong", master="boss").right
    assert not verify([link(Users({"boss": "right"})), link(Users(ME))], master="boss").right
    assert not verify([master], user="boss").right, "a master database is no user's own"


NAMES = [
    ("folded", LoginNames(), "Me@Example.ORG", LoginName("me@example.org")),
    ("realm", LoginNames(default_realm="example.org"), "me", LoginName("me@example.org")),
    ("local part only", LoginNames(format="%Ln"), "Me@example.org", LoginName("me")),
    ("2.4", LoginNames(format="%{user | username | upper}"), "me@example.org", LoginName("ME")),
    ("translated", LoginNames(translation="#@/."), "me#d", LoginName("me@d")),
    ("master", LoginNames(master_separator="*"), "me*boss", LoginName("me", "boss")),
    ("no separator", LoginNames(), "me*boss", LoginName("me*boss")),
]


@pytest.mark.parametrize(("name", "rules", "text", "expected"), NAMES, ids=[case[0] for case in NAMES])
def test_login_names(name: str, rules: LoginNames, text: str, expected: LoginName) -> None:
    """What a client calls itself becomes the name that is looked up."""
    assert rules.parse(text) == expected


@pytest.mark.parametrize("text", ["", "../etc/passwd", "a\0b", "..", "a;b", "me*"])
def test_names_that_nobody_has(text: str) -> None:
    """Refused before any database hears of them."""
    with pytest.raises(BadName):
        LoginNames(chars="abcdefghijklmnopqrstuvwxyz@./*", master_separator="*").parse(text)


def account(
    links: list[UserLink], owner: Owner, prefetched: Mapping[str, str] | None = None
) -> UserAccount | None:
    """What the userdbs say of me@example.org."""

    async def exists(request: LoginRequest) -> bool:
        return request.user.startswith("me")

    chain = AccountChain(links, owner=owner, exists=exists)
    return asyncio.run(chain.account(LoginRequest(user="me@example.org"), prefetched))


def test_static_accounts() -> None:
    """The template with the user's name; root exists everywhere."""
    settings = Database(driver="static")
    static = StaticUsers("uid=root gid=0 home=/srv/%d/%n")
    assert account([UserLink(settings, static)], Owner()) == UserAccount(
        "me@example.org", 0, 0, "/srv/example.org/me"
    )


def test_static_knows_only_whom_a_passdb_knows() -> None:
    """Unless it says allow_all_users, or the user has just logged in."""

    async def nobody(_request: LoginRequest) -> bool:
        return False

    for args, prefetched, known in (("", None, False), ("allow_all_users=yes", None, True), ("", {}, True)):
        chain = AccountChain(
            [UserLink(Database(driver="static"), StaticUsers(f"uid=1 gid=1 {args}"))],
            owner=Owner(),
            exists=nobody,
        )
        found = asyncio.run(chain.account(LoginRequest(user="x"), prefetched))
        assert (found is not None) is known


def test_what_no_database_gives_comes_from_the_settings() -> None:
    """mail_uid, mail_gid and mail_home."""
    users = Users({"me@example.org": ""}, {"quota_rule": "*:bytes=1"})
    found = account([UserLink(Database(driver="memory"), users)], Owner("7", "8", "/srv/%Lu"))
    assert found == UserAccount("me@example.org", 7, 8, "/srv/me@example.org", (("quota_rule", "*:bytes=1"),))
    with pytest.raises(DatabaseFault, match="uid"):
        account([UserLink(Database(driver="memory"), users)], Owner())
    with pytest.raises(DatabaseFault, match="no such user: uid=nosuchuser"):
        account([UserLink(Database(driver="memory"), users)], Owner("nosuchuser", "1"))


def test_prefetch_takes_what_the_passdb_gave() -> None:
    """userdb_ fields of the login; without a login the next userdb is asked."""
    links = [
        UserLink(Database(driver="prefetch"), None),
        UserLink(Database(driver="static"), StaticUsers("uid=2 gid=2")),
    ]
    fields = {"userdb_uid": "1", "userdb_gid": "1", "userdb_home": "/h", "x": "y"}
    assert account(links, Owner(), fields) == UserAccount("me@example.org", 1, 1, "/h")
    assert account(links, Owner()) == UserAccount("me@example.org", 2, 2, "")


def test_fields_that_are_settings() -> None:
    """mail_location is the place; what counts for all alike is told once, what says where mail is ends it."""
    told: list[str] = []

    def chain(**found: str) -> AccountChain:
        return AccountChain(
            [UserLink(Database(driver="memory"), Users({"me": ""}, {"uid": "1", "gid": "1", **found}))],
            owner=Owner(),
            report_fault=lambda _driver, _request, reason: told.append(reason),
        )

    served = chain(mail_location="maildir:/x", imap_capability="+X", acl_groups="a", frob="1", acl_user="x")
    for _ in range(2):
        account = asyncio.run(served.account(LoginRequest(user="me")))
        assert account is not None
        assert dict(account.fields)["mail"] == "maildir:/x"
    assert [reason.split()[1] for reason in told] == ["imap_capability", "acl_user"]
    for name in ("namespace/inbox/location", "chroot"):
        with pytest.raises(DatabaseFault, match="where mail is depends on it"):
            asyncio.run(chain(**{name: "/x"}).account(LoginRequest(user="me")))


FORBIDDING = ["allow_nets=10.0.0.0/8", "nologin", "fail=yes"]


@pytest.mark.parametrize("text", FORBIDDING)
@pytest.mark.parametrize("setting", ["default_fields", "override_fields"])
def test_fields_that_are_set_forbid_logins(text: str, setting: str) -> None:
    """As those of the database do, whatever it says itself; of mechanisms that show no password, too."""
    settings = Database(driver="memory", **{setting: text})  # type: ignore[arg-type]
    users = Users({"me": "x"}, {"allow_nets": "192.0.2.0/24"})
    chain = PasswordChain([Link(settings, users)], report=lambda *_: None, report_fault=lambda *_: None)
    request = LoginRequest(user="me", remote="192.0.2.1")
    assert not asyncio.run(chain.verify(LoginName("me"), request, Secret(b"x"))).right
    assert asyncio.run(chain.stored(request)) is None


def test_fields_that_are_set_come_with_a_stored_password() -> None:
    """override_fields replaces what the database says, and that default_fields."""
    settings = Database(driver="memory", default_fields="a=1 b=1", override_fields="b=3 user=%u@x")
    users = Users({"me": "x"}, {"a": "2", "b": "2"})
    chain = PasswordChain([Link(settings, users)], report=lambda *_: None, report_fault=lambda *_: None)
    stored = asyncio.run(chain.stored(LoginRequest(user="me")))
    assert stored is not None
    assert stored.fields == {"a": "2", "b": "3", "user": "me@x"}


@pytest.mark.parametrize(("text", "no_delay"), [("nodelay=y", True), ("x=y", False)])
def test_a_refusal_without_delay(text: str, no_delay: bool) -> None:
    """nodelay, of default_fields and of what a database says."""
    for link in (
        Link(Database(driver="memory", default_fields=text), Users({"me": "x"})),
        Link(Database(driver="static"), StaticPasswords(f"password=x {text}")),
    ):
        chain = PasswordChain([link], report=lambda *_: None, report_fault=lambda *_: None)
        outcome = asyncio.run(chain.verify(LoginName("me"), LoginRequest(user="me"), Secret(b"wrong")))
        assert (outcome.right, outcome.no_delay) == (False, no_delay)


CHAINS = [
    ("the first that knows him", {}, {}, "1"),
    ("goes on", {"result_success": "continue-ok"}, {}, "2"),
    ("goes on, and is skipped", {"result_success": "continue-ok"}, {"skip": "found"}, "1"),
    ("is forgotten", {"result_success": "continue"}, {"result_success": "continue"}, ""),
    ("refused", {"result_success": "return-fail"}, {}, ""),
    ("nobody knew him", {"result_failure": "continue", "broken": "yes"}, {}, "2"),
    ("a fault ends it", {"result_internalfail": "return", "broken": "yes"}, {}, "fault"),
    ("a fault is no matter", {"result_internalfail": "return-ok", "broken": "yes"}, {}, "none"),
    ("asked only if there is one", {"broken": "yes"}, {"skip": "notfound"}, "fault"),
    ("the first is asked in any case", {"skip": "notfound"}, {}, "1"),
]


@pytest.mark.parametrize(("name", "first", "second", "home"), CHAINS, ids=[case[0] for case in CHAINS])
def test_userdbs_lead_on_by_their_rules(
    name: str, first: dict[str, str], second: dict[str, str], home: str
) -> None:
    """What a later one says of a field counts; a fault counts if nobody knows the user."""

    class Broken(Users):
        async def lookup(self, request: LoginRequest) -> Mapping[str, str] | None:
            raise DatabaseFault("out of order")

    links = []
    for number, rules in enumerate((dict(first), dict(second)), 1):
        kind = Broken if rules.pop("broken", "") else Users
        users = kind({"me@example.org": ""}, {"home": str(number), f"f{number}": "x"})
        settings = Database(driver="memory", override_fields=f"o{number}=y", **rules)  # type: ignore[arg-type]
        links.append(UserLink(settings, users))
    if home == "fault":
        with pytest.raises(DatabaseFault, match="out of order"):
            account(links, Owner("1", "1"))
        return
    found = account(links, Owner("1", "1", "none"))
    assert (found.home if found is not None else "") == home
    if name == "goes on":
        assert found is not None
        assert dict(found.fields) == {"f1": "x", "o1": "y", "f2": "x", "o2": "y"}


def test_userdbs_that_say_so_report_whom_they_do_not_know() -> None:
    """auth_verbose; and a fault that another database makes good."""
    told: list[tuple[str, str]] = []

    class Broken(Users):
        async def lookup(self, request: LoginRequest) -> Mapping[str, str] | None:
            raise DatabaseFault("out of order")

    chain = AccountChain(
        [
            UserLink(Database(driver="quiet"), Users({})),
            UserLink(Database(driver="loud"), Users({}), verbose=True),
            UserLink(Database(driver="broken"), Broken({})),
            UserLink(Database(driver="memory"), Users({"me": ""})),
        ],
        owner=Owner("1", "1"),
        report=lambda driver, _, reason: told.append((driver, reason)),
        report_fault=lambda driver, _, reason: told.append((driver, reason)),
    )
    assert asyncio.run(chain.account(LoginRequest(user="me"))) is not None
    assert told == [("loud", "unknown user"), ("broken", "out of order")]


@pytest.mark.parametrize(
    ("args", "password", "right"),
    [("password=x", "x", True), ("password=x", "y", False), ("nopassword=y", "y", True), ("", "", False)],
)
def test_static_passwords(args: str, password: str, right: bool) -> None:
    """One password for all, or none asked."""
    verdict = asyncio.run(StaticPasswords(args).verify(LoginRequest(user="x"), Secret(password.encode())))
    assert isinstance(verdict, PasswordRight) is right


def test_refusals_are_reported_by_the_databases_that_say_so() -> None:
    """auth_verbose, globally or for one database."""
    told: list[tuple[str, str]] = []
    quiet = Link(Database(driver="memory"), Users({"me": "x"}), verbose=False)
    loud = Link(Database(driver="memory"), Users({}))
    chain = PasswordChain(
        [quiet, loud],
        report=lambda driver, _, reason: told.append((driver, reason)),
        report_fault=lambda *_: None,
    )
    asyncio.run(chain.verify(LoginName("me"), LoginRequest(user="me"), Secret(b"wrong")))
    assert told == [("memory", "unknown user")]


def test_pam_tells_nothing_of_users() -> None:
    """What can be looked up is looked up; where all databases only check passwords, that is said."""

    def described(*links: Link) -> dict[str, str] | None:
        passwords = PasswordChain(links, report=lambda *_: None, report_fault=lambda *_: None)
        return asyncio.run(passwords.described(LoginRequest(user="me")))

    pam = Link(Database(driver="pam"), Users(ME))
    with pytest.raises(NoLookups, match="don't support credentials lookups"):
        described(pam)
    assert described(pam, link(Users(ME, {"nologin": "yes", "userdb_uid": "1"}))) == {"nologin": "yes"}

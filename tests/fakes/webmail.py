"""A browser for Roundcube: what a person clicks, said as the requests that its pages make.

DESCRIPTION
    `serve()` has PHP's own web server run Debian's Roundcube inside a host, with its settings in SQLite.
    `Webmail` logs in and keeps cookies and tokens as a browser does.  An answer of `ask()` is the list of calls that
    Roundcube's script would make in the page, without what no two answers share (tokens, ids, times).
"""

import http.client
import json
import re
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from fakes.host import Host

PORT: Final = 8080
_CONFIG: Final = """\
<?php
$config['db_dsnw'] = 'sqlite:////var/lib/roundcube/settings.db?mode=0600';
$config['imap_host'] = 'localhost:143';
$config['smtp_host'] = 'localhost:587';
$config['smtp_user'] = '%u';
$config['smtp_pass'] = '%p';
$config['mail_domain'] = 'tutorial.test';
$config['des_key'] = 'twenty-four-octets-long!';
$config['plugins'] = [];
$config['create_default_folders'] = true;
$config['log_driver'] = 'file';
$config['imap_debug'] = true;
$config['smtp_debug'] = true;
"""
_SCHEMA: Final = (
    "$db = new PDO('sqlite:/var/lib/roundcube/settings.db');"
    "$db->exec(file_get_contents('/usr/share/roundcube/SQL/sqlite.initial.sql'));"
)
_VOLATILE: Final = (
    # uniqid(mt_rand()) of PHP: a number of one to ten digits, and thirteen of the time.
    (re.compile(r"\b[0-9a-f]{14,}\b|\b[A-Za-z0-9]{32}\b"), "ID"),
    (re.compile(r"\b(Today|Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d:\d\d\b"), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?"), "TIME"),
    (re.compile(r" \([0-9.+ ]+ secs\)\.?"), ""),
    (re.compile(r'"(mtime|_t|unlock|parent_uid)":"?\d+"?'), r'"\1":0'),
)


def serve(host: Host) -> None:
    """Roundcube answers at PORT when this returns."""
    host.write("/etc/roundcube/config.inc.php", _CONFIG)
    host.output(f'php -r "{_SCHEMA.replace("$", chr(92) + "$")}"')
    root = "/var/lib/roundcube/public_html"
    host.output(f"nohup php -S 127.0.0.1:{PORT} -t {root} >/var/log/php.log 2>&1 &")
    host.until_answers(PORT)


class Webmail:
    """One person's browser."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._cookies: dict[str, str] = {}
        self._token = ""

    def log_in(self, user: str, password: str) -> bool:
        """Whether Roundcube has let us in."""
        self._remember(self.page("login"))
        form = {"_action": "login", "_user": user, "_pass": password, "_token": self._token}
        answer = self._request("POST", {"_task": "login"}, urlencode({"_task": "login", **form}))
        if answer.status != http.client.FOUND:
            return False
        self._remember(self.page("mail"))
        return True

    def log_out(self) -> None:
        """The session ends."""
        self.page("logout", _token=self._token)

    def page(self, task: str, action: str = "", **arguments: str) -> str:
        """A page as it comes to the browser, after redirections."""
        query = {"_task": task, **({"_action": action} if action else {}), **arguments}
        for _ in range(5):
            answer = self._request("GET", query)
            if answer.status != http.client.FOUND:
                return answer.body.decode()
            target = urlsplit(answer.location)
            query = {name: values[0] for name, values in parse_qs(target.query).items()}
        raise AssertionError(f"too many redirections: {query}")

    def raw(self, action: str, **arguments: str) -> bytes:
        """What is saved to a file: a message or a part."""
        return self._request("GET", {"_task": "mail", "_action": action, **arguments}).body

    def ask(self, action: str, *, task: str = "mail", **arguments: str) -> list[str]:
        """A request of the page's script, by GET: the calls it answers with."""
        query = {"_task": task, "_action": action, "_remote": "1", "_unlock": "0", **arguments}
        return _calls(self._request("GET", query).body)

    def tell(self, action: str, *, task: str = "mail", **arguments: str) -> list[str]:
        """The same by POST, for what changes something."""
        query = {"_task": task, "_action": action}
        form = urlencode({"_remote": "1", "_unlock": "0", **arguments})
        return _calls(self._request("POST", query, form).body)

    def submit(self, task: str, action: str, **fields: str) -> list[str]:
        """A form of a page: the calls of the script that comes back."""
        form = urlencode({"_token": self._token, "_task": task, "_action": action, **fields})
        return _calls(self._request("POST", {"_task": task, "_action": action}, form).body)

    def write(
        self, draft: Mapping[str, str], *, files: Mapping[str, bytes] | None = None, **how: str
    ) -> list[str]:
        """Compose a message (`how`: `_reply_uid` and the like), fill in what `draft` has, and send it."""
        page = self.page("mail", "compose", **how)
        values = dict(re.findall(r'<input type="hidden" name="(_\w+)" value="([^"]*)"', page))
        sender = re.search(r'<select name="_from".*?<option value="(\d+)"', page, re.DOTALL)
        quoted = re.search(r'<textarea name="_message"[^>]*>(.*?)</textarea>', page, re.DOTALL)
        subject = re.search(r'name="_subject"[^>]*value="([^"]*)"', page)
        identity = values["_id"]
        for name, content in (files or {}).items():
            self._upload(identity, name, content)
        fields = {
            "_id": identity,
            "_from": sender[1] if sender else "",
            "_store_target": "Sent",
            "_is_html": "0",
            "_framed": "1",
            "_subject": subject[1] if subject else "",
            "_message": quoted[1] if quoted else "",
            "_attachments": values.get("_attachments", ""),
            **draft,
        }
        return self.submit("mail", "send", **fields)

    def _upload(self, identity: str, name: str, content: bytes) -> None:
        query = {
            "_task": "mail",
            "_action": "upload",
            "_id": identity,
            "_uploadid": "upload1",
            "_remote": "1",
        }
        head = f'--x\r\nContent-Disposition: form-data; name="_attachments[]"; filename="{name}"\r\n'
        body = head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + content
        token = f'\r\n--x\r\nContent-Disposition: form-data; name="_token"\r\n\r\n{self._token}\r\n--x--\r\n'
        answer = self._request("POST", query, body + token.encode(), kind="multipart/form-data; boundary=x")
        assert b"add2attachment" in answer.body, answer.body

    def _remember(self, page: str) -> None:
        found = re.search(r'"request_token":"([^"]+)"', page)
        assert found is not None, page[:2000]
        self._token = found[1]

    def _request(
        self,
        method: str,
        query: Mapping[str, str],
        body: str | bytes | None = None,
        *,
        kind: str = "application/x-www-form-urlencoded",
    ) -> "_Answer":
        connection = http.client.HTTPConnection("localhost", PORT)
        connection.sock = self._host.connect(PORT)
        headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
            "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0",
            "Accept-Language": "en-US",
        }
        if self._token:
            headers["X-Roundcube-Request"] = self._token
        if body is not None:
            headers["Content-Type"] = kind
        connection.request(method, "/?" + urlencode(query), body, headers)
        response = connection.getresponse()
        for line in response.headers.get_all("Set-Cookie") or ():
            for name, morsel in SimpleCookie(line).items():
                if morsel.value in ("", "-del-"):
                    self._cookies.pop(name, None)
                else:
                    self._cookies[name] = morsel.value
        answer = _Answer(response.status, response.headers.get("Location", ""), response.read())
        connection.close()
        assert answer.status < http.client.INTERNAL_SERVER_ERROR, (query, answer.status, answer.body[-500:])
        return answer


class _Answer:
    def __init__(self, status: int, location: str, body: bytes) -> None:
        self.status, self.location, self.body = status, location, body


def _calls(body: bytes) -> list[str]:
    """The calls of the page's script: `this.NAME(…);` in an answer in JSON, or in a page."""
    text = body.decode()
    try:
        text = json.loads(text).get("exec", "")
    except ValueError:
        pass
    for pattern, replacement in _VOLATILE:
        text = pattern.sub(replacement, text)
    return re.findall(r"(?:this|parent\.rcmail|rcmail)\.\w+\(.*\);", text)

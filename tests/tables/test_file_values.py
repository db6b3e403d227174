"""Values that name files: postmap -F and tls_server_sni_maps."""

import base64
from pathlib import Path

import pytest

from pillarbox.tables.file_values import FileValueFault, decoded_files, encoded_files
from pillarbox.tables.opening import open_tables
from pillarbox.vocabulary.clock import ManualClock
from pillarbox.vocabulary.faults import ConfigurationFault


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """`a` and `b`, each with its name as content."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"{name}\n")
    return tmp_path


def test_the_content_of_all_files(files: Path) -> None:
    """Separated by commas, blanks or both; a line end between them."""
    for separator in (",", " ", ", ", "\n\t"):
        value = f"{files / 'a'}{separator}{files / 'b'}"
        assert decoded_files(encoded_files(value)) == b"a\n\nb\n"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (" , ", "empty pathname list: >> , <<'"),
        ("/no/such/file", "open /no/such/file: No such file or directory"),
    ],
)
def test_no_content(value: str, reason: str) -> None:
    """In Postfix's words."""
    with pytest.raises(FileValueFault) as fault:
        encoded_files(value)
    assert str(fault.value) == reason


@pytest.mark.parametrize("value", ["no-base64", "YQ", "YQ=\n=", "\udcff"])
def test_what_is_no_base64(value: str) -> None:
    """A table that was made without -F."""
    with pytest.raises(FileValueFault, match="malformed BASE64 value: "):
        decoded_files(value)


def test_tables_that_are_text_read_the_files_when_they_are_opened(files: Path) -> None:
    """Each kind; what cannot be read is left out of a file with a warning."""
    name = str(files / "a")
    (files / "text").write_text(f"key {name}\nlost /no/such/file\nnone ,\n")
    (files / "rules").write_text(f"/key/ {name}\n/lost/ /no/such/file\n")
    (files / "networks").write_text(f"192.0.2.1 {name}\n192.0.2.2 /no/such/file\n")
    warnings: list[str] = []
    tables = open_tables(
        (
            f"texthash:{files / 'text'}",
            f"regexp:{files / 'rules'}",
            f"cidr:{files / 'networks'}",
            f"inline:{{ key={name} }}",
            f"static:{name}",
            f"randmap:{{ {name} }}",
        ),
        where="",
        clock=ManualClock(),
        warn=warnings.append,
        files=True,
    )
    (files / "a").unlink()
    expected = base64.b64encode(b"a\n").decode()
    assert [table.query("192.0.2.1" if "cidr" in table.name else "key") for table in tables] == [expected] * 6
    assert [table.query("192.0.2.2" if "cidr" in table.name else "lost") for table in tables[:3]] == [
        None
    ] * 3
    missing = "open /no/such/file: No such file or directory"
    assert warnings == [
        f"{files}/text, line 2: {missing}: skipping this entry",
        f"{files}/text, line 3: empty pathname list: >>,<<': skipping this entry",
        f"regexp map {files}/rules, line 2: {missing}: skipping this rule",
        f"cidr map {files}/networks, line 2: {missing}: skipping this rule",
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("static:/no/such", "open /no/such: No such file or directory"),
        ("randmap:{ /no/such }", "open /no/such: No such file or directory"),
        (
            "inline:{ a=/no/such }",
            'open /no/such: No such file or directory: "inline:{ a=/no/such }"; need "inline:{name=filename...}"',
        ),
    ],
)
def test_main_cfs_own_tables_are_refused(name: str, reason: str) -> None:
    """With a file that cannot be read."""
    with pytest.raises(ConfigurationFault) as fault:
        open_tables((name,), where="", clock=ManualClock(), files=True)
    assert fault.value.what == reason

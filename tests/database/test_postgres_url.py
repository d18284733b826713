import ssl
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from orchestrator_tui.database.connection import open_database
from orchestrator_tui.database.postgres_url import SSL_MODES, PostgresAddress, read_postgres_url
from orchestrator_tui.domain.errors import SettingsError

SECRET = "s3cr3t"
BASE = f"postgresql://ada:{SECRET}@db.example.org:6543/main"


def read(parameters: str = "") -> PostgresAddress:
    return read_postgres_url(make_url(f"{BASE}?{parameters}" if parameters else BASE))


def said(parameters: str) -> dict[str, Any]:
    """What is left in the URL for asyncpg."""
    return dict(make_url(read(parameters).dsn).query)


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)


def test_user_password_host_port_and_name_stay_as_they_are() -> None:
    url = make_url(read().dsn)
    assert (url.drivername, url.username, url.password, url.host, url.port, url.database) == (
        "postgresql",
        "ada",
        SECRET,
        "db.example.org",
        6543,
        "main",
    )
    assert SECRET not in repr(read())


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require"])
def test_modes_that_verify_nothing_are_passed_on(mode: str) -> None:
    assert said(f"sslmode={mode}")["sslmode"] == mode
    assert "ssl" not in read(f"sslmode={mode}").arguments


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_modes_that_verify_need_a_certificate_to_verify_with(mode: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="needs a certificate") as refused:
        read(f"sslmode={mode}")
    assert "sslrootcert=system" in refused.value.hint
    certificate = tmp_path / "root.crt"
    certificate.touch()
    assert said(f"sslmode={mode}&sslrootcert={certificate}")["sslmode"] == mode
    (tmp_path / ".postgresql").mkdir()
    certificate.rename(tmp_path / ".postgresql" / "root.crt")
    assert said(f"sslmode={mode}")["sslmode"] == mode


def test_all_modes_of_libpq_are_known() -> None:
    assert set(SSL_MODES) == {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}


@pytest.mark.parametrize(
    "parameters",
    ["sslmode=verify-full&sslrootcert=system", "sslrootcert=system", "sslmode=require&channel_binding=require"],
)
def test_the_certificates_of_the_system_verify_server_and_name(parameters: str) -> None:
    context = read(parameters).arguments["ssl"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert not {"sslmode", "sslrootcert", "channel_binding"} & said(parameters).keys()


@pytest.mark.parametrize(
    ("parameters", "mode"), [("requiressl=1", "require"), ("ssl=true", "require"), ("ssl=false", "disable")]
)
def test_other_ways_to_ask_for_encryption(parameters: str, mode: str) -> None:
    assert said(parameters)["sslmode"] == mode


@pytest.mark.parametrize(
    ("parameters", "pooled"),
    [
        ("pgbouncer=true", True),
        ("pooler=true", True),
        ("prepared_statement_cache_size=0", True),
        ("statement_cache_size=0", True),
        ("pgbouncer=false", False),
        ("statement_cache_size=100", False),
        ("", False),
    ],
)
def test_a_pooler_is_told_in_the_words_of_providers_and_drivers(parameters: str, pooled: bool) -> None:
    assert read(parameters).pooled is pooled
    assert set(make_url(read(parameters).dsn).query) == {"application_name"}


@pytest.mark.parametrize(("value", "seconds"), [("30", 30), ("1", 2), ("0", 10)])
def test_the_time_to_connect_is_that_of_the_url(value: str, seconds: float) -> None:
    assert read(f"connect_timeout={value}").arguments["timeout"] == seconds
    assert read().arguments["timeout"] == 10


def test_what_libpq_knows_and_changes_nothing_here_is_left_out() -> None:
    harmless = "keepalives=1&keepalives_idle=30&client_encoding=utf8&gssencmode=disable&channel_binding=prefer&sslsni=1"
    assert set(said(harmless)) == {"application_name"}


def test_the_server_is_told_who_it_is_and_gets_its_own_settings() -> None:
    assert said("")["application_name"] == "orchestrator-tui"
    assert said("application_name=mine")["application_name"] == "mine"
    assert said("options=-c%20search_path%3Dx")["options"] == "-c search_path=x"


@pytest.mark.parametrize(
    "parameters",
    [
        "sslmode=on",
        "sslmode=require&sslrootcert=system",
        "sslrootcert=system&sslcert=/nowhere",
        "require_auth=scram-sha-256",
        "gssencmode=require",
        "connect_timeout=soon",
        "pgbouncer=perhaps",
        "statement_cache_size=-1",
        "hostaddr=10.0.0.1",
        "schema=public",
    ],
)
async def test_what_cannot_be_honoured_is_refused_before_anything_is_opened(parameters: str) -> None:
    with pytest.raises(SettingsError) as refused:
        async with open_database(f"{BASE}?{parameters}"):
            pass
    assert refused.value.hint
    assert SECRET not in refused.value.line()

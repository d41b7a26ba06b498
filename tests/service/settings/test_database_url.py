"""A database's URL is judged when settings are read, and no part of its password is told."""

import pytest

from anabranch.service.settings import BadSettings, read_settings


def refusal(url: str) -> str:
    with pytest.raises(BadSettings, match=r"^ANABRANCH_DATABASE: ") as refused:
        read_settings(database=url)
    return str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%2F%23%3F%40@host:5432/jobs",
        "postgres://u@[::1]/jobs",
        "postgresql+asyncpg://u:p@host/jobs?ssl=require&prepared_statement_cache_size=0",
        "postgresql:///jobs?host=/var/run/postgresql&user=u&password=p",
        "postgresql://u:p@/jobs?host=one,two&port=5432,5433&target_session_attrs=read-write",
        "postgresql://u:p@host/jobs?sslmode=verify-full&sslrootcert=/a.crt&sslcert=/b.crt&sslkey=/b.key",
        "postgresql://u:p@host/jobs?sslmode=require&connect_timeout=3&application_name=a&options=-c%20geqo%3Doff",
    ],
)
def test_what_managed_databases_hand_out_is_taken(url: str) -> None:
    assert read_settings(database=url).database == url


@pytest.mark.parametrize(
    "authority",
    [
        "u:Hunter2/xyz@host:5432",
        "u:12/Hunter2@host:5432",
        "u:Hunter2#xyz@host:5432",
        "u:12#Hunter2@host:5432",
        "u:12?Hunter2=xyz@host:5432",
        "u:xyz@Hunter2@host:5432",
        "u:xyz@abc/Hunter2@host:5432",
        "u:xyz@abc?Hunter2=1@host:5432",
        "u:[Hunter2@host:5432",
        "u:Hunter2\u2100@host:5432",
        "Hunter2:p@host:x5432",
    ],
)
def test_a_password_that_cuts_the_url_is_not_told(authority: str) -> None:
    told = refusal(f"postgresql://{authority}/jobs")
    assert "Hunter2" not in told
    assert "there is no host or no port where one should be" in told
    assert "%2F %23 %3F %40" in told


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("sslmode=always", "sslmode is one of disable, allow, prefer, require, verify-ca, verify-full"),
        ("ssl=true", "ssl is one of disable"),
        ("sslmode=verify-full", "sslmode=verify-full wants sslrootcert=FILE, too"),
        ("target_session_attrs=best", "target_session_attrs is one of any, primary"),
        ("connect_timeout=0", "connect_timeout is a whole number, at least 1"),
        ("connect_timeout=inf", "connect_timeout is a whole number"),
        ("prepared_statement_cache_size=few", "prepared_statement_cache_size is a whole number"),
        ("port=http", "port is a number"),
        (
            "channel_binding=require",
            "its query cannot ask for 'channel_binding', only for application_name, ",
        ),
        ("keepalives=1", "its query cannot ask for 'keepalives'"),
    ],
)
def test_what_its_query_cannot_ask_for_is_refused_by_name(query: str, why: str) -> None:
    told = refusal(f"postgresql://u:Hunter2@host/jobs?{query}")
    assert why in told
    assert "Hunter2" not in told
    assert "\n" not in told

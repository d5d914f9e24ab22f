"""What of a text is hidden."""

from __future__ import annotations

import pytest

from lengthwise.credentials import hide_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:s3cret@host:5432/runs", "postgresql://me:***@host:5432/runs"),
        ("postgresql://me:s/3:c@ret@host/runs", "postgresql://me:***@host/runs"),
        ("mysql+pymysql://:s3cret@host", "mysql+pymysql://:***@host"),
        ("http://s3cret@host/path", "http://***@host/path"),
        ("HTTPS://me:s3cret@host", "HTTPS://me:***@host"),
        ("http://host/?password=s3cret&page=2", "http://host/?password=***&page=2"),
        ("http://host/?page=2&api_key=s3cret#top", "http://host/?page=2&api_key=***#top"),
        ("mssql://host/db?PWD=s3cret;UID=me", "mssql://host/db?PWD=***;UID=me"),
        ("http://host/?X-Amz-Signature=s3cret", "http://host/?X-Amz-Signature=***"),
        ("http://host/?access_token=s3cret, then text", "http://host/?access_token=*** then text"),
        ('{"uri": "http://me:s3cret@host", "x": "a@b"}', '{"uri": "http://me:***@host", "x": "a@b"}'),
        ("uri=http://me:s3cret@host mail=me@home", "uri=http://me:***@host mail=me@home"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("postgresql://me@host/runs", "postgresql://me@host/runs"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("no address at all: a@b", "no address at all: a@b"),
    ],
)
def test_credentials_are_hidden_and_nothing_else_is(text: str, shown: str) -> None:
    assert hide_credentials(text) == shown
    assert hide_credentials(shown) == shown

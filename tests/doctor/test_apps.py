"""`facet doctor --app`: blocks with this installation's values, and refusals of what would betray an application."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from conf.schema import Settings
from doctor.apps import block, key_command, names, read_app
from doctor.place import find_place
from doctor.refusals import refusals
from tests.doctor.test_checks import doctor

S3 = {"s3_host": "s3.example.com"}
FLIPS = ["akkoma", "mastodon", "misskey", "peertube", "pixelfed", "pleroma"]


def settings(bucket: str = "media", nginx: dict[str, Any] | None = None, **site: Any) -> Settings:
    """An installation with one media site."""
    whole = {"name": "media", "host": "media.example.com", "bucket": bucket} | site
    return Settings.model_validate({"sites": [whole], "nginx": nginx or S3 | {"media_hosts": ["all.example.com"]}})


def against(app: str, conf: Settings) -> str:
    """The refusals, as one text."""
    read = read_app(app)
    return "\n".join(refusals(read, find_place(conf, app, read.bucket, None, None)))


@pytest.mark.parametrize("app", names())
def test_every_application_has_a_block_for_a_usual_installation(app: str) -> None:
    read = read_app(app)
    kind = {"kind": "website"} if app == "static-site" else {}
    conf = settings(read.bucket, **kind) if read.reads == "site" else settings()
    place = find_place(conf, app, read.bucket, None, None)
    assert list(refusals(read, place)) == []
    text = block(read, place)
    assert "$" not in text
    assert "s3.example.com" in text
    assert "#if" not in text
    if read.format == "yaml":
        assert isinstance(yaml.safe_load(text), dict)
    if read.format == "toml":
        assert tomllib.loads(text)
    if read.format == "env":
        assert all("=" in line for line in text.strip().split("\n"))


@pytest.mark.parametrize("app", FLIPS)
def test_a_site_that_reads_with_a_key_is_refused_where_acls_hide_files(app: str) -> None:
    read = read_app(app)
    assert "would go on showing them" in against(app, settings(read.bucket, access="key"))
    assert against(app, settings(read.bucket)) == ""


def test_a_second_bucket_counts_too() -> None:
    assert "would go on showing them" in against("peertube", settings("web-videos", access="key"))


@pytest.mark.parametrize("app", [each for each in names() if read_app(each).reads == "endpoint"])
def test_a_site_that_shows_private_files_with_a_key_is_refused(app: str) -> None:
    assert "to everybody" in against(app, settings(read_app(app).bucket, access="key"))


@pytest.mark.parametrize(
    ("app", "conf", "sentence"),
    [
        ("mastodon", Settings.model_validate({"nginx": S3}), "no site shows bucket mastodon"),
        ("peertube", Settings.model_validate({"nginx": S3}), "set nginx.media_hosts"),
        ("mastodon", settings("mastodon", kind="website"), "is of kind website"),
        ("static-site", settings("www"), 'needs kind = "website"'),
        ("mastodon", settings("mastodon", dialect="pict-rs"), "remove dialect"),
        ("mastodon", settings("mastodon", cors=""), "has cors"),
        ("mastodon", settings("mastodon", referers=["example.com"]), "remove referers"),
        (
            "peertube",
            settings(nginx={"media_hosts": ["m.example.com"], "max_body": "50MiB"}),
            "nginx.max_body is 50 MiB",
        ),
        ("ejabberd", settings("ejabberd", nginx={"media_hosts": ["m.example.com"]}), "without its port"),
        ("ente", Settings(), "upload to the S3 endpoint themselves"),
        ("s3cmd", Settings.model_validate({"nginx": S3, "origin": {"sigv2": False}}), "origin.sigv2 = true"),
    ],
)
def test_settings_that_would_betray_an_application_are_refused_with_a_reason(
    app: str, conf: Settings, sentence: str
) -> None:
    assert sentence in against(app, conf)


def test_a_prefix_is_part_of_the_alias() -> None:
    conf = settings("mastodon", prefix="/system")
    text = block(read_app("mastodon"), find_place(conf, "mastodon", "mastodon", None, None))
    assert "S3_ALIAS_HOST=media.example.com/system\n" in text


def test_without_a_site_the_bucket_is_below_the_default_one() -> None:
    conf = Settings.model_validate({"nginx": S3 | {"media_hosts": ["m.example.com"]}})
    text = block(read_app("mastodon"), find_place(conf, "mastodon", "mastodon", None, None))
    assert "S3_ALIAS_HOST=m.example.com/mastodon\n" in text


def test_secrets_are_printed_only_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "facet.toml").write_text(
        '[nginx]\ns3_host = "s3.example.com"\n[[sites]]\nname = "media"\nhost = "media.example.com"\n'
        'bucket = "mastodon"\npurge_secret = "a-purge-secret"\n'
    )
    (tmp_path / "key.json").write_text(json.dumps({"access_key": "FACETKEY", "secret_key": "the-secret-itself"}))
    words = ["--config", str(tmp_path / "facet.toml"), "--app", "mastodon", "--key", str(tmp_path / "key.json")]
    hidden = doctor(*words, code=0)
    assert "AWS_ACCESS_KEY_ID=FACETKEY\n" in hidden["block"]
    assert "AWS_SECRET_ACCESS_KEY=SECRET_KEY\n" in hidden["block"]
    assert "CACHE_BUSTER_SECRET=PURGE_SECRET\n" in hidden["block"]
    assert "secret-itself" not in json.dumps(hidden)
    assert "a-purge-secret" not in json.dumps(hidden)
    shown = doctor(*words, "--show-secret", code=0)
    assert "AWS_SECRET_ACCESS_KEY=the-secret-itself\n" in shown["block"]
    assert "CACHE_BUSTER_SECRET=a-purge-secret\n" in shown["block"]


def test_a_refusal_prints_no_block(tmp_path: Path) -> None:
    (tmp_path / "facet.toml").write_text(
        '[[sites]]\nname = "media"\nhost = "media.example.com"\nbucket = "mastodon"\naccess = "key"\n'
    )
    told = doctor("--config", str(tmp_path / "facet.toml"), "--app", "mastodon", code=1)
    assert told["block"] == ""
    assert len(told["refused"]) == 1


def test_the_key_of_restic_can_only_add() -> None:
    conf = settings()
    command = key_command(read_app("restic"), "restic", find_place(conf, "restic", "restic", None, None))
    assert command == "facet key add --owner restic --bucket restic --allow read,create-only --allow-delete locks/"

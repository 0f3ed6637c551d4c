"""docs/operations.md: the commands of a migration are run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.origin.api.conftest import Origin
from tests.origin.migrate.conftest import NewSource, client, migrate

PAGE = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
SECTION = PAGE.partition("## Coming from another S3 service\n")[2].partition("\n## ")[0]


def test_every_command_of_the_section_works(moto: NewSource, target: Origin) -> None:
    source = moto()
    source.s3.put_object(Bucket=source.bucket, Key="k", Body=b"body")
    ran = 0
    for line in re.findall(r"^    facet migrate (.*)$", SECTION, re.MULTILINE):
        words = line.split()
        assert words[:5] == ["s3://mastodon", "--from", "https://s3.example.com", "--to", "mastodon"]
        assert migrate(target.data, source, "mastodon", *words[5:])["failed"] == 0
        ran += 1
    assert ran == len(re.findall("facet migrate", SECTION)) >= 3
    assert client(target.url).get_object(Bucket="mastodon", Key="k")["Body"].read() == b"body"

"""Settings of the website endpoints."""

from __future__ import annotations

from pydantic import Field

from conf.section import Section
from conf.values import Host


class Website(Section):
    """Website endpoints of the origin: buckets with a website configuration, served as pages to anonymous readers."""

    domains: tuple[Host, ...] = Field(
        (),
        description="Base domains of website endpoints (`BUCKET.DOMAIN`), such as s3-website.example.com. They are "
        "never buckets.",
    )
    hosts: tuple[Host, ...] = Field(
        (), description="Hosts whose whole name is the name of a bucket that is served as a website."
    )

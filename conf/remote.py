"""Settings of the remote tier, which several edges share."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from conf.section import Section
from conf.values import Seconds


def parse_remote(value: str) -> str:
    """A redis or rediss URL with a host, and a database's number as its path.

    Raises ValueError otherwise.
    """
    parts = urlsplit(value)
    number = parts.path.strip("/")
    if parts.scheme not in ("redis", "rediss") or not parts.hostname or (number and not number.isdigit()):
        raise ValueError("must be a URL such as redis://127.0.0.1:6379/0")
    _ = parts.port
    return value


RemoteUrl = Annotated[str, AfterValidator(parse_remote)]


class Remote(Section):
    """The remote tier: renderings that the edges of several nodes share in a Redis or Valkey (extra `remote`)."""

    url: RemoteUrl | None = Field(
        None,
        repr=False,
        description="Where it is, such as redis://:PASSWORD@10.0.0.5:6379/0, or rediss://… over TLS; without it there "
        "is none.",
    )
    keep: Seconds = Field(7 * 86_400, gt=0, description="How long a rendering stays there unless evicted, in seconds.")

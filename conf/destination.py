"""Where event notifications of buckets go."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from conf.section import Section


class Destination(Section):
    """A webhook for event notifications (docs/notifications.md): buckets name its ARN, events are posted to its URL."""

    arn: str = Field(
        pattern=r"^arn:[a-z-]+:(sns|sqs|lambda):[a-z0-9-]*:[A-Za-z0-9-]*:[A-Za-z0-9_.:$-]{1,256}$",
        description="The name that buckets use, such as arn:aws:sqs:us-east-1:000000000000:uploads.",
    )
    url: str = Field(
        description="The http or https URL that events are posted to. A private address may be written here; a host "
        "name that leads to one needs private."
    )
    token: str | None = Field(
        None, min_length=1, repr=False, description="The whole value of the Authorization header that is sent."
    )
    secret: str | None = Field(
        None, min_length=16, repr=False, description="The key of the signature in X-Facet-Signature (HMAC-SHA256)."
    )
    private: bool = Field(False, description="The URL's host name may lead to private addresses.")

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
            raise ValueError(
                "must be an http or https URL without user or fragment, such as https://hooks.example.com/s3"
            )
        _ = parts.port
        return value

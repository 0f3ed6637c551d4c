"""Settings of the encryption that clients ask for by name; what is sealed anyway is `origin.seal`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from conf.section import Section

KeyName = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9:/_.@=+-]+$")]


class Encryption(Section):
    """Which KMS keys there are, and where customers' keys (SSE-C) are taken."""

    kms_keys: tuple[KeyName, ...] = Field(
        (),
        description="The KMS keys that writes may name (SSE-KMS), each made of the store's own keys. Objects under a"
        " name that is taken away cannot be read until it is back. `alias/aws/s3` is always there.",
    )
    sse_c_over_http: bool = Field(
        False,
        description="Take customers' keys (SSE-C) over plain HTTP too. For tests alone: AWS wants HTTPS.",
    )

"""The one error that the S3 rules of the wire raise.

The rule of this file: a refusal carries S3's own code name and a sentence for the person who reads it; which
HTTP status belongs to a code is the protocol's business, not the wire's.
"""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):
    """A request that S3 refuses.

    `code` is the name in AWS's list of error responses
    (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html); `detail` becomes further elements of
    the error's XML, in order.
    """

    def __init__(self, code: str, message: str, /, **detail: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.detail: Mapping[str, str] = detail

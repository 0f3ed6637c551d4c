"""What a handler gets and what it gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from conf.schema import Origin
from origin.api.s3 import xml
from origin.api.s3.body import Body
from origin.api.s3.customer import OWN, customer_key
from origin.api.s3.hosts import Hosts
from origin.service.model import Caller, CustomerKey
from origin.service.operations import Operation
from origin.service.reading import Reading
from origin.service.service import Service
from wire.refusals import Refusal

MAX_PARTS = 10_000


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One authenticated request. Headers are by lower-case name and include those hoisted into a signed query."""

    service: Service
    settings: Origin
    hosts: Hosts
    operation: Operation
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    caller: Caller
    signed: bool
    region: str
    """The region of the signature's scope, "" where there is none."""
    now: float
    """When the request came, in seconds since 1970."""
    body: Body
    location: str
    """The raw path as sent."""

    def integer(self, name: str, default: int, largest: int = 2_147_483_647) -> int:
        """A numeric query parameter between 0 and `largest`. Raises Refusal (InvalidArgument)."""
        value = self.query.get(name)
        if not value:
            return default
        if not (value.isascii() and value.isdigit() and len(value) <= 10) or int(value) > largest:
            raise Refusal(
                "InvalidArgument",
                f"Argument {name} must be an integer between 0 and {largest}",
                ArgumentName=name,
                ArgumentValue=value,
            )
        return int(value)

    def customer(self, prefix: str = OWN) -> CustomerKey | None:
        """The customer's key that the request carries, None without one. Raises Refusal as `customer_key` does."""
        allowed = self.caller.secure or self.service.settings.encryption.sse_c_over_http
        return customer_key(self.headers, allowed=allowed, prefix=prefix)

    def part_number(self) -> int | None:
        """The query's partNumber, None without one. Raises Refusal (InvalidArgument) if it is out of bounds."""
        value = self.query.get("partNumber")
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 5 and 1 <= int(value) <= MAX_PARTS):
            raise Refusal(
                "InvalidArgument",
                f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive",
                ArgumentName="partNumber",
                ArgumentValue=value,
            )
        return int(value)


@dataclass(frozen=True, slots=True)
class Finished:
    """A root element without prolog, and headers that are sent where the head has not gone out before."""

    element: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pending:
    """A result that may take long: the client is kept waiting with white space inside a 200."""

    result: Awaitable[Finished]


class Answer(msgspec.Struct, frozen=True):
    """A status, headers, and a body: bytes, a read in progress, or something pending."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes | Reading | Pending = b""


Handler = Callable[[Call], Awaitable[Answer]]

XML_TYPE = {"Content-Type": "application/xml"}


def xml_answer(root: str, items: list[xml.Item]) -> Answer:
    """200 with a document in S3's namespace."""
    return Answer(200, XML_TYPE, xml.document(root, items))

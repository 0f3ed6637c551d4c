"""Step 3 of a write: what the client said of the body, against what came.

The rule of this file: every value the client gave is compared, and one that does not hold refuses the whole body.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from msgspec.structs import replace

from origin.service.model import Expected, ServiceError
from wire import checksums

DEFAULT = "CRC64NVME"
"""What S3 computes where the client chose no checksum
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html)."""


def with_checksum(expected: Expected, algorithm: str | None) -> Expected:
    """`expected`, with `algorithm` computed beside what the client gave; None is the default, and only if it gave none.

    Raises ServiceError InvalidRequest where the client gave another algorithm than its upload chose.
    """
    given = (*expected.checksums, *expected.algorithms)
    if algorithm is None:
        return expected if given else replace(expected, algorithms=(DEFAULT,))
    other = [name for name in given if name != algorithm]
    if other:
        raise ServiceError(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {algorithm.lower()}, actual checksum Type: "
            f"{other[0].lower()}",
        )
    return expected if given else replace(expected, algorithms=(algorithm,))


@dataclass(slots=True)
class BodyDigests:
    """MD5, the checksums of `algorithms`, and SHA-256 where `sha256` asks for it.

    Raises ServiceError InvalidRequest for an algorithm that is not known.
    """

    algorithms: tuple[str, ...]
    sha256: bool
    md5: hashlib._Hash = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))
    running: dict[str, checksums.Checksum] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.algorithms:
            algorithm = checksums.for_name(name)
            if algorithm is None:
                raise ServiceError("InvalidRequest", f"The checksum algorithm {name} is not known.")
            self.running[algorithm.name] = algorithm.start()
        if self.sha256 and "SHA256" not in self.running:
            self.running["SHA256"] = hashlib.sha256()

    def update(self, data: memoryview) -> None:
        """Take in the next bytes of the body."""
        self.md5.update(data)
        for checksum in self.running.values():
            checksum.update(data)  # type: ignore[arg-type]  # every algorithm takes any buffer

    def check(self, size: int, expected: Expected) -> dict[str, str]:
        """The checksums to keep. Raises ServiceError where anything the client said does not hold."""
        if expected.length is not None and size != expected.length:
            raise ServiceError("IncompleteBody", "The body has not the length that was announced.", size=size)
        if expected.md5 is not None and expected.md5 != self.md5.digest():
            raise ServiceError("BadDigest", "The Content-MD5 you specified did not match what we received.")
        digests = {name: checksum.digest() for name, checksum in self.running.items()}
        if expected.sha256 is not None and expected.sha256.lower() != digests["SHA256"].hex():
            raise ServiceError(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
        computed = {name: checksums.encode(digest) for name, digest in digests.items()}
        for name, value in (*expected.checksums.items(), *expected.late().items()):
            if computed.get(name) != value.strip():
                raise ServiceError("BadDigest", f"The {name} you specified did not match the calculated checksum.")
        return {name: value for name, value in computed.items() if name in self.algorithms}

"""Cross-origin rules of a bucket: which request from another site's page is answered, and with which headers.

The rule of this file: rules are tried in order and the first that fits decides.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from origin.service.policy_conditions import glob

METHODS = ("GET", "PUT", "HEAD", "POST", "DELETE")
ANY = "*"
_VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


class CorsRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. Origins and headers hold at most one `*`; `max_age` is in seconds."""

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age: int | None = None
    id: str | None = None

    def answer(self, origin: str, asked: tuple[str, ...]) -> dict[str, str]:
        """The headers that answer a request of `origin`; `asked` are the headers that a preflight names."""
        everybody = ANY in self.origins
        found = {
            "Access-Control-Allow-Origin": ANY if everybody else origin,
            "Access-Control-Allow-Methods": ", ".join(self.methods),
            "Access-Control-Allow-Headers": ", ".join(asked),
            "Access-Control-Expose-Headers": ", ".join(self.exposed),
            "Access-Control-Max-Age": "" if self.max_age is None else str(self.max_age),
            "Access-Control-Allow-Credentials": "" if everybody else "true",
            "Vary": _VARY,
        }
        return {name: value for name, value in found.items() if value}


@lru_cache(maxsize=256)
def read_rules(document: str) -> tuple[CorsRule, ...]:
    """The rules as a bucket keeps them."""
    return msgspec.json.decode(document, type=tuple[CorsRule, ...])


def fitting(rules: tuple[CorsRule, ...], origin: str, method: str, asked: tuple[str, ...] = ()) -> CorsRule | None:
    """The first rule that allows `origin` the method and every header asked for."""
    for rule in rules:
        if (
            any(glob(pattern, origin) for pattern in rule.origins)
            and method in rule.methods
            and all(any(glob(pattern.lower(), name.lower()) for pattern in rule.headers) for name in asked)
        ):
            return rule
    return None

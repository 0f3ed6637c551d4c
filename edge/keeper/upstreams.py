"""Asking the upstream of a site: the right source, behind the breaker of its host."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import structlog

from conf.schema import Settings
from edge.keeper.breaker import Breakers
from edge.keeper.retries import RetryBudget
from edge.policy.reasons import DETAILS, Detail
from edge.policy.sites import Site
from edge.upstream.bucket import BucketSource, ForeignSource, KeyFile
from edge.upstream.http import HttpClient, UpstreamAnswer, UpstreamFailed
from edge.upstream.source import Source
from edge.upstream.web import WebSource

DEFAULT_ORIGIN = "http://127.0.0.1:9000"
_ERROR_BODY = 4096  # bytes of an error that are read to tell what it is about

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""What may be asked twice (RFC 9110 §9.2.2)."""

# Refusals of an object, as opposed to troubles of the upstream.
_MISSING = frozenset({400, 401, 403, 404, 410, 414})
_OF_PARTS = frozenset({206, 412, 416})
"""What else is said about an object of which a part was asked for."""

log = structlog.get_logger()


class Upstreams:
    """The upstreams of a node's sites."""

    def __init__(self, settings: Settings, client: HttpClient, key_file: KeyFile, breakers: Breakers) -> None:
        origin = settings.edge.origin or DEFAULT_ORIGIN
        self._client = client
        self._breakers = breakers
        self._buckets = {
            "anonymous": BucketSource(client, origin, key_file),
            "key": BucketSource(client, origin, key_file, own_rights=True),
        }
        self._retries = settings.guard.retries
        self._budgets: dict[str, RetryBudget] = {}
        self._others: dict[str, Source] = {}

    def take_over(self, settings: Settings) -> None:
        """Go on with new settings."""
        self._client.take_over(settings.edge)
        self._retries = settings.guard.retries
        self._budgets.clear()
        self._others.clear()

    @asynccontextmanager
    async def ask(
        self, site: Site, path: str, headers: Mapping[str, str], *, method: str = "GET", body: bytes = b""
    ) -> AsyncIterator[UpstreamAnswer]:
        """Ask for a source. The answer is one about the source: trouble of the upstream's own is UpstreamFailed.

        A transparent site's upstream answers each client by itself, whatever it said to others.
        """
        host = "origin" if site.upstream is None else urlsplit(site.upstream).netloc
        if site.behaviour.transparent:
            async with self._request(site, path, host, method, headers, body) as answer:
                if answer.status < 200:  # 101: nobody has asked for another protocol (RFC 9110 §7.8)
                    raise UpstreamFailed(Detail.UPSTREAM_MALFORMED, DETAILS[Detail.UPSTREAM_MALFORMED].meaning)
                yield answer
            return
        if not self._breakers.allows(host):
            raise UpstreamFailed(Detail.UPSTREAM_BREAKER_OPEN, DETAILS[Detail.UPSTREAM_BREAKER_OPEN].meaning)
        try:
            async with self._request(site, path, host, method, headers, body) as answer:
                if answer.status < 500:
                    self._breakers.succeeded(host)
                await _check(site, answer, headers)
                if answer.status >= 500:
                    self._breakers.failed(host)
                yield answer
        except UpstreamFailed:
            self._breakers.failed(host)
            raise

    @asynccontextmanager
    async def _request(
        self, site: Site, path: str, host: str, method: str, headers: Mapping[str, str], body: bytes
    ) -> AsyncIterator[UpstreamAnswer]:
        """Ask; ask once again where no answer began, if that can do no harm and the budget allows it."""
        budget = self._budgets.setdefault(host, RetryBudget(self._retries))
        budget.asked()
        async with AsyncExitStack() as stack:
            for again in (True, False):
                asking = self._source(site).request(method, site.source_target(path), headers, body)
                try:
                    answer = await stack.enter_async_context(asking)
                    break
                except UpstreamFailed as failed:
                    harmless = failed.detail is Detail.UPSTREAM_UNREACHABLE and method in _IDEMPOTENT
                    if not (again and harmless and self._breakers.allows(host) and budget.take()):
                        raise
                    log.info("upstream.retried", host=host, path=path)
            yield answer

    def _source(self, site: Site) -> Source:
        if site.upstream is None:
            return self._buckets[site.access]
        if site.name not in self._others:
            self._others[site.name] = (
                WebSource(
                    self._client,
                    site.upstream,
                    site.upstream_host,
                    site.upstream_proto,
                    transparent=site.behaviour.transparent,
                )
                if site.s3 is None
                else ForeignSource(self._client, site.upstream, site.s3)
            )
        return self._others[site.name]


async def _check(site: Site, answer: UpstreamAnswer, asked: Mapping[str, str]) -> None:
    """Raise UpstreamFailed for answers that say more about the upstream than about what was asked for."""
    status, part = answer.status, "range" in asked
    if part and status in _OF_PARTS:
        return
    if status < 200 or status == 206 or (status == 304 and (part or not asked)):
        raise UpstreamFailed(Detail.UPSTREAM_ERROR, f"the upstream answered {status}, which was not asked for")
    if not site.behaviour.hides_errors:
        return
    signed = site.at_bucket or (site.s3 is not None and site.s3.access_key is not None)
    if status == 403 and signed and not await _is_access_denied(answer):
        raise UpstreamFailed(Detail.UPSTREAM_ERROR, "the upstream does not accept the edge's key")
    if status not in (200, 304) and status not in _MISSING:
        raise UpstreamFailed(Detail.UPSTREAM_ERROR, f"the upstream answered {status}")


async def _is_access_denied(answer: UpstreamAnswer) -> bool:
    """Whether a 403 of the origin is about the object: any other code is about our key or clock."""
    body = b""
    async for block in answer.blocks():
        body += block
        if len(body) > _ERROR_BODY:
            break
    if b"<Code>" in body and b"<Code>AccessDenied</Code>" not in body:
        log.error("the upstream refuses the edge's key", answer=body[:_ERROR_BODY].decode("utf-8", "replace"))
        return False
    return True

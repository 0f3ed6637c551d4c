"""The S3 endpoint: one request, top to bottom.

The rule of this file: head first. Target, signature, row of the operation table and announced size are decided
before a byte of the body is asked for; then one handler answers, and every refusal becomes S3's XML here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

import structlog
from aiohttp.web import BaseRequest, StreamResponse
from msgspec.structs import replace

from conf.logs import AccessLog, safe_target
from conf.schema import Settings
from origin.api.peer import LOOPBACK, Peer, TrustedProxies
from origin.api.s3 import cors, errors, probes, reserved, switches, webpages
from origin.api.s3.authenticate import Claim, Identity, authenticate, hoisted
from origin.api.s3.body import Body
from origin.api.s3.call import XML_TYPE, Answer, Call
from origin.api.s3.context import LateContext
from origin.api.s3.handlers import HANDLERS
from origin.api.s3.headers import of_marker, of_object
from origin.api.s3.hosts import Hosts
from origin.api.s3.reply import Ids, send
from origin.api.s3.router import Route, demand_length, locate, route, split_target
from origin.api.s3.webpages import Visit
from origin.service.model import Caller, IsDeleteMarker, NotModified, ServiceError
from origin.service.service import Service
from wire import sigv2, sigv4
from wire.canonical import first_values
from wire.dates import http_date
from wire.fields import combine
from wire.ranges import unsatisfied_range
from wire.refusals import Refusal

DRAINABLE = 1024 * 1024
"""The most bytes of an unread body that are read and thrown away to keep a connection; more closes it."""


class Exchange:
    """One request on its way, and what is known about it so far."""

    def __init__(self, request: BaseRequest) -> None:
        self.request = request
        self.ids = Ids.new()
        self.operation: str | None = None
        self.identity: Identity | None = None
        self.error: str | None = None
        self.cors: Mapping[str, str] = {}

    @property
    def must_close(self) -> bool:
        """Whether what is left of the body makes the connection unusable for another request."""
        request = self.request
        if request.content.is_eof():
            return False
        if request.headers.get("Expect", "").lower() == "100-continue" and not request.content.total_bytes:
            return True
        length = request.content_length
        return length is None or length - request.content.total_bytes > DRAINABLE


class Endpoint:
    """Answers S3 requests with a service."""

    def __init__(self, service: Service, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._service = service
        self._settings = settings.origin
        self._hosts = Hosts(settings)
        self._proxies = TrustedProxies(settings.origin.trusted_proxies)
        self._access_log = AccessLog(settings.log, "origin")
        self._clock = clock
        self._requests: set[asyncio.Task[object]] = set()
        self._polls: set[asyncio.Task[object]] = set()
        self._draining = False

    async def drain(self, patience: float) -> None:
        """Let the requests in progress finish within `patience` seconds; each of them ends its connection.

        Long polls are ended at once, since they would only keep a stopping process waiting.
        """
        self._draining = True
        for poll in self._polls:
            poll.cancel()
        if self._requests:
            await asyncio.wait(self._requests, timeout=patience)

    async def handle(self, request: BaseRequest) -> StreamResponse:
        """Answer one request; never raises for anything a client can do."""
        _join(self._requests)
        started = asyncio.get_running_loop().time()
        exchange = Exchange(request)
        try:
            answer = await self._answer(exchange)
            response = await self._send(exchange, answer)
        except ConnectionError:
            raise  # the client has left: there is nobody to answer
        except Exception as error:  # every refusal, and every mistake of ours, becomes one answer here
            response = await self._send(exchange, self._refused(exchange, error))
        self._log(exchange, response, started)
        return response

    async def _answer(self, exchange: Exchange) -> Answer:
        request = exchange.request
        lines = [(_text(name), _text(value)) for name, value in request.raw_headers]
        headers = combine(lines)
        raw_path, raw_query = split_target(request.raw_path)
        website = self._hosts.website(headers.get("host", ""))
        if website is not None:
            return await self._answer_website(exchange, website, raw_path, raw_query, headers)
        query = first_values(raw_query)
        if request.method == "OPTIONS":
            exchange.operation = "preflight"
            return await cors.preflight(
                self._service, locate(raw_path, self._hosts.bucket(headers.get("host", "")))[0], headers
            )
        exchange.cors = await self._cors(request.method, raw_path, headers)
        demand_length(request.method, raw_path, query, headers, self._hosts)
        virtual = self._hosts.bucket(headers.get("host", ""))
        claim = self._claim(request.method, raw_path, raw_query, lines, virtual)
        if claim is not None and claim.presigned:
            headers |= hoisted(query)
        now = self._clock()
        context = LateContext(headers, query, now)
        peer = self._peer(request, headers)
        stranger = Caller(
            address=peer.address,
            secure=peer.secure,
            expected_owner=headers.get("x-amz-expected-bucket-owner"),
            request=exchange.ids.request,
            pays=headers.get("x-amz-request-payer", "").lower() == "requester",
            context=context,
        )
        identity = await authenticate(
            claim, headers, stranger, self._service.keys, now=now, skew=self._settings.clock_skew
        )
        context.identity = exchange.identity = identity
        if raw_path.startswith(reserved.PREFIX) and virtual is None:
            return await self._answer_reserved(exchange, raw_path, query)
        found = route(request.method, raw_path, query, headers, self._hosts)
        exchange.operation = found.operation.label
        return await self._answer_operation(exchange, found, headers, identity, raw_path)

    async def _cors(self, method: str, raw_path: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        """What pages of other sites need to see the answer, errors included. A path that names nothing needs none."""
        if "origin" not in headers:
            return {}
        try:
            bucket = locate(raw_path, self._hosts.bucket(headers.get("host", "")))[0]
        except Refusal:
            return {}
        return await cors.answered(self._service, bucket, method, headers)

    async def _answer_website(
        self, exchange: Exchange, bucket: str, raw_path: str, raw_query: str, headers: Mapping[str, str]
    ) -> Answer:
        """The page that a website endpoint answers with. Nobody signs there, so everybody is anonymous."""
        request, peer = exchange.request, self._peer(exchange.request, headers)
        exchange.operation = "website"
        if request.method == "OPTIONS":
            return await cors.preflight(self._service, bucket, headers)
        context = LateContext(headers, {}, self._clock())
        context.identity = exchange.identity = Identity(
            Caller(address=peer.address, secure=peer.secure, context=context), ""
        )
        exchange.cors = await cors.answered(self._service, bucket, request.method, headers)
        visit = Visit(
            service=self._service,
            caller=exchange.identity.caller,
            bucket=bucket,
            method=request.method,
            raw_path=raw_path,
            raw_query=raw_query,
            headers=headers,
            ids=exchange.ids,
        )
        answer, exchange.error = await webpages.answer(visit)
        return answer

    def _claim(
        self, method: str, raw_path: str, raw_query: str, lines: list[tuple[str, str]], bucket: str | None
    ) -> Claim | None:
        """Who the request says it is from, in either version of the signature. Raises Refusal."""
        old = sigv2.read_claim(method, raw_path, raw_query, lines, bucket=bucket) if self._settings.sigv2 else None
        return old or sigv4.read_claim(method, raw_path, raw_query, lines)

    async def _answer_operation(
        self, exchange: Exchange, found: Route, headers: Mapping[str, str], identity: Identity, raw_path: str
    ) -> Answer:
        call = Call(
            service=self._service,
            settings=self._settings,
            hosts=self._hosts,
            operation=found.operation,
            bucket=found.bucket,
            key=found.key,
            query=found.query,
            headers=headers,
            caller=identity.caller,
            signed=identity.signed,
            region=identity.chain.scope.region if identity.chain else "",
            now=self._clock(),
            body=Body(exchange.request, headers, identity, stall=self._settings.body_timeout),
            location=f"{'https' if identity.caller.secure else 'http'}://{headers.get('host', '')}{raw_path}",
        )
        handler = HANDLERS.get(found.operation.name)
        if handler is not None:
            if found.operation.configures:  # who may not is told so, and not what is wrong with the body
                await self._service.access.authorise(identity.caller, found.operation, found.bucket)
            answer = await handler(call)
            if not identity.caller.pays:
                return answer
            return replace(answer, headers={**answer.headers, **await switches.charged(call)})
        probe = probes.PROBES.get(found.operation.name)
        if probe is not None:
            return await probes.answer(call, probe)
        raise Refusal("NotImplemented", f"{found.operation.name} is not implemented.")

    async def _answer_reserved(self, exchange: Exchange, raw_path: str, query: Mapping[str, str]) -> Answer:
        exchange.operation = raw_path.removeprefix(reserved.PREFIX)
        if exchange.request.method not in ("GET", "HEAD"):
            raise Refusal("MethodNotAllowed", "The specified method is not allowed against this resource.")
        if raw_path == reserved.HEALTH:
            return reserved.health()
        if raw_path == reserved.FEED and exchange.identity is not None:
            _join(self._polls)
            return await reserved.feed(self._service, exchange.identity.caller, query)
        raise Refusal("NoSuchKey", "There is no such page.")

    async def _send(self, exchange: Exchange, answer: Answer) -> StreamResponse:
        return await send(
            exchange.request,
            answer,
            {**answer.headers, **exchange.cors, **exchange.ids.headers()},
            lambda error: self._error_document(exchange, error),
            close=exchange.must_close or self._draining,
            stall=self._settings.body_timeout,
        )

    def _peer(self, request: BaseRequest, headers: Mapping[str, str]) -> Peer:
        return self._proxies.peer(
            request.remote or LOOPBACK, headers.get("x-forwarded-for"), headers.get("x-forwarded-proto")
        )

    def _refused(self, exchange: Exchange, error: Exception) -> Answer:
        """The answer to a request that raised."""
        if isinstance(error, NotModified) and exchange.identity is not None:
            headers = of_object(error.info, exchange.identity.caller, checksums=False)
            del headers["Content-Type"]
            return Answer(304, headers)
        document = self._error_document(exchange, error)
        headers = dict(XML_TYPE)
        if isinstance(error, IsDeleteMarker):
            headers |= of_marker(error.version_id)
            if error.code == "MethodNotAllowed":
                headers |= {"Allow": "DELETE", "Last-Modified": http_date(error.created)}
        if exchange.error == "InvalidRange" and isinstance(error, ServiceError) and "size" in error.detail:
            headers["Content-Range"] = unsatisfied_range(int(error.detail["size"]))
        return Answer(errors.STATUS.get(exchange.error or "", 500), headers, document)

    def _error_document(self, exchange: Exchange, error: Exception) -> bytes:
        """The XML of an error, whose code is noted for the log. A mistake of ours tells no details."""
        if isinstance(error, Refusal | ServiceError) and error.code in errors.STATUS:
            code, message, detail = error.code, error.message, error.detail
        else:
            structlog.get_logger().error(
                "internal error", request_id=exchange.ids.request, operation=exchange.operation, exc_info=error
            )
            code, message, detail = "InternalError", "We encountered an internal error. Please try again.", {}
        exchange.error = code
        return errors.document(
            code,
            message,
            detail,
            resource=exchange.request.raw_path.partition("?")[0],
            request_id=exchange.ids.request,
            host_id=exchange.ids.host,
        )

    def _log(self, exchange: Exchange, response: StreamResponse, started: float) -> None:
        if not self._access_log.on:
            return
        request = exchange.request
        caller = exchange.identity.caller if exchange.identity else None
        self._access_log.write(
            request_id=exchange.ids.request,
            client=caller.address if caller else request.remote,
            key=caller.key.access_key if caller and caller.key else None,
            method=request.method,
            target=safe_target(request.raw_path),
            operation=exchange.operation,
            status=response.status,
            error=exchange.error,
            bytes=response.body_length,
            milliseconds=round((asyncio.get_running_loop().time() - started) * 1000, 1),
        )


def _join(tasks: set[asyncio.Task[object]]) -> None:
    """Count the current task among `tasks` until it ends, which is after its response has been written."""
    task = asyncio.current_task()
    assert task is not None, "a request is handled in a task of its own"
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")

"""Delivers event notifications: reads the feed for each destination and posts what it is to be told.

The rule of this file: in order and at least once. A destination has its own place in the feed, which moves, durably,
only after an answer of 2xx or when an event is given up; so another destination never waits for it, and after a crash
what may have been delivered is delivered again, with the same sequencer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import structlog
from aiohttp import ClientSession

from conf.destination import Destination
from origin.catalog.rows import EventRow
from origin.jobs.webhooks import NotDelivered, post, session
from origin.service.model import ServiceError
from origin.service.notifications import TEST, notice_of
from origin.service.records import Record, first_message, record
from origin.service.service import Service

PAGE = 100
"""Events of one look into the feed, and the most records of one message."""
FIRST_PAUSE = 1.0
"""The pause before something is tried again, in seconds; it doubles up to `notifications.backoff`."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message: a test, or records; `made` is when the oldest of it happened, `last` its last place in the feed."""

    message: Record
    made: float
    last: int


async def begin(service: Service) -> None:
    """Give every new destination its place in the feed, before there is anything to tell it. Raises ServiceError."""
    for destination in service.settings.destinations:
        await _place(service, destination)


async def run(service: Service) -> None:
    """Deliver until cancelled."""
    await asyncio.gather(*(_serve(service, destination) for destination in service.settings.destinations))


async def _serve(service: Service, destination: Destination) -> None:
    """Deliver to one destination until cancelled."""
    place: int | None = None
    async with session(destination, service.settings.notifications.timeout) as client:
        while True:
            try:
                if place is None:
                    place = await _place(service, destination)
                events = await service.feed.noticed(place, PAGE)
                for parcel in _parcels(service, destination, events):
                    await _deliver(service, client, destination, parcel)
                    await _move(service, destination, parcel.last)
                if not events:
                    return  # the service ends
                place = events[-1].position
            except ServiceError as error:
                _log.warning("notifications stopped", arn=destination.arn, reason=str(error.__cause__ or error))
                place = None
                await asyncio.sleep(FIRST_PAUSE)


def _parcels(service: Service, destination: Destination, events: list[EventRow]) -> Iterator[Parcel]:
    """What a destination is told of events, in their order; many records go in one message."""
    records: list[Record] = []
    made = 0.0
    for event in events:
        notice = notice_of(service.stores, event)
        told = [configuration for arn, configuration in notice.targets if arn == destination.arn]
        if notice.event == TEST:
            if records:
                yield Parcel({"Records": records}, made, event.position - 1)
                records = []
            if told:
                yield Parcel(first_message(event, notice), event.time, event.position)
            continue
        if told and not records:
            made = event.time
        records += [record(event, notice, configuration) for configuration in told]
    if records:
        yield Parcel({"Records": records}, made, events[-1].position)


async def _deliver(service: Service, client: ClientSession, destination: Destination, parcel: Parcel) -> None:
    """Post until it is taken, or too old."""
    limits, pause, tries = service.settings.notifications, FIRST_PAUSE, 0
    while True:
        now = service.stores.clock()
        try:
            await post(client, destination, parcel.message, now)
            return
        except NotDelivered as error:
            tries += 1
            if now - parcel.made > limits.give_up:
                _log.error("notification given up", arn=destination.arn, tries=tries, reason=str(error))
                return
            _log.warning("notification not delivered", arn=destination.arn, tries=tries, reason=str(error), next=pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, limits.backoff)


async def _place(service: Service, destination: Destination) -> int:
    """Where in the feed a destination is; one that was never told anything begins at the end."""
    kept = await service.feed.place(_name(destination))
    if kept is not None:
        return kept
    return await service.feed.keep_place(_name(destination), None)


async def _move(service: Service, destination: Destination, position: int) -> None:
    await service.feed.keep_place(_name(destination), position)


def _name(destination: Destination) -> str:
    return f"notified {destination.arn}"

"""Every setting there is, with its type, default, unit and the sentence that documents it; groups of their own kind
are in modules beside this one.

The rule of this file: a setting that is not named here does not exist. `load.py` fills these models from defaults,
a TOML file and FACET_… variables; `docs/configuration.md` and the example file are made from the descriptions below.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from conf.destination import Destination
from conf.encryption import Encryption
from conf.guard import Guard
from conf.notifications import Notifications
from conf.remote import Remote
from conf.remote import RemoteUrl as RemoteUrl
from conf.section import Section
from conf.site import Preset as Preset
from conf.site import SignKey as SignKey
from conf.site import Site as Site
from conf.site import SiteKind as SiteKind
from conf.values import GIB as GIB
from conf.values import KIB as KIB
from conf.values import MIB as MIB
from conf.values import TIB as TIB
from conf.values import Address as Address
from conf.values import HeaderName as HeaderName
from conf.values import Host as Host
from conf.values import Ip as Ip
from conf.values import Network as Network
from conf.values import Prefix as Prefix
from conf.values import Seconds as Seconds
from conf.values import Size as Size
from conf.values import Upstream as Upstream
from conf.website import Website


class Log(Section):
    """What the processes write to stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe event that is written."
    )
    format: Literal["auto", "json", "console"] = Field(
        "auto",
        description="`json` is one object a line; `console` is for people; `auto` is `console` on a terminal.",
    )
    access: bool = Field(True, description="Write one line for each request.")


class Origin(Section):
    """The S3 origin: where applications write."""

    listen: Address = Field("127.0.0.1:9000", description="Where the S3 API listens; port 0 takes a free one.")
    hosts: tuple[Host, ...] = Field(
        (),
        description="Further names the origin is reached by (such as the S3 host in nginx). They are never buckets.",
    )
    domains: tuple[Host, ...] = Field(
        (),
        description="Base domains for virtual-host style (`BUCKET.DOMAIN`). They are never buckets themselves.",
    )
    bucket_hosts: tuple[Host, ...] = Field((), description="Hosts whose whole name is the name of a bucket.")
    region: str = Field(
        "us-east-1",
        min_length=1,
        description="The region that GetBucketLocation and HeadBucket answer; signatures may name any region.",
    )
    max_object: Size = Field(5 * TIB, ge=1, description="The largest object, in bytes, however it is uploaded.")
    max_put: Size = Field(5 * GIB, ge=1, description="The largest body of one PUT or part, in bytes.")
    max_metadata: Size = Field(2 * KIB, description="The largest user metadata of an object, in bytes (AWS: 2 KiB).")
    clock_skew: Seconds = Field(900, description="How far a client's clock may be off, in seconds (AWS: 900).")
    sigv2: bool = Field(
        True,
        description="Accept AWS Signature Version 2 too: boto3 presigns with it where no region is set.",
    )
    min_part: Size = Field(5 * MIB, description="The least size of every part but the last, in bytes (AWS: 5 MiB).")
    inline: Size = Field(16 * KIB, le=MIB, description="Bodies up to this many bytes are kept, sealed, in the catalog.")
    seal: bool = Field(True, description="Encrypt what is stored. Sealed and plain blobs can live side by side.")
    sync: bool = Field(
        True,
        description="Wait for the disk before a write is acknowledged. Off is for measurements: power cuts lose data.",
    )
    grace: Seconds = Field(600, description="How long bytes nobody refers to stay before collection, in seconds.")
    reserve: Size = Field(
        256 * MIB,
        description="Free space below which writes are refused, so that deletes and collection go on.",
    )
    scrub_rate: Size = Field(
        4 * MIB,
        description="Bytes a second that the background scrub reads to verify what is stored; 0 switches it off.",
    )
    scrub_every: Seconds = Field(
        30 * 24 * 3600, description="How old the last verification of a blob gets before the next, in seconds."
    )
    lifecycle_day: Seconds = Field(
        86_400,
        gt=0,
        description="How long a day of lifecycle rules lasts, in seconds. For tests alone; object lock ignores it.",
    )
    body_timeout: Seconds = Field(
        60, gt=0, description="How long a body may stand still before the request is ended, in seconds."
    )
    trusted_proxies: tuple[Network, ...] = Field(
        ("127.0.0.0/8", "::1/128"),
        description="Peers whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    )


class Blobs(Section):
    """Where the origin keeps stored bytes: on its disk, or in a bucket of any S3 service. They are sealed before."""

    store: Literal["disk", "s3"] = Field("disk", description="`disk` is the data folder, `s3` the bucket named here.")
    move_from: Literal["disk", "s3"] | None = Field(
        None, description="The store that `facet blobs move` empties; until it is done, blobs are read from both."
    )
    endpoint: Upstream | None = Field(None, description="The S3 service's URL; without it, AWS.")
    bucket: str = Field("", description="The bucket, which exists already and is the origin's alone.")
    prefix: str = Field("", description="What every key in the bucket begins with, such as facet/.")
    region: str = Field("us-east-1", min_length=1, description="The region that requests are signed for.")
    addressing: Literal["path", "virtual", "auto"] = Field("path", description="Where the bucket's name is in URLs.")
    access_key: str | None = Field(
        None, description="The access key; without it, boto3 looks where it always does (environment, profile, role)."
    )
    secret_key: str | None = Field(None, repr=False, description="The access key's secret.")

    @model_validator(mode="after")
    def consistent(self) -> Self:
        """A bucket where S3 is used, both halves of its key or none, and no move from a store to itself."""
        if "s3" in (self.store, self.move_from) and not self.bucket:
            raise ValueError("needs bucket where store or move_from is s3")
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key must be given together")
        if self.move_from == self.store:
            raise ValueError("move_from must be another store than store")
        return self


class Edge(Section):
    """The edge: where browsers read."""

    listen: Address = Field("127.0.0.1:8080", description="Where the edge listens; port 0 takes a free one.")
    admin: Address = Field(
        "127.0.0.1:8081", description="Where metrics, health and administration listen. Never expose it."
    )
    origin: Upstream | None = Field(None, description="The origin's URL; without it, the one that `facet up` starts.")
    key_file: Path | None = Field(
        None, description="A JSON file with the edge key; without it, the one the origin makes."
    )
    processes: int = Field(0, ge=0, le=64, description="Server processes; 0 is one a core, at most 4.")
    memory: Size = Field(64 * MIB, ge=MIB, description="The memory tier of each server process, in bytes.")
    memory_object: Size = Field(MIB, description="The largest body kept in the memory tier, in bytes.")
    disk: Size = Field(10 * GIB, ge=8 * MIB, description="The disk tier of the node, in bytes, temporaries included.")
    disk_floor: Size = Field(512 * MIB, description="Free space on the disk below which nothing more is stored.")
    max_source: Size = Field(
        100 * MIB,
        description="The largest source that is rendered, in bytes. Larger ones pass through as stored.",
    )
    slice: Size = Field(
        8 * MIB,
        description="Sources of more than four times this many bytes that are not rendered are fetched and kept in "
        "slices of this size, so that a seek into a video moves only what it needs; 0 fetches everything whole.",
    )
    revalidate: Seconds = Field(
        300, description="How long a stored answer is used before the upstream is asked again, in seconds."
    )
    stale: Seconds = Field(
        86_400,
        description="How long an answer beyond its lifetime stands in for a failing upstream that does not say how "
        "long it may (stale-if-error), in seconds.",
    )
    client_max_age: Seconds = Field(31_536_000, description="The cap on what browsers are told to keep, in seconds.")
    negative: Seconds = Field(5, description="How long a 404 or 410 is kept, in seconds.")
    connect_timeout: Seconds = Field(5, gt=0, description="How long a connection to an upstream may take, in seconds.")
    head_timeout: Seconds = Field(
        15, gt=0, description="How long an upstream may take until its answer begins, in seconds."
    )
    stall_timeout: Seconds = Field(15, gt=0, description="How long an upstream's body may stand still, in seconds.")
    total_timeout: Seconds = Field(
        3600, gt=0, description="How long an upstream's body may take altogether, in seconds."
    )
    head_deadline: Seconds = Field(
        10, gt=0, description="How long a client may take to send a request's head, in seconds."
    )
    wait: Seconds = Field(
        60, gt=0, description="How long a client waits until an answer that is not stored begins, in seconds."
    )
    max_url: Size = Field(8 * KIB, ge=256, le=64 * KIB, description="The longest request line, in bytes.")
    max_headers: Size = Field(32 * KIB, ge=KIB, description="The largest request head, in bytes.")
    max_body: Size = Field(
        MIB, le=8 * MIB, description="The largest request body that a pass-through site relays, in bytes."
    )
    purge_header: str = Field(
        "X-Facet-Purge",
        pattern=r"^[A-Za-z0-9-]+$",
        description="The request header that carries a site's purge secret.",
    )
    purge_secret: str | None = Field(
        None,
        min_length=8,
        repr=False,
        description="The purge secret of the default site; without one nobody can purge there.",
    )
    tag_headers: tuple[HeaderName, ...] = Field(
        ("Cache-Tag", "Surrogate-Key", "xkey", "x-amz-meta-cache-tag"),
        description="The upstreams' answers' headers that carry tags for purging, divided by commas or spaces.",
    )
    trusted_proxies: tuple[Network, ...] = Field(
        ("127.0.0.0/8", "::1/128"),
        description="Peers whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    )


class Render(Section):
    """Rendering of image variants."""

    renderers: int = Field(0, ge=0, le=64, description="Renderer processes; 0 is one a core, at least 2.")
    max_pixels: int = Field(100_000_000, ge=1, description="The most pixels (all frames together) a source may have.")
    max_frames: int = Field(600, ge=1, description="The most frames an animation may have.")
    max_side: int = Field(
        8192,
        ge=1,
        le=16_383,
        description="The longest side of a rendering, in pixels; larger values of w and h are refused.",
    )
    memory: Size = Field(1536 * MIB, ge=256 * MIB, description="Address space of one renderer process, in bytes.")
    total_memory: Size = Field(
        2 * GIB, description="Predicted memory of all renderings that run at once, in bytes; others wait."
    )
    deadline: Seconds = Field(
        30, gt=0, description="How long one rendering may take before its renderer is killed, in seconds."
    )
    queue: int = Field(256, ge=1, description="How many renderings may wait; more get 503 and Retry-After.")
    wait: Seconds = Field(
        20, gt=0, description="How long a rendering may wait for a renderer, in seconds; then 503 and Retry-After."
    )
    quality: int = Field(
        80,
        ge=1,
        le=100,
        description="The quality of a rendering whose URL names none (JPEG's scale; other formats are matched to it).",
    )
    budget: Seconds = Field(
        0.15,
        description="The work, predicted, in which a first request is answered with the best format its client names, "
        "in seconds; 0 always makes the best.",
    )
    hot: int = Field(
        10,
        ge=0,
        description="How often a rendering that was made fast must be given within an hour to be made again, smaller, "
        "while nobody waits; 0 never does.",
    )
    profile: Literal["quality", "speed"] = Field(
        "quality",
        description="quality resizes in linear light and lets encoders work for small files; speed resizes in gamma "
        "space and encodes as fast as it can, for up to four times as many renderings a second.",
    )
    avif: bool = Field(True, description="Offer AVIF to clients whose Accept names it.")
    webp: bool = Field(True, description="Offer WebP to clients whose Accept names it.")


class Nginx(Section):
    """What `facet nginx` writes."""

    s3_host: Host | None = Field(
        None, description="The public name of the S3 endpoint; without it no server is written for it."
    )
    http: int = Field(80, ge=1, le=65535, description="The port of plain HTTP.")
    https: int = Field(443, ge=1, le=65535, description="The port of HTTPS.")
    certificate: Path = Field(
        Path("/etc/letsencrypt/live/facet/fullchain.pem"),
        description="The certificate chain; {host} stands for the server's name.",
    )
    certificate_key: Path = Field(
        Path("/etc/letsencrypt/live/facet/privkey.pem"),
        description="Its private key; {host} stands for the server's name.",
    )
    edges: tuple[Address, ...] = Field((), description="The edge nodes; without them, edge.listen.")
    origins: tuple[Address, ...] = Field((), description="The origin processes; without them, origin.listen.")
    max_body: Size = Field(5 * GIB, description="The largest request body at the S3 endpoint, in bytes; 0 is no limit.")
    media_hosts: tuple[Host, ...] = Field(
        (), description="Public names of the default media site (/BUCKET/KEY); named sites need not be repeated here."
    )
    listen: tuple[Ip, ...] = Field(("0.0.0.0", "::"), min_length=1, description="The addresses nginx listens on.")  # noqa: S104
    user: str = Field("www-data", pattern=r"^[a-z_][a-z0-9_-]*$", description="The user nginx's workers run as.")
    logs: Path = Field(Path("/var/log/nginx"), description="The folder of nginx's logs.")
    state: Path = Field(Path("/var/lib/nginx"), description="The folder of nginx's temporary files.")
    pid: Path = Field(Path("/run/nginx.pid"), description="The file with nginx's process id.")
    acme: Path = Field(
        Path("/var/www/acme"),
        description="The folder whose .well-known/acme-challenge answers certificate challenges on plain HTTP.",
    )
    connections: int = Field(256, ge=1, description="How many requests one client address may have running at once.")
    rate: int = Field(500, ge=1, description="How many requests a second one client address may send to the edge.")
    burst: int = Field(2000, ge=0, description="How many requests above the rate are let through before 429.")


class Account(Section):
    """An owner with a key, made at each start where it is missing: for test suites that come with their own keys."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$", description="The owner's name.")
    id: str | None = Field(
        None, pattern=r"^[A-Za-z0-9-]{3,64}$", description="The owner's canonical id; without it, one is made."
    )
    display: str | None = Field(None, description="The owner's display name; without it, the name.")
    email: str = Field("", description="The e-mail address by which ACLs may name the owner.")
    access_key: str = Field(min_length=3, max_length=128, description="The access key, which may do everything.")
    secret_key: str = Field(min_length=8, repr=False, description="Its secret.")


class Settings(Section):
    """The whole configuration."""

    data: Path = Field(Path("data"), description="The folder that holds everything: keys, catalog, blobs, cache.")
    root_access_key: str | None = Field(
        None,
        min_length=3,
        max_length=128,
        description="The root key's access key; without it, one is made at first start.",
    )
    root_secret_key: str | None = Field(
        None,
        min_length=8,
        repr=False,
        description="The root key's secret; without it, one is made at first start.",
    )
    master_key_file: Path | None = Field(
        None, description="The master key's file; without it, master.key in the data folder."
    )
    log: Log = Log()
    origin: Origin = Origin()
    encryption: Encryption = Encryption()
    blobs: Blobs = Blobs()
    edge: Edge = Edge()
    render: Render = Render()
    guard: Guard = Guard()
    remote: Remote = Remote()
    nginx: Nginx = Nginx()
    website: Website = Website()
    notifications: Notifications = Notifications()
    sites: tuple[Site, ...] = Field(
        (), description="Named sites. The default media site serves /{bucket}/{key} on every other host."
    )

    destinations: tuple[Destination, ...] = Field((), description="Webhooks for event notifications of buckets.")
    accounts: tuple[Account, ...] = Field((), description="Owners with known keys, for test suites.")

    @model_validator(mode="after")
    def consistent(self) -> Self:
        """Both halves of the root key or none; no two sites of one name, or on one host and prefix."""
        if (self.root_access_key is None) != (self.root_secret_key is None):
            raise ValueError("root_access_key and root_secret_key must be given together")
        if len({one.arn for one in self.destinations}) != len(self.destinations):
            raise ValueError("destinations has two entries of one arn")
        seen: set[tuple[str, str]] = set()
        names = {"default"}  # the site of every other host (edge/policy/sites.py)
        for site in self.sites:
            if site.name in names:
                raise ValueError(f"sites has two entries named {site.name} (default is always taken)")
            names.add(site.name)
            if (site.host, site.prefix) in seen:
                raise ValueError(f"sites has two entries for {site.host}{site.prefix}")
            seen.add((site.host, site.prefix))
        return self

    @property
    def master_key(self) -> Path:
        """The master key's file."""
        return self.master_key_file or self.data / "master.key"

    @property
    def root_key(self) -> Path:
        """The root key's JSON file (access_key, secret_key), mode 0600."""
        return self.data / "root-key.json"

    @property
    def edge_key(self) -> Path:
        """The edge key's JSON file (access_key, secret_key), mode 0600."""
        return self.edge.key_file or self.data / "edge-key.json"

    @property
    def origin_data(self) -> Path:
        """The origin's own folder."""
        return self.data / "origin"

    @property
    def edge_data(self) -> Path:
        """The edge's own folder."""
        return self.data / "edge"

    @property
    def server_processes(self) -> int:
        """How many server processes the edge runs."""
        return self.edge.processes or min(4, os.cpu_count() or 1)

    @property
    def renderer_processes(self) -> int:
        """How many renderer processes the edge runs."""
        return self.render.renderers or max(2, os.cpu_count() or 1)

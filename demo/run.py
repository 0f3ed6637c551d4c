"""The demo: pictures in through S3, variants out through the edge, for four kinds of reader.

`python -m demo.run` starts everything on this machine, uploads pictures that it draws itself, reads them as four
kinds of client, judges every answer, and serves a small gallery until Ctrl-C. `--once` stops after the table; the
exit status is 0 only if every row is right.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any

import boto3
import click
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from demo import pictures
from demo.clients import READERS
from demo.gallery import serve
from demo.house import House, HouseError, running
from demo.reading import Connection, Question, Row, Source, read
from demo.table import table

BUCKET = "pictures"
MIB = 1024 * 1024
MULTIPART = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)

# File name → its type, how it is made, and the w it is asked for with.
PICTURES: dict[str, tuple[str, Callable[[], bytes], int]] = {
    pictures.PHOTO: ("image/jpeg", lambda: pictures.photo(quality=97), 800),
    pictures.TRANSPARENT: ("image/png", pictures.transparent_png, 400),
    pictures.ANIMATION: ("image/gif", pictures.animation, 120),
    pictures.DRAWING: ("image/svg+xml", pictures.drawing, 200),
}


@click.command()
@click.option("--once", is_flag=True, help="Stop after the table instead of serving the gallery.")
@click.option("--data", type=click.Path(path_type=Path), help="Keep the data in this folder [a scratch folder].")
def main(once: bool, data: Path | None) -> None:
    """Show what Facet does, on this machine, with pictures it draws itself."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    console = Console()
    if not console.is_terminal:
        console = Console(width=150)
    try:
        sources = draw(console)
        with running(data, console.print) as house:
            console.print(
                f"Facet is up: S3 at {house.origin}, the edge at {house.edge}, metrics at {house.admin}/metrics"
            )
            upload(house, sources, console)
            rows = look(house, sources, console)
            console.print(table(rows, f"{house.edge}/{BUCKET}/"))
            good = verdict(rows, console)
            if not once:
                serve(house.edge, BUCKET, sources, lambda url: console.print(f"The gallery: {url}   (Ctrl-C ends it)"))
    except HouseError as error:
        console.print(str(error), style="red", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0 if good else 1)


def draw(console: Console) -> list[Source]:
    """The pictures, made by code."""
    made = []
    for name, (kind, make, _) in _with_bar(console, "Drawing pictures", list(PICTURES.items())):
        made.append(Source(name, kind, make()))
    return made


def upload(house: House, sources: list[Source], console: Console) -> None:
    """Create the bucket and put the pictures into it, readable by everybody; the large one goes in parts."""
    s3 = _client(house)
    s3.create_bucket(Bucket=BUCKET)
    total = sum(len(source.body) for source in sources)
    with _bar(console) as progress:
        task = progress.add_task("Uploading by S3", total=total)
        for source in sources:
            s3.upload_fileobj(
                BytesIO(source.body),
                BUCKET,
                source.name,
                ExtraArgs={
                    "ACL": "public-read",
                    "ContentType": source.kind,
                    "CacheControl": "public, max-age=31536000, immutable",
                },
                Config=MULTIPART,
                Callback=lambda sent: progress.advance(task, sent),
            )


def look(house: House, sources: list[Source], console: Console) -> list[Row]:
    """Every picture, with and without w, as every reader, twice."""
    questions = []
    for source in sources:
        base, width = f"{house.edge}/{BUCKET}/{source.name}", PICTURES[source.name][2]
        for url, asked in ((base, 0), (f"{base}?w={width}", width)):
            questions += [Question(reader, source, url, asked) for reader in READERS]
    connections = {reader.name: Connection(house.edge) for reader in READERS}
    try:
        return [read(connections[q.reader.name], q) for q in _with_bar(console, "Reading at the edge", questions)]
    finally:
        for connection in connections.values():
            connection.close()


def verdict(rows: list[Row], console: Console) -> bool:
    """Say what is wrong, row by row; True where nothing is."""
    for row in rows:
        for sentence in row.wrong:
            console.print(f"✗ {row.question.reader.name}, {row.question.shown}: {sentence}", style="red", markup=False)
    good = not any(row.wrong for row in rows)
    if good:
        console.print(f"All {len(rows)} rows are right: decoded here, compared with the sources, asked twice.")
    return good


def _client(house: House) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=house.origin,
        aws_access_key_id=house.access_key,
        aws_secret_access_key=house.secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description:<20}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


def _with_bar(console: Console, words: str, things: list[Any]) -> Iterator[Any]:
    with _bar(console) as progress:
        yield from progress.track(things, description=words)


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()

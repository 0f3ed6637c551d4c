"""Pages in Chromium: hls.js plays from the edge, behind nginx, and a form of s3-presigned-post uploads."""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path

import pytest

from tests.clients import installed
from tests.clients.house import Door, run
from tests.clients.page import show
from tests.nginx.running import PLAIN, Front
from tests.programs import need
from tests.running import Running

SCRIPTS = Path(__file__).parent / "scripts"

PLAYER = """
const video = document.querySelector('video'), hls = new Hls(OPTIONS), statuses = new Set(), seen = []
hls.on(Hls.Events.ERROR, (_, data) => data.fatal && report({error: data.details, reason: String(data.error)}))
hls.on(Hls.Events.FRAG_LOADED, (_, data) => {
  if (data.frag.sn !== 'initSegment') seen.push(data.frag.sn)
  statuses.add(data.networkDetails.status)
})
hls.on(Hls.Events.MANIFEST_PARSED, () => video.play())
hls.loadSource('URL')
hls.attachMedia(video)
"""
SEEK = """
let sought = false
video.ontimeupdate = () => {
  if (!sought && video.currentTime > 0.5) { sought = true; video.currentTime = 9 }
  if (sought && video.currentTime > 9.5 && !video.seeking) report({statuses: [...statuses], width: video.videoWidth})
}
"""
FOLLOW = """
video.ontimeupdate = () => { if (Math.max(...seen) >= 7) report({time: video.currentTime, seen}) }
"""


@pytest.fixture(scope="module")
def films(facet: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The films, and the bucket for them."""
    folder = tmp_path_factory.mktemp("films")
    run([installed.python("python"), SCRIPTS / "films.py", folder], {"PATH": "/usr/bin"})
    facet.s3().create_bucket(Bucket="films")
    return folder


def put(facet: Running, key: str, body: bytes) -> None:
    """As PeerTube does it: public, and without a type."""
    facet.s3().put_object(Bucket="films", Key=key, Body=body, ACL="public-read")


def player(front: Front, playlist: str, then: str, options: str = "{maxBufferLength: 2, maxMaxBufferLength: 2}") -> str:
    url = f"https://{PLAIN}:{front.https}/{playlist}"
    return PLAYER.replace("URL", url).replace("OPTIONS", options) + then


def test_hls_js_plays_and_seeks_in_one_file_by_ranges(
    facet: Running, front: Front, films: Path, tmp_path: Path
) -> None:
    hls = installed.node_modules() / "hls.js" / "dist" / "hls.min.js"
    assert "#EXT-X-BYTERANGE" in (films / "vod" / "film.m3u8").read_text()
    for file in (films / "vod").iterdir():
        put(facet, f"hls/{file.name}", file.read_bytes())
    script = player(front, "hls/film.m3u8", SEEK)
    assert show(script, tmp_path, PLAIN, files={"hls.js": hls}) == {"statuses": [206], "width": 160}


def test_hls_js_follows_a_live_stream_whose_playlist_is_overwritten(
    facet: Running, front: Front, films: Path, tmp_path: Path
) -> None:
    hls = installed.node_modules() / "hls.js" / "dist" / "hls.min.js"
    segments = sorted((films / "live").glob("*.ts"), key=lambda file: int(file.stem.removeprefix("film")))
    assert len(segments) == 12
    published = 0

    def publish() -> None:
        nonlocal published
        if published < len(segments):
            put(facet, f"live/{published:06}.ts", segments[published].read_bytes())
            published += 1
        first = max(0, published - 6)
        listed = "".join(f"#EXTINF:1.0,\n{number:06}.ts\n" for number in range(first, published))
        head = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
        put(facet, "live/live.m3u8", (head + listed).encode())

    for _ in range(4):
        publish()
    script = player(front, "live/live.m3u8", FOLLOW, "{liveSyncDurationCount: 2}")
    told = show(script, tmp_path, PLAIN, files={"hls.js": hls}, while_open=publish)
    assert "error" not in told
    assert max(told["seen"]) >= 7  # segments that did not exist when it began
    assert told["time"] > 0


def test_a_page_uploads_with_a_presigned_form(door: Door, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(installed.node_modules())
    script = shutil.copy(SCRIPTS / "post.mjs", tmp_path)
    bucket = door.bucket("forms")
    rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["POST"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"]}
    door.facet.s3().put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    form = json.loads(run([need("node"), script, bucket], door.environment(tmp_path), tmp_path))
    page = f"""
        const form = {json.dumps(form)}
        const send = async (text, type) => {{
          const data = new FormData()
          for (const [name, value] of Object.entries(form.fields)) data.append(name, value)
          data.append('Content-Type', type)
          data.append('file', new File([text], 'ünder the sea.txt', {{type}}))
          const answer = await fetch(form.url, {{method: 'POST', body: data}})
          return [answer.status, answer.headers.get('etag')]
        }}
        const all = async () => [
          await send('hello', 'text/plain'), await send('x'.repeat(1001), 'text/plain'), await send('<x>', 'image/png')
        ]
        all().then(report)
    """
    told = show(page, tmp_path, "nothing.test")
    assert [status for status, _ in told] == [201, 400, 403]
    assert told[0][1] == '"5d41402abc4b2a76b9719d911017c592"'
    found = door.facet.s3().get_object(Bucket=bucket, Key="from-a-page/ünder the sea.txt")
    assert (found["Body"].read(), found["ContentType"]) == (b"hello", "text/plain")
    with urllib.request.urlopen(f"{door.facet.origin}/{bucket}/from-a-page/%C3%BCnder%20the%20sea.txt") as answer:
        assert answer.read() == b"hello"

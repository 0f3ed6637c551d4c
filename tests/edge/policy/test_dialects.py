"""Other servers' URLs: what each option means here, what is refused by name, and that no source lies elsewhere."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from conf.schema import Settings
from edge.policy.dialects.reading import BadSignature
from edge.policy.sites import Site, Sites
from edge.policy.variant import BadParameter, Variant, parse
from edge.policy.wanted import read

MAX_SIDE = 8192


def site(**given: object) -> Site:
    entry = {"name": "pics", "host": "pics.test", "prefix": "/i", "bucket": "cats", **given}
    found = Sites(Settings.model_validate({"sites": [entry]})).named("pics")
    assert found is not None
    return found


IMGPROXY = site(dialect="imgproxy", dialect_unsigned=True)
THUMBOR = site(dialect="thumbor", dialect_unsigned=True)
PICT_RS = site(dialect="pict-rs")


def asked(at: Site, path: str, query: str = "") -> tuple[str, Variant] | None:
    return read(at, path, query, MAX_SIDE)


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ("rs:fit:300:200", "w=300&h=200"),
        ("resize:fill:300:200", "w=300&h=200&fit=cover"),
        ("rs:fill-down:300:200:0/g:sm", "w=300&h=200&fit=cover&gravity=smart"),
        ("rs:force:300:200:1", "w=300&h=200&fit=fill&enlarge=1"),
        ("rs:fit:300:0", "w=300"),
        ("rs:::200", "h=200"),
        ("s:300:200", "w=300&h=200"),
        ("size:300:200:t:1", "w=300&h=200&enlarge=1&fit=pad"),
        ("rs:fit:300:200:0:1:no:0:0", "w=300&h=200&fit=pad&gravity=n"),
        ("w:300/h:200/rt:fill/g:noea", "w=300&h=200&fit=cover&gravity=ne"),
        ("width:300/dpr:2", "w=300&dpr=2"),
        ("rs:fill:30:20/gravity:fp:0.5:0.25", "w=30&h=20&fit=cover&gravity=fp:0.5,0.25"),
        ("w:300/q:70/f:webp", "w=300&quality=70&format=webp"),
        ("w:300/bl:2.5/ext:jpg", "w=300&blur=2.5&format=jpeg"),
        ("w:300/bg:255:0:128", "w=300&bg=ff0080"),
        ("w:300/background:abcdef/q:0/f:", "w=300&bg=abcdef"),
        ("w:300/sm:1/ar:true/cb:v7", "w=300"),
        ("w:300/w:200", "w=200"),
    ],
)
def test_imgproxys_options_are_ours(options: str, query: str) -> None:
    assert asked(IMGPROXY, f"/_/{options}/plain/a/b.jpg") == ("/a/b.jpg", parse(query, MAX_SIDE))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("rs:auto:300:200", "rs"),
        ("rt:none", "rt"),
        ("crop:100:100", "crop"),
        ("trim:10", "trim"),
        ("wm:0.5", "wm"),
        ("pr:small", "pr"),
        ("exp:1893456000", "exp"),
        ("raw:1", "raw"),
        ("sm:0", "sm"),
        ("g:no:5:5", "g"),
        ("g:obj:face", "g"),
        ("w:-1", "w"),
        ("w:99999", "w"),
        ("w:1:2", "w"),
        ("q:101", "q"),
        ("f:tiff", "f"),
        ("el:maybe", "el"),
        ("bg:300:0:0", "bg"),
    ],
)
def test_what_imgproxy_has_and_we_have_not_is_refused_by_name(options: str, named: str) -> None:
    with pytest.raises(BadParameter) as refusal:
        asked(IMGPROXY, f"/_/{options}/plain/a.jpg")
    assert refusal.value.parameter == named


def b64(text: str) -> str:
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("plain/a/b.jpg", "/a/b.jpg"),
        ("plain/local:///a/b.jpg", "/a/b.jpg"),
        ("plain/s3://cats/a/b.jpg", "/a/b.jpg"),
        ("plain/https://pics.test/i/a/b.jpg", "/a/b.jpg"),
        ("plain/https%3A%2F%2Fpics.test%2Fi%2Fa%20c.jpg", "/a%20c.jpg"),
        ("plain/%2Fa%2Fb.jpg@png", "/a/b.jpg"),
        (b64("local:///a/b.jpg"), "/a/b.jpg"),
        (b64("s3://cats/a/b.jpg") + ".png", "/a/b.jpg"),
        (b64("https://pics.test/i/a%20c.jpg"), "/a%20c.jpg"),
        ("/".join((b64("a/b.jpg")[:4], b64("a/b.jpg")[4:])), "/a/b.jpg"),
    ],
)
def test_imgproxys_sources(source: str, path: str) -> None:
    found = asked(IMGPROXY, f"/_/w:10/{source}")
    assert found is not None
    assert found[0] == path
    assert found[1].format == ("png" if "png" in source else "auto")


FOREIGN = (
    "http://evil.test/a.jpg",
    "https://pics.test.evil.test/i/a.jpg",
    "https://pics.test/other/a.jpg",
    "https://pics.test@evil.test/i/a.jpg",
    "//evil.test/a.jpg",
    "s3://dogs/a.jpg",
    "s3://cats.evil/a.jpg",
    "file:///etc/passwd",
    "gs://cats/a.jpg",
    "local://evil/a.jpg",
    "http://169.254.169.254/latest",
    "https://pics.test/i/a.jpg?x=1",
    "",
    "/",
)


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_source_elsewhere_is_refused_in_every_dialect(foreign: str) -> None:
    escaped = quote(foreign, safe="")
    for at, path, query in (
        (IMGPROXY, f"/_/w:10/plain/{escaped}", ""),
        (IMGPROXY, f"/_/w:10/{b64(foreign)}", ""),
        (THUMBOR, f"/unsafe/10x10/{escaped}", ""),
        (PICT_RS, "/image/process.webp", f"src={escaped}&thumbnail=10"),
        (PICT_RS, "/image/original", f"alias={escaped}"),
    ):
        with pytest.raises(BadParameter):
            asked(at, path, query)


@pytest.mark.parametrize("climbing", ["../secret/a.jpg", "a/../../b.jpg", "a/%2e%2e/%2e%2e/b.jpg", "a/./b", "a%00b"])
def test_no_source_climbs_out_of_its_bucket(climbing: str) -> None:
    for path in (f"/unsafe/10x10/{climbing}", f"/unsafe/10x10/{quote(climbing, safe='')}"):
        assert asked(THUMBOR, path) is None
    assert asked(IMGPROXY, f"/_/w:10/{b64(climbing)}") is None
    assert asked(PICT_RS, "/image/original", f"alias={quote(climbing, safe='')}") is None


def test_imgproxys_signatures() -> None:
    key, salt = "736563726574", "68656c6c6f"
    path = "/rs:fill:300:400:0/g:sm/plain/a.jpg@png"
    digest = hmac.new(b"secret", b"hello" + path.encode(), hashlib.sha256).digest()
    for size in (32, 8):
        at = site(dialect="imgproxy", dialect_key=key, dialect_salt=salt, dialect_signature=size)
        good = urlsafe_b64encode(digest[:size]).rstrip(b"=").decode()
        assert asked(at, f"/{good}{path}") is not None
        assert asked(at, f"/{good}={path}") is not None
        for bad in ("unsafe", "_", "", good[:-2], good.swapcase(), good + "A", urlsafe_b64encode(digest[:5]).decode()):
            with pytest.raises(BadSignature):
                asked(at, f"/{bad}{path}")
        with pytest.raises(BadSignature):
            asked(at, f"/{good}{path.replace('300', '301')}")


def test_thumbors_signatures() -> None:
    """The vector is that of libthumbor's documentation."""
    at = site(dialect="thumbor", dialect_key="my-security-key", bucket="cats")
    signed = "/8ammJH8D-7tXy6kU3lTvoXlhu4o=/300x200/my.server.com/some/path/to/image.jpg"
    found = asked(at, signed)
    assert found == ("/my.server.com/some/path/to/image.jpg", parse("w=300&h=200&fit=cover&enlarge=1", MAX_SIDE))
    for bad in (signed.replace("300x", "301x"), signed.replace("8amm", "9amm"), "/unsafe/300x200/a.jpg", "//a.jpg"):
        with pytest.raises(BadSignature):
            asked(at, bad)


@pytest.mark.parametrize(
    ("parts", "query"),
    [
        ("300x200", "w=300&h=200&fit=cover&enlarge=1"),
        ("300x200/filters:no_upscale()", "w=300&h=200&fit=cover"),
        ("fit-in/300x200", "w=300&h=200"),
        ("fit-in/300x200/filters:upscale()", "w=300&h=200&enlarge=1"),
        ("300x0", "w=300&enlarge=1"),
        ("x200", "h=200&enlarge=1"),
        ("300x200/smart", "w=300&h=200&fit=cover&enlarge=1&gravity=smart"),
        ("300x200/right/top", "w=300&h=200&fit=cover&enlarge=1&gravity=ne"),
        ("300x200/left", "w=300&h=200&fit=cover&enlarge=1&gravity=w"),
        ("300x200/center/middle", "w=300&h=200&fit=cover&enlarge=1"),
        ("fit-in/300x200/filters:fill(red0)", None),
        ("fit-in/300x200/filters:fill(ff0000):quality(70)", "w=300&h=200&fit=pad&bg=ff0000&quality=70"),
        ("fit-in/300x200/filters%3Aformat%28webp%29", "w=300&h=200&format=webp"),
        ("fit-in/300x200/filters:blur(7,3):strip_exif()", "w=300&h=200&blur=3"),
        ("fit-in/300x200/filters:background_color(fff)", "w=300&h=200&bg=fff"),
        ("filters:quality(40)", "quality=40"),
    ],
)
def test_thumbors_parts_are_ours(parts: str, query: str | None) -> None:
    if query is None:
        with pytest.raises(BadParameter):
            asked(THUMBOR, f"/unsafe/{parts}/a/b.jpg")
    else:
        assert asked(THUMBOR, f"/unsafe/{parts}/a/b.jpg") == ("/a/b.jpg", parse(query, MAX_SIDE))


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ("trim", "trim"),
        ("meta/300x200", "meta"),
        ("10x10:200x200/300x200", "10x10:200x200"),
        ("full-fit-in/300x200", "full-fit-in"),
        ("-300x200", "-300x200"),
        ("origx200", "origx200"),
        ("300x200/filters:watermark(x,1,1,1)", "watermark"),
        ("300x200/filters:focal(1x1:2x2)", "focal"),
        ("300x200/filters:fill(auto)", "fill"),
        ("300x200/filters:quality(900)", "quality"),
        ("300x200/filters:quality", "filters"),
        ("99999x200", "99999x200"),
    ],
)
def test_what_thumbor_has_and_we_have_not_is_refused_by_name(parts: str, named: str) -> None:
    with pytest.raises(BadParameter) as refusal:
        asked(THUMBOR, f"/unsafe/{parts}/a.jpg")
    assert refusal.value.parameter == named


@pytest.mark.parametrize(
    ("query", "same_as"),
    [
        ("src=a.png&thumbnail=96", "w=96&h=96&format=webp"),
        ("alias=a.png&resize=96", "w=96&h=96&format=webp"),
        ("src=a.png&resize=Lanczos2.96&blur=1.5", "w=96&h=96&blur=1.5&format=webp"),
        ("src=a.png&crop=16x9&thumbnail=160", "w=160&h=90&fit=cover&format=webp"),
        ("crop=1x1&src=a.png", "w=8192&h=8192&fit=cover&format=webp"),
        ("src=a.png&identity=true", "format=webp"),
        ("src=a.png", "format=webp"),
    ],
)
def test_pict_rs_parameters_are_ours(query: str, same_as: str) -> None:
    assert asked(PICT_RS, "/image/process.webp", query) == ("/a.png", parse(same_as, MAX_SIDE))


def test_pict_rs_originals_are_what_is_stored() -> None:
    for path, query in (("/image/original/ab/c.jpg", ""), ("/image/original", "alias=ab%2Fc.jpg")):
        assert asked(PICT_RS, path, query) == ("/ab/c.jpg", Variant(format="original"))


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        ("/image/process.jxl", "src=a.png", "extension"),
        ("/image/process.webp", "thumbnail=96", "src"),
        ("/image/process.webp", "src=a.png&src=b.png", "src"),
        ("/image/process.webp", "proxy=https://a.test/a.png", "proxy"),
        ("/image/process.webp", "src=a.png&thumbnail=96&crop=1x1", "crop"),
        ("/image/process.webp", "src=a.png&resize=.a1000", "resize"),
        ("/image/process.webp", "src=a.png&thumbnail=0", "thumbnail"),
        ("/image/process.webp", "src=a.png&rotate=90", "rotate"),
        ("/image/process.webp", "src=a.png&blur=x", "blur"),
    ],
)
def test_what_pict_rs_has_and_we_have_not_is_refused_by_name(path: str, query: str, named: str) -> None:
    with pytest.raises(BadParameter) as refusal:
        asked(PICT_RS, path, query)
    assert refusal.value.parameter == named


@pytest.mark.parametrize("path", ["/", "/a.png", "/image", "/image/delete/t/a.png", "/internal/x", "/image/details/x"])
def test_nothing_else_of_pict_rs_is_there(path: str) -> None:
    assert asked(PICT_RS, path) is None


_SEGMENT = st.text(st.sampled_from("abcxyz0159:./%-_@()=,&é~ \x00"), max_size=12)


@given(st.lists(_SEGMENT, max_size=8), st.text(st.sampled_from("srcw=&12ax.%"), max_size=20))
def test_any_url_is_read_or_refused(parts: list[str], query: str) -> None:
    for at, start in ((IMGPROXY, "/_/"), (THUMBOR, "/unsafe/"), (PICT_RS, "/image/process."), (PICT_RS, "/")):
        try:
            found = asked(at, start + "/".join(parts), query)
        except BadParameter:
            continue
        assert found is None or (found[0].startswith("/") and ".." not in found[0].split("/"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"dialect": "imgproxy"},
        {"dialect": "thumbor"},
        {"dialect": "imgproxy", "dialect_key": "not hex"},
        {"dialect": "other"},
        {"dialect": "pict-rs", "kind": "assets", "bucket": None, "upstream": "http://127.0.0.1:1"},
    ],
)
def test_a_dialect_that_cannot_work_stops_the_start(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        site(**wrong)

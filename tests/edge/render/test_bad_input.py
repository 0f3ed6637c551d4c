"""Sources that are broken, cut off, lying or too large."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import pytest
import pyvips

from demo import pictures
from edge.render import facts, kinds, steps
from edge.render.errors import Damaged, ResultTooLarge, TooLarge, TooManyPixels, Unreadable
from tests.edge.render import oracle
from tests.edge.render.oracle import LIMITS, plan

SCENE = pictures.landscape(96, 128).copy_memory()

WHOLE: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: SCENE.jpegsave_buffer(Q=85),
    "progressive": lambda: SCENE.jpegsave_buffer(Q=85, interlace=True),
    "png": lambda: SCENE.pngsave_buffer(),
    "interlaced": lambda: SCENE.pngsave_buffer(interlace=True),
    "webp": lambda: SCENE.webpsave_buffer(),
    "lossless webp": lambda: SCENE.webpsave_buffer(lossless=True),
    "gif": lambda: SCENE.gifsave_buffer(),
    "animation": lambda: pictures.animation(96),
    "avif": lambda: SCENE.heifsave_buffer(compression="av1", effort=0),
    "tiff": lambda: SCENE.tiffsave_buffer(),
    "svg": pictures.drawing,
}


@pytest.mark.parametrize("form", WHOLE)
def test_whole_files_are_rendered(form: str) -> None:
    steps.render(WHOLE[form](), plan(48, 64, "webp", animated=True), LIMITS)


@pytest.mark.parametrize("form", WHOLE)
@pytest.mark.parametrize("kept", ["5 %", "50 %", "95 %", "all but two bytes"])
def test_a_truncated_file_is_an_error_and_never_half_a_picture(form: str, kept: str) -> None:
    body = WHOLE[form]()
    length = len(body) - 2 if kept == "all but two bytes" else len(body) * int(kept.split()[0]) // 100
    for size in ((48, 64), (96, 128)):
        with pytest.raises(Unreadable):
            steps.render(body[:length], plan(*size, "webp", animated=True), LIMITS)


@pytest.mark.parametrize("form", [form for form in WHOLE if form != "svg"])
def test_broken_bytes_end_in_a_picture_or_in_a_typed_error(form: str) -> None:
    body = bytearray(WHOLE[form]())
    for number in range(40):
        broken = bytearray(body)
        at = (number * 7919) % len(broken)
        broken[at : at + 1 + number % 5] = bytes([number * 37 % 256]) * (1 + number % 5)
        try:
            steps.render(bytes(broken), plan(48, 64, "webp", animated=True), LIMITS)
        except (Unreadable, TooLarge):
            continue


@pytest.mark.parametrize(
    "lie",
    [
        b"",
        b"this is a text file named picture.jpg",
        b"<html><body><svg></svg></body></html>",
        b"\0" * 5000,
        b"BM" + b"\0" * 100,
        b"%PDF-1.7 ",
        b"\0\0\0\x18ftyphevc\0\0\0\0mif1heic" + b"\0" * 100,
        b"\0\0\0\x18ftypmsf1\0\0\0\0avismsf1" + b"\0" * 100,
        b"<!---->" * 2000,
        b"<!DOCTYPE" * 1000,
    ],
    ids=["nothing", "text", "html", "zeros", "bmp", "pdf", "moving heic", "moving picture", "comments", "doctypes"],
)
def test_what_is_no_picture_we_know_is_unreadable(lie: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        kinds.recognise(lie)
    assert not isinstance(caught.value, Damaged)


@pytest.mark.parametrize(
    "magic",
    [
        b"\xff\xd8\xff\xe0",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"RIFF\0\0\0\0WEBP",
        b"II*\0",
        b"<svg ",
        b"\xff\n",
        b"\0\0\0\x10ftypheic\0\0\0\0",
    ],
)
def test_magic_bytes_and_nothing_behind_them_are_damaged(magic: bytes) -> None:
    for body in (magic, magic + b"rubbish" * 50):
        with pytest.raises(Damaged):
            steps.render(body, plan(10, 10), LIMITS)


def test_the_bytes_decide_and_not_what_they_pretend() -> None:
    polyglot = WHOLE["png"]() + b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    assert kinds.recognise(polyglot).name == "png"
    prologue = b"\xef\xbb\xbf \n<?xml version='1.0'?><!-- <svg> --><!DOCTYPE svg [<!ENTITY a 'b'>]>\n<svg />"
    assert kinds.recognise(prologue).name == "svg"


def test_metadata_whose_names_are_no_text_cost_nothing_but_themselves() -> None:
    fields = {"exif-ifd0-Copyright": "somebody", **pictures.GPS_FIELDS}
    tagged = pictures.with_metadata(pictures.solid(96, 128, (10, 200, 30)), fields=fields)
    whole = bytes(tagged.heifsave_buffer(compression="av1", effort=0, keep="all"))
    at = whole.index(b"Exif")
    source = whole[:at] + b"\xff\xfe\xfd\xfc" + whole[at + 4 :]
    with pytest.raises(UnicodeError):
        pyvips.Image.heifload_buffer(source).get_fields()
    assert facts.read(kinds.recognise(source), source, LIMITS).width == 96
    for copyright in (False, True):
        body = steps.render(source, plan(48, 64, "webp", keep_copyright=copyright), LIMITS)
        assert oracle.close(oracle.pixels_of(body), (10, 200, 30), 6)
        assert not [name for name in oracle.fields(body) if name.startswith("exif")]


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims so many pixels in a few bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [20_000, 65_535, 1_000_000])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    body = bomb(side, side)
    with pytest.raises((TooManyPixels, Damaged)):
        facts.read(kinds.recognise(body), body, LIMITS)


def test_a_result_over_a_limit_is_refused_before_it_is_made() -> None:
    source = WHOLE["png"]()
    with pytest.raises(TooLarge):
        steps.render(source, plan(16_000, 16_000), LIMITS)
    with pytest.raises(ResultTooLarge):
        steps.render(source, plan(17_000, 10, "webp"), LIMITS)
    with pytest.raises(TooLarge):
        steps.render(pictures.drawing(), plan(12_000, 12_000), LIMITS)


def test_a_rendering_that_needs_more_memory_than_a_renderer_has_is_refused() -> None:
    tight = facts.Limits(max_pixels=LIMITS.max_pixels, max_frames=600, memory=100 * 1024 * 1024)
    with pytest.raises(TooLarge):
        steps.render(WHOLE["webp"](), plan(3000, 3000, "avif"), tight)


def test_an_svg_loads_nothing_from_outside(tmp_path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(pictures.solid(50, 50, (255, 0, 0)).pngsave_buffer())
    source = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="50" height="50">'
        f'<image width="50" height="50" href="file://{secret}"/>'
        f'<image width="50" height="50" xlink:href="{secret}"/></svg>'
    )
    got = oracle.pixels_of(steps.render(source.encode(), plan(50, 50), LIMITS))
    assert got[..., 3].max() == 0


def test_an_svg_of_exploding_entities_is_an_error() -> None:
    entities = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 20 if n else 'x' * 100}'>" for n in range(12))
    drawing = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><text>&e11;</text></svg>"
    source = f"<!DOCTYPE svg [{entities}]>{drawing}"
    with pytest.raises(Unreadable):
        steps.render(source.encode(), plan(10, 10), LIMITS)


def test_an_svg_of_references_to_references_is_refused_before_it_is_drawn() -> None:
    levels = "".join(f'<g id="g{level}">' + f'<use href="#g{level - 1}"/>' * 10 + "</g>" for level in range(1, 9))
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><defs><g id="g0"><rect/></g>{}</defs>{}</svg>'
    )
    with pytest.raises(TooLarge):
        steps.render(drawing.format(levels, '<use href="#g8"/>').encode(), plan(10, 10), LIMITS)
    patterns = "".join(
        f'<pattern id="p{level}">' + f'<rect fill="url(#p{level - 1})"/>' * 10 + "</pattern>" for level in range(1, 9)
    )
    with pytest.raises(TooLarge):
        steps.render(drawing.format(patterns, '<rect fill="url(#p8)"/>').encode(), plan(10, 10), LIMITS)


def test_an_svg_may_use_its_symbols_often_and_refer_to_itself() -> None:
    squares = "".join(f'<use href="#s" x="{at % 100}" y="{at // 100}"/>' for at in range(5000))
    symbol = '<defs><rect id="s" width="1" height="1" fill="#00ff00"/><g id="a"><use href="#a"/></g></defs>'
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="50">{symbol}{squares}</svg>'
    assert oracle.pixels_of(steps.render(drawing.encode(), plan(100, 50), LIMITS))[25, 50].tolist() == [0, 255, 0, 255]


def test_more_pieces_than_any_picture_has_are_walked_through_by_nobody() -> None:
    gif = bytes(oracle.to_vips(oracle.quadrants(8, 8)).gifsave_buffer())
    comments = gif[:-1] + b"\x21\xfe\0" * 3_000_000 + gif[-1:]
    with pytest.raises(Damaged, match="pieces"):
        facts.read(kinds.recognise(comments), comments, LIMITS)


def test_a_picture_of_endless_lines_is_refused_by_its_header() -> None:
    tall = bytes(pyvips.Image.black(1, 70_000).pngsave_buffer())
    with pytest.raises(TooManyPixels):
        facts.read(kinds.recognise(tall), tall, LIMITS)


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt"])
def test_text_that_unpacks_a_thousandfold_is_unpacked_by_nobody(name: bytes) -> None:
    plain = bytes(pyvips.Image.black(8, 8).pngsave_buffer())
    packed = zlib.compress(bytes(7_000_000), 9)
    body = b"Comment\0\0" + packed if name == b"zTXt" else b"Comment\0\1\0\0\0" + packed
    bomb = plain[:33] + chunk(name, body) * 40 + plain[33:]
    with pytest.raises(TooLarge):
        facts.read(kinds.recognise(bomb), bomb, LIMITS)
    small = plain[:33] + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + bytes(100_000)) + plain[33:]
    assert facts.read(kinds.recognise(small), small, LIMITS).width == 8


def chunk(name: bytes, body: bytes) -> bytes:
    """A PNG chunk."""
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

"""Animations: every frame, its time, its loop, by disposal rules played in numpy."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from demo import pictures
from demo.pictures import GifFrame
from edge.render import facts, kinds, steps
from edge.render.errors import TooManyFrames, TooManyPixels
from tests.edge.render import gifs, oracle, webps
from tests.edge.render.oracle import LIMITS, close, plan

PALETTE = [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
SIDE = 96


def block(colour: int, left: int, top: int, size: int, delay: int, disposal: int) -> GifFrame:
    """A square with a transparent hole in its lower right half."""
    pixels = np.full((size, size), colour, np.uint8)
    pixels[size // 2 : -4, size // 2 : -4] = 0
    return GifFrame(pixels.tobytes(), left, top, size, size, delay=delay, disposal=disposal, transparent=0)


FRAMES = [
    GifFrame(b"\x01" * SIDE * SIDE, 0, 0, SIDE, SIDE, delay=5, disposal=1),
    block(2, 8, 8, 32, delay=20, disposal=1),
    block(3, 40, 16, 40, delay=7, disposal=3),
    block(4, 16, 40, 48, delay=100, disposal=2),
    block(2, 48, 48, 32, delay=12, disposal=1),
]
DELAYS = [50, 200, 70, 1000, 120]


def played() -> np.ndarray:
    """What a viewer sees, frame by frame (GIF89a §23): 1 leaves, 2 clears to transparent, 3 restores."""
    canvas = np.zeros((SIDE, SIDE, 4), np.uint8)
    shown = []
    for frame in FRAMES:
        before = canvas.copy()
        indices = np.frombuffer(frame.pixels, np.uint8).reshape(frame.height, frame.width)
        area = canvas[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]
        opaque = indices != frame.transparent if frame.transparent is not None else np.ones_like(indices, bool)
        colours = np.array([(*colour, 255) for colour in PALETTE], np.uint8)[indices]
        area[opaque] = colours[opaque]
        shown.append(canvas.copy())
        if frame.disposal == 2:
            area[:] = 0
        elif frame.disposal == 3:
            canvas = before
    return np.array(shown)


@pytest.fixture
def source() -> bytes:
    return pictures.gif(SIDE, SIDE, PALETTE, FRAMES, loop=0)


def rgba(frames: np.ndarray) -> np.ndarray:
    """With alpha, and colours of invisible pixels set to zero."""
    if frames.shape[-1] == 3:
        frames = np.concatenate([frames, np.full((*frames.shape[:3], 1), 255, np.uint8)], axis=3)
    return np.where(frames[..., 3:] == 0, 0, frames)


def test_the_header_tells_the_frames(source: bytes) -> None:
    found = facts.read(kinds.recognise(source), source, LIMITS)
    assert (found.width, found.height, found.pages, found.palette) == (SIDE, SIDE, 5, True)


def test_a_gif_becomes_an_animated_webp_frame_by_frame(source: bytes) -> None:
    body = steps.render(source, plan(SIDE, SIDE, "webp", animated=True, lossless=True), LIMITS)
    assert np.array_equal(rgba(oracle.frames_of(body)), rgba(played()))
    assert oracle.field(body, "delay") == DELAYS
    assert oracle.field(body, "loop") == 0


def test_a_gif_stays_an_animated_gif(source: bytes) -> None:
    body = steps.render(source, plan(SIDE, SIDE, "gif", animated=True), LIMITS)
    assert close(rgba(oracle.frames_of(body)), rgba(played()), 8)
    assert oracle.field(body, "delay") == DELAYS
    assert oracle.field(body, "loop") == 0


@pytest.mark.parametrize("form", ["gif", "webp"])
def test_a_resized_animation_keeps_frames_and_timing(source: bytes, form: str) -> None:
    body = steps.render(source, plan(48, 48, form, animated=True), LIMITS)
    got = rgba(oracle.frames_of(body))
    assert got.shape[:3] == (5, 48, 48)
    assert oracle.field(body, "delay") == DELAYS
    compared = 0
    for number, frame in enumerate(rgba(played())):
        for y, x in np.ndindex(48, 48):
            around = frame[max(0, 2 * y - 8) : 2 * y + 9, max(0, 2 * x - 8) : 2 * x + 9]
            if (around == around[0, 0]).all():
                assert close(got[number, y, x], around[0, 0], 16), (number, y, x)
                compared += 1
    assert compared > 3000


@pytest.mark.parametrize("form", ["gif", "webp"])
def test_frames_do_not_bleed_into_each_other(form: str) -> None:
    frames = [GifFrame(bytes([number]) * 64 * 64, 0, 0, 64, 64, delay=10) for number in (1, 3, 1, 3)]
    body = steps.render(pictures.gif(64, 64, PALETTE, frames), plan(21, 21, form, animated=True), LIMITS)
    got = oracle.frames_of(body)
    for number, colour in enumerate(((255, 0, 0), (0, 0, 255)) * 2):
        assert close(got[number][..., :3], colour, 6)


@pytest.mark.parametrize(("loop", "plays"), [(None, 1), (0, 0), (5, 6)])
def test_the_number_of_loops_is_kept(loop: int | None, plays: int) -> None:
    source = pictures.gif(SIDE, SIDE, PALETTE, FRAMES, loop=loop)
    for form in ("gif", "webp"):
        body = steps.render(source, plan(12, 12, form, animated=True), LIMITS)
        assert oracle.field(body, "loop") == plays


def test_an_animated_webp_stays_one(source: bytes) -> None:
    webp = steps.render(source, plan(SIDE, SIDE, "webp", animated=True, lossless=True), LIMITS)
    body = steps.render(webp, plan(SIDE, SIDE, "webp", animated=True, lossless=True), LIMITS)
    assert np.array_equal(rgba(oracle.frames_of(body)), rgba(played()))
    assert oracle.field(body, "delay") == DELAYS


def test_crop_and_padding_apply_to_every_frame(source: bytes) -> None:
    whole = {"resize_width": SIDE, "resize_height": SIDE, "animated": True, "lossless": True}
    got = oracle.frames_of(steps.render(source, plan(70, 60, "webp", gravity=(1.0, 1.0), **whole), LIMITS))
    assert np.array_equal(rgba(got), rgba(played()[:, 36:, 26:]))
    got = oracle.frames_of(steps.render(source, plan(120, 100, "webp", **whole), LIMITS))
    assert got.shape[:3] == (5, 100, 120)
    assert np.array_equal(rgba(got)[:, 2:98, 12:108], rgba(played()))


def test_frames_that_look_the_same_may_become_one_that_lasts_as_long() -> None:
    frames = [GifFrame(bytes([number]) * 64, 0, 0, 8, 8, delay=10 * number) for number in (1, 1, 3)]
    body = steps.render(pictures.gif(8, 8, PALETTE, frames), plan(8, 8, "webp", animated=True, lossless=True), LIMITS)
    assert oracle.field(body, "delay") in ([100, 100, 300], [200, 300])


def test_a_still_of_an_animation_is_its_first_frame(source: bytes) -> None:
    got = oracle.pixels_of(steps.render(source, plan(SIDE, SIDE, "png"), LIMITS))
    assert close(got[..., :3], (255, 0, 0), 0)


def test_a_one_frame_gif_is_a_still(source: bytes) -> None:
    single = pictures.gif(SIDE, SIDE, PALETTE, FRAMES[:1])
    assert facts.read(kinds.recognise(single), single, LIMITS).pages == 1
    body = steps.render(single, plan(12, 12, "webp", animated=True), LIMITS)
    assert close(oracle.pixels_of(body)[..., :3], (255, 0, 0), 4)


def test_an_animation_over_a_limit_is_refused_by_its_header(source: bytes) -> None:
    few = facts.Limits(max_pixels=LIMITS.max_pixels, max_frames=4, memory=LIMITS.memory)
    with pytest.raises(TooManyFrames):
        steps.render(source, plan(12, 12, "gif", animated=True), few)
    small = facts.Limits(max_pixels=SIDE * SIDE * 4, max_frames=600, memory=LIMITS.memory)
    with pytest.raises(TooManyPixels):
        steps.render(source, plan(12, 12, "gif", animated=True), small)


def test_the_frames_of_an_apng_are_counted_and_it_is_not_called_renderable() -> None:
    png = pictures.solid(8, 8, (1, 2, 3)).pngsave_buffer()
    control = b"acTL" + (3).to_bytes(4, "big") + (0).to_bytes(4, "big")
    apng = png[:33] + (8).to_bytes(4, "big") + control + b"\0\0\0\0" + png[33:]
    found = facts.read(kinds.recognise(apng), apng, LIMITS)
    assert (found.pages, found.renderable) == (3, False)


def test_the_demo_animation_shows_two_marbles_at_a_time() -> None:
    body = steps.render(pictures.animation(), plan(120, 120, "webp", animated=True), LIMITS)
    got = oracle.frames_of(body)
    assert got.shape[0] == 12
    covered = (got[..., 3] > 128).mean(axis=(1, 2))
    assert close(covered, covered[0], 0.01)


@pytest.mark.parametrize("seed", range(24))
def test_an_invented_gif_is_shown_as_browsers_show_it(seed: int) -> None:
    """All disposals, partial frames, local palettes, transparency, interlacing and times of 0 among them."""
    width, height, palette, frames = gifs.invented(seed)
    source = gifs.written(width, height, palette, frames)
    body = steps.render(source, plan(width, height, "webp", animated=True, lossless=True), LIMITS)
    assert np.array_equal(rgba(oracle.frames_of(body)), gifs.played(width, height, palette, frames))
    assert oracle.times_of(body) == [10 * frame.delay for frame in frames]
    again = steps.render(source, plan(width, height, "gif", animated=True), LIMITS)
    assert oracle.times_of(again) == [10 * frame.delay for frame in frames]


def test_what_no_frame_covers_is_transparent_and_a_cleared_area_too() -> None:
    palette = np.array([(200, 0, 0), (0, 200, 0)])
    frames = [
        gifs.Frame(np.zeros((4, 4), np.uint8), left=2, top=2, disposal=2),
        gifs.Frame(np.ones((2, 2), np.uint8), left=0, top=0),
    ]
    source = gifs.written(8, 8, palette, frames)
    assert facts.read(kinds.recognise(source), source, LIMITS).has_alpha
    got = rgba(oracle.frames_of(steps.render(source, plan(8, 8, "webp", animated=True, lossless=True), LIMITS)))
    assert np.array_equal(got, gifs.played(8, 8, palette, frames))
    still = oracle.pixels_of(steps.render(source, plan(8, 8, "png"), LIMITS))
    assert close(rgba(still[None])[0], got[0], 1)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (2100, 12)])
@pytest.mark.parametrize("disposal", [1, 2])
def test_a_canvas_that_its_first_frame_does_not_cover_keeps_its_size(width: int, height: int, disposal: int) -> None:
    palette = np.array([(200, 0, 0), (0, 200, 0)])
    frames = [
        gifs.Frame(np.zeros((4, 4), np.uint8), left=2, top=2, disposal=disposal, delay=7),
        gifs.Frame(np.ones((3, 30), np.uint8), left=width - 30, top=height - 3, delay=9),
    ]
    source = gifs.written(width, height, palette, frames)
    found = facts.read(kinds.recognise(source), source, LIMITS)
    assert (found.width, found.height, found.pages) == (width, height, 2)
    body = steps.render(source, plan(width, height, "webp", animated=True, lossless=True), LIMITS)
    expected = gifs.played(width, height, palette, frames)
    assert np.array_equal(rgba(oracle.frames_of(body)), expected)
    assert oracle.times_of(body) == [70, 90]
    still = oracle.pixels_of(steps.render(source, plan(width, height, "png"), LIMITS))
    assert close(rgba(still[None])[0], expected[0], 1)


@pytest.mark.parametrize("seed", range(12))
def test_an_invented_webp_is_shown_as_browsers_show_it(seed: int) -> None:
    """Partial frames that blend or replace, clear or stay, with times of 0."""
    width, height, frames = webps.invented(seed)
    source = webps.written(width, height, frames, loop=seed % 3)
    body = steps.render(source, plan(width, height, "webp", animated=True, lossless=True), LIMITS)
    got, expected = (premultiplied(array) for array in (oracle.frames_of(body), webps.played(width, height, frames)))
    assert close(got, expected, 6)
    assert oracle.times_of(body) == [frame.delay for frame in frames]
    assert oracle.field(body, "loop") == seed % 3


def premultiplied(frames: np.ndarray) -> np.ndarray:
    """Colours weighted by alpha, and alpha."""
    if frames.shape[-1] == 3:
        frames = np.concatenate([frames, np.full((*frames.shape[:3], 1), 255)], axis=3)
    weighted: np.ndarray = np.concatenate([frames[..., :3] * (frames[..., 3:] / 255), frames[..., 3:]], axis=3)
    return weighted


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["webp", "gif"])
def test_every_orientation_of_an_animated_webp_comes_out_upright(orientation: int, form: str) -> None:
    stored = [oracle.stored_for(oracle.quadrants(40, 24)[:, ::flip], orientation) for flip in (1, -1)]
    solid = [np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 255, np.uint8)], axis=2) for pixels in stored]
    exif = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x0112, 3, 1, orientation, 0)
    tall, wide = stored[0].shape[:2]
    frames = [webps.Frame(pixels) for pixels in solid]
    source = webps.written(wide, tall, frames, more={b"EXIF": exif, b"ICCP": pictures.display_p3()})
    for width, height in ((40, 24), (20, 12)):
        got = oracle.frames_of(steps.render(source, plan(width, height, form, animated=True), LIMITS))
        assert got.shape[:3] == (2, height, width)
        for frame, colours in zip(
            got, (pictures.QUADRANTS, [pictures.QUADRANTS[i] for i in (1, 0, 3, 2)]), strict=True
        ):
            assert close(oracle.centres(frame), [oracle.p3_as_srgb(colour) for colour in colours], 24)

"""Plans: who gets stored bytes, who a rendering, who a refusal."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.schema import Settings
from edge.policy.negotiate import OWN, accept_class
from edge.policy.plan import AssetFacts, Refused, Rendering, RenderPlan, Stored, decide, degraded, renderable, yielded
from edge.policy.quality import encoder_quality
from edge.policy.reasons import Detail
from edge.policy.sites import Sites
from edge.policy.variant import parse
from tests.edge.policy.samples import CHROME, CURL, FIREFOX_65, SITE, jpeg, picture, planned

ASSETS = Sites(
    Settings.model_validate(
        {"sites": [{"name": "a", "host": "a.example", "kind": "assets", "upstream": "http://127.0.0.1:3000"}]}
    )
).named("a")


def rendered(asset: AssetFacts, query: str = "", accept: str | None = CHROME, **others: Any) -> RenderPlan:
    """The plan of what must be a rendering."""
    plan = planned(asset, query, accept, **others)
    assert isinstance(plan, Rendering), plan
    return plan.plan


def test_the_speed_profile_is_part_of_the_plan_and_so_of_the_key() -> None:
    speed = Settings.model_validate({"render": {"profile": "speed"}}).render
    made = decide(jpeg(), parse("w=100", 8192), accept_class(CHROME), SITE, speed)
    assert isinstance(made, Rendering)
    assert made.plan.fast
    assert made.plan.canonical() != rendered(jpeg(), "w=100").canonical()


# What is not touched.


@pytest.mark.parametrize("content_type", ["text/plain", "video/mp4", "application/octet-stream", "image/bmp", ""])
@pytest.mark.parametrize("query", ["", "w=100", "format=webp&quality=5"])
def test_other_types_are_given_as_stored_whatever_the_query(content_type: str, query: str) -> None:
    assert planned(jpeg(content_type=content_type, format=""), query, CHROME) == Stored(None)


def test_assets_sites_never_change_a_byte() -> None:
    assert ASSETS is not None
    assert planned(jpeg(), "w=100&format=webp", CHROME, ASSETS) == Stored(None)


@pytest.mark.parametrize("query", ["", "w=100", "format=webp"])
def test_no_transform_forbids_everything(query: str) -> None:
    assert planned(jpeg(no_transform=True), query, CHROME) == Stored(Detail.NO_TRANSFORM)


@pytest.mark.parametrize(("query", "accept"), [("", CURL), ("", None), ("format=original", CHROME), ("t=1699", CURL)])
def test_who_names_no_format_gets_the_stored_bytes_unless_the_site_strips(query: str, accept: str | None) -> None:
    assert planned(jpeg(), query, accept) == Stored(None)
    assert planned(jpeg(), query, accept, replace(SITE, strip_always=True)) == Stored(None, strip=True)


@pytest.mark.parametrize("query", ["", "w=100", "w=100&h=100&fit=cover", "quality=50", "format=original", "blur=3"])
def test_a_vector_picture_stays_one_without_a_raster_format(query: str) -> None:
    plan = planned(picture("svg"), query, CHROME)
    assert isinstance(plan, Stored)
    assert not plan.strip
    assert planned(picture("svg", format="", width=0, height=0), "w=100", CHROME) == Stored(Detail.VECTOR)


def test_a_vector_picture_is_drawn_at_any_size_in_a_raster_format() -> None:
    plan = rendered(picture("svg", has_alpha=True), "w=2000&format=png", CURL)
    assert (plan.format, plan.width, plan.height, plan.background) == ("png", 2000, 1000, "")


# What is changed.


@pytest.mark.parametrize(("accept", "format"), [(CHROME, "avif"), (FIREFOX_65, "webp"), (CURL, "jpeg"), (None, "jpeg")])
def test_a_width_is_rendered_in_the_format_that_accept_names(accept: str | None, format: str) -> None:
    assert rendered(jpeg(), "w=100", accept).format == format
    assert planned(jpeg(), "w=100", accept).may_yield is False  # type: ignore[union-attr]


def test_a_format_that_the_url_names_is_given_whatever_accept_says() -> None:
    for accept in (CHROME, CURL, None, "text/html"):
        assert rendered(jpeg(), "format=webp", accept).format == "webp"


@pytest.mark.parametrize(("query", "may_yield"), [("", True), ("quality=50", True), ("w=5000", True), ("w=10", False)])
def test_only_a_plan_of_format_and_quality_may_yield_to_the_source(query: str, may_yield: bool) -> None:
    plan = planned(jpeg(), query, CHROME)
    assert isinstance(plan, Rendering)
    assert plan.may_yield is may_yield
    explicit = planned(jpeg(), "format=webp", CHROME)
    assert isinstance(explicit, Rendering)
    assert not explicit.may_yield


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_are_those_of_the_upright_picture(orientation: int) -> None:
    plan = rendered(jpeg(orientation=orientation), "w=100")
    assert (plan.width, plan.height) == ((100, 200) if orientation >= 5 else (100, 50))


def test_a_change_that_changes_nothing_gives_the_source_stripped() -> None:
    for query in ("w=5000", "format=jpeg", "w=1000&h=500&fit=cover", "bg=fff", "w=3000&h=1500&fit=fill"):
        assert planned(jpeg(), query, CURL) == Stored(Detail.UNCHANGED, strip=True), query
    assert planned(picture("png"), "quality=50", CURL) == Stored(Detail.UNCHANGED, strip=True)
    assert isinstance(planned(jpeg(), "quality=50", CURL), Rendering)
    assert isinstance(planned(picture("png", has_alpha=True), "bg=fff", CURL), Rendering)


def test_queries_of_one_meaning_have_one_plan() -> None:
    same = ("w=100&h=50", "w=100", "h=50", "w=50&dpr=2", "w=100&h=50&fit=cover", "w=100&h=50&fit=fill", "w=100&bg=fff")
    plans = {
        rendered(jpeg(), query).canonical() for query in (*same, "w=100&h=50&fit=pad&gravity=n", "w=100&enlarge=1")
    }
    assert len(plans) == 1


def test_animations_stay_animations_unless_a_still_format_is_named() -> None:
    gif = picture("gif", pages=10)
    assert planned(gif, "", CURL) == Stored(None)
    for accept, format in ((CHROME, "webp"), ("image/avif,*/*", "gif"), (CURL, "gif")):
        plan = rendered(gif, "w=100", accept)
        assert (plan.format, plan.animated) == (format, True)
    still = rendered(gif, "format=jpeg", CURL)
    assert (still.format, still.animated) == ("jpeg", False)


def test_an_animation_nobody_can_render_is_given_as_it_is() -> None:
    apng = picture("png", pages=10)
    assert planned(apng, "w=100", CHROME) == Stored(Detail.ANIMATION_KEPT, strip=True)
    assert rendered(apng, "format=jpeg", CURL).format == "jpeg"


@pytest.mark.parametrize(
    ("asset", "query", "background"),
    [
        (jpeg(), "w=100&h=100&fit=pad", "ffffff"),
        (jpeg(), "w=100&h=100&fit=pad&bg=000", "000000"),
        (picture("png", has_alpha=True), "w=100&h=100&fit=pad", ""),
        (picture("png", has_alpha=True), "w=100&bg=000", "000000"),
        (picture("png", has_alpha=True), "format=jpeg", "ffffff"),
        (picture("png", has_alpha=True), "format=jpeg&bg=00000080", "7f7f7f"),
        (picture("png", has_alpha=True), "format=webp&bg=00000080", "00000080"),
        (jpeg(), "w=100&bg=000", ""),
    ],
)
def test_the_background_is_in_the_plan_only_where_it_shows(asset: AssetFacts, query: str, background: str) -> None:
    assert rendered(asset, query).background == background


def test_a_profile_is_kept_only_for_clients_of_our_time() -> None:
    photograph = jpeg(has_profile=True)
    assert rendered(photograph, "w=100", CHROME).keep_profile
    assert not rendered(photograph, "w=100", CURL).keep_profile
    assert not rendered(jpeg(), "w=100", CHROME).keep_profile


def test_what_is_brighter_on_an_hdr_screen_stays_a_jpeg_where_its_gain_map_survives() -> None:
    bright = jpeg(gain_map=True)
    assert rendered(bright, "w=100", CHROME).format == "jpeg"
    assert rendered(bright, "w=100&h=100&fit=cover", CHROME).format == "avif"
    assert rendered(bright, "w=100&format=webp", CHROME).format == "webp"
    assert rendered(bright, "", CHROME).format == "avif"


def test_few_colours_stay_lossless_in_webp() -> None:
    plan = rendered(picture("png", palette=True), "", FIREFOX_65)
    assert (plan.lossless, plan.quality) == (True, 0)
    assert not rendered(picture("png", palette=True), "quality=50", FIREFOX_65).lossless
    assert not rendered(picture("png", palette=True), "w=100", FIREFOX_65).lossless


def test_a_placeholder_is_made_of_few_pixels_and_of_the_part_that_is_asked_for() -> None:
    for name in ("blurhash", "thumbhash", "color"):
        plan = rendered(jpeg(width=4000, height=3000), f"format={name}", CHROME)
        assert (plan.width, plan.height, plan.format, plan.quality, plan.animated) == (32, 24, name, 0, False)
    wide = jpeg(has_profile=True)
    assert rendered(wide, "format=color", CHROME) == rendered(wide, "format=color", CURL)
    square = rendered(jpeg(width=4000, height=3000), "w=200&h=200&fit=cover&format=blurhash", CURL)
    assert (square.width, square.height, square.resize_width, square.resize_height) == (32, 32, 43, 32)
    assert rendered(picture("gif", pages=9), "format=color", CHROME).animated is False
    assert rendered(picture("svg", width=64, height=64), "format=thumbhash", CHROME).width == 32


def test_auto_quality_aims_at_what_the_usual_quality_looks_like() -> None:
    plan = rendered(jpeg(), "w=100&quality=auto", CHROME)
    usual = rendered(jpeg(), "w=100", CHROME)
    assert plan == msgspec.structs.replace(usual, target=plan.target)
    assert 60 < plan.target < 85
    assert usual.target == 0
    assert rendered(picture("gif", pages=4), "w=100&quality=auto", CHROME).target == 0
    assert rendered(picture("png"), "w=100&quality=auto", CURL).target == 0
    assert rendered(jpeg(), "quality=auto", CURL).format == "jpeg"


# What cannot be rendered.

BROKEN = {
    Detail.UNREADABLE: (jpeg(format="", width=0, height=0), 415),
    Detail.DAMAGED: (jpeg(problem=Detail.DAMAGED), 422),
    Detail.TOO_LARGE: (jpeg(problem=Detail.TOO_LARGE), 413),
    Detail.TOO_MANY_PIXELS: (jpeg(width=20_000, height=20_000), 413),
    Detail.TOO_MANY_FRAMES: (picture("gif", width=9, height=9, pages=601), 413),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_what_cannot_be_rendered_passes_unless_a_change_was_asked_for(reason: Detail) -> None:
    asset, status = BROKEN[reason]
    assert planned(asset, "", CURL) == Stored(None)
    assert planned(asset, "", CHROME) == Stored(reason)
    assert planned(asset, "format=original", CHROME) == Stored(None)
    for query in ("w=100", "format=webp", "quality=50"):
        refused = planned(asset, query, CURL)
        assert isinstance(refused, Refused)
        assert (refused.status, refused.reason) == (status, reason)
        assert refused.message


def test_a_still_of_a_long_animation_counts_one_frame() -> None:
    assert rendered(picture("gif", pages=601), "format=png", CURL).format == "png"


def test_a_result_over_the_limit_passes_unless_asked_for() -> None:
    panorama = jpeg(width=10_000, height=100)
    assert planned(panorama, "", CHROME) == Stored(Detail.RESULT_TOO_LARGE)
    refused = planned(panorama, "format=webp", CHROME)
    assert isinstance(refused, Refused)
    assert refused.status == 413
    assert rendered(panorama, "w=9999", CHROME, max_side=16_000).width == 9999
    drawn_to_be_cropped = jpeg(width=10, height=10_000)
    assert isinstance(planned(drawn_to_be_cropped, "w=8000&h=8000&fit=cover&enlarge=1", CURL), Refused)


def test_a_failed_rendering_degrades_to_the_source_or_a_refusal() -> None:
    assert degraded(jpeg(), parse("", 100), SITE, Detail.QUEUE_FULL) == Stored(Detail.QUEUE_FULL)
    refused = degraded(jpeg(), parse("w=10", 100), SITE, Detail.QUEUE_FULL)
    assert isinstance(refused, Refused)
    assert refused.status == 503
    film = AssetFacts(content_type="video/mp4", size=1)
    assert degraded(film, parse("w=10", 100), SITE, Detail.DISK_FULL) == Stored(Detail.DISK_FULL)
    assert yielded() == Stored(Detail.NOT_SMALLER, strip=True)


def test_types_are_known_with_their_parameters_and_in_any_case() -> None:
    assert renderable("Image/JPEG; charset=binary")
    assert not renderable("image/vnd.djvu")


QUERIES = ["", "w=100", "h=7&dpr=2", "w=40&h=90&fit=cover&gravity=smart", "w=90&h=9&fit=pad", "format=avif", "blur=2"]


@given(
    st.sampled_from(["jpeg", "png", "gif", "webp", "avif", "tiff", "svg", ""]),
    st.integers(0, 30_000),
    st.integers(0, 30_000),
    st.integers(1, 700),
    st.integers(1, 8),
    st.booleans(),
    st.sampled_from(QUERIES),
    st.sampled_from([CHROME, FIREFOX_65, CURL, None]),
)
def test_every_rendering_is_within_the_limits(
    format: str, width: int, height: int, pages: int, orientation: int, alpha: bool, query: str, accept: str | None
) -> None:
    asset = picture(
        format or "jpeg",
        format=format,
        width=width,
        height=height,
        pages=pages,
        orientation=orientation,
        has_alpha=alpha,
    )
    plan = planned(asset, query, accept)
    if isinstance(plan, Rendering):
        made = plan.plan
        assert 1 <= made.width <= 8192
        assert 1 <= made.height <= 8192
        assert made.animated <= (made.format in ("gif", "webp"))
        assert made.format != "avif" or min(made.width, made.height) >= 16
        assert made.format != "jpeg" or made.quality
    elif isinstance(plan, Refused):
        assert parse(query, 8192).changes


def test_different_plans_have_different_texts() -> None:
    chrome = accept_class(CHROME)
    plans = [
        plan.plan
        for query, accept, pages in itertools.product(QUERIES, (chrome, OWN), (1, 2))
        if isinstance(plan := planned(picture("gif", pages=pages), query, accept), Rendering)
    ]
    assert len({plan.canonical() for plan in plans}) == len(set(plans))


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_quality_rises_with_the_number_and_keeps_its_range(format: str) -> None:
    numbers = [encoder_quality(format, quality) for quality in range(1, 101)]
    assert numbers == sorted(numbers)
    assert (numbers[0], numbers[-1]) == (1, 100)
    assert encoder_quality("png", 80) == encoder_quality("gif", 80) == 0

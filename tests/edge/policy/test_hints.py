"""Client hints: what they fill in, in steps, and that they can be neither an error nor a flood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.schema import Settings
from edge.policy.hints import DENSITIES, FIELDS, NAMES, WIDTHS, hinted
from edge.policy.hygiene import site_headers
from edge.policy.negotiate import OWN
from edge.policy.plan import Rendering, Stored, decide, degraded
from edge.policy.reasons import Detail
from edge.policy.sites import Sites
from edge.policy.variant import Variant, parse
from tests.edge.policy.samples import SETTINGS, SITE, jpeg

MAX_SIDE = 8192


def with_hints(query: str, **fields: str) -> Variant:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return hinted(parse(query, MAX_SIDE), query, headers, 80, MAX_SIDE)


@pytest.mark.parametrize(
    ("query", "fields", "same_as"),
    [
        ("w=100", {"sec_ch_dpr": "2"}, "w=200"),
        ("w=100", {"dpr": "1.25"}, "w=150"),
        ("w=100&h=50&fit=cover", {"sec_ch_dpr": "2.625"}, "w=300&h=150&fit=cover"),
        ("w=100&dpr=1", {"sec_ch_dpr": "3"}, "w=100"),
        ("w=100&%64pr=1", {"sec_ch_dpr": "3"}, "w=100"),
        ("w=100", {"sec_ch_dpr": "99"}, "w=300"),
        ("w=100", {"sec_ch_dpr": "2", "save_data": "on"}, "w=100&quality=50"),
        ("w=100&quality=90", {"save_data": "on"}, "w=100&quality=90"),
        ("w=100", {"save_data": "On; x=1"}, "w=100&quality=50"),
        ("w=100", {"sec_ch_width": "640"}, "w=100"),
        ("quality=70", {"sec_ch_width": "500"}, "w=640&quality=70"),
        ("quality=70", {"width": "641"}, "w=768&quality=70"),
        ("quality=70", {"sec_ch_width": "99999"}, "w=3840&quality=70"),
        ("quality=70", {"sec_ch_viewport_width": "400", "sec_ch_dpr": "2"}, "w=960&quality=70"),
        ("quality=70", {"sec_ch_width": "640", "sec_ch_dpr": "2", "save_data": "on"}, "w=320&quality=70"),
        ("format=original", {"sec_ch_width": "640", "save_data": "on"}, "format=original"),
        ("format=blurhash", {"sec_ch_width": "640"}, "format=blurhash"),
    ],
)
def test_a_hint_fills_in_what_the_url_leaves_open(query: str, fields: dict[str, str], same_as: str) -> None:
    assert with_hints(query, **fields) == parse(same_as, MAX_SIDE)


@pytest.mark.parametrize("junk", ["", "x", "-1", "0", "1e9", "1,2", "NaN", "999999999", '"2"', "٢"])
def test_what_cannot_be_read_is_nothing(junk: str) -> None:
    for name in NAMES:
        assert with_hints("w=100", **{name.replace("-", "_"): junk}) == parse("w=100", MAX_SIDE)
        assert with_hints("", **{name.replace("-", "_"): junk}) == Variant()


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=12) | st.integers(0, 10**6).map(str))))
def test_hints_cannot_mint_more_variants_than_there_are_steps(fields: list[tuple[str, str]]) -> None:
    plain = hinted(Variant(), "", dict(fields), 80, MAX_SIDE)
    assert plain.width in (0, *WIDTHS)
    assert plain.quality in (0, 50)
    sized = hinted(parse("w=100", MAX_SIDE), "w=100", dict(fields), 80, MAX_SIDE)
    assert sized.width in {int(100 * step) for step in DENSITIES}


def test_a_url_that_asks_for_nothing_is_never_worse_for_its_hints() -> None:
    variant = with_hints("", sec_ch_width="300")
    assert isinstance(decide(jpeg(), variant, OWN, SITE, SETTINGS.render), Rendering)
    damaged = jpeg(problem=Detail.DAMAGED)
    assert isinstance(decide(damaged, variant, OWN, SITE, SETTINGS.render), Stored)
    assert isinstance(degraded(jpeg(), variant, SITE, Detail.QUEUE_FULL), Stored)


def test_vary_names_the_hints_where_a_site_listens_and_only_there() -> None:
    site = {"name": "h", "host": "h.test", "bucket": "b", "hints": True}
    listening = Sites(Settings.model_validate({"sites": [site]})).named("h")
    assert site_headers(listening, "image/png")["Vary"] == ", ".join(("Accept", *FIELDS))
    assert site_headers(SITE, "image/png")["Vary"] == "Accept"

"""What a 304 or a HEAD makes of a stored answer."""

from __future__ import annotations

import pytest

from edge.policy.validation import NOT_UPDATED_AS_THEY_ARE, Verdict, freshened, head_verdict

DATE = "Fri, 20 Nov 2026 10:00:00 GMT"
STORED = {"etag": '"a"', "last-modified": DATE}


def test_a_validation_updates_what_it_mentions_but_not_what_describes_the_bytes() -> None:
    stored = {"cache-control": "max-age=1", "content-type": "image/png", "content-language": "de"}
    validation = {"cache-control": "max-age=9", "content-type": "text/html", "content-length": "0", "date": DATE}
    assert freshened(stored, validation) == stored | {"cache-control": "max-age=9", "date": DATE}


def test_where_answers_only_pass_their_type_is_updated_and_their_tag_is_not() -> None:
    stored = {"content-type": "a/b", "etag": '"a"', "content-encoding": "br"}
    validation = {"content-type": "c/d", "etag": '"b"', "content-encoding": "gzip", "connection": "x"}
    assert freshened(stored, validation, NOT_UPDATED_AS_THEY_ARE) == stored | {"content-type": "c/d"}


@pytest.mark.parametrize(
    ("status", "answer", "verdict"),
    [
        (200, {}, Verdict.CONFIRMED),
        (200, STORED | {"content-length": "3"}, Verdict.CONFIRMED),
        (200, {"etag": 'W/"a"'}, Verdict.CONFIRMED),
        (200, {"etag": '"b"'}, Verdict.CHANGED),
        (200, {"last-modified": "Fri, 20 Nov 2026 10:00:01 GMT"}, Verdict.CHANGED),
        (200, {"content-length": "4"}, Verdict.CHANGED),
        (410, {}, Verdict.CHANGED),
        (503, {}, Verdict.NOTHING),
        (301, {}, Verdict.NOTHING),
    ],
)
def test_a_head_confirms_or_shows_a_change(status: int, answer: dict[str, str], verdict: Verdict) -> None:
    assert head_verdict(status, STORED, 3, answer) is verdict

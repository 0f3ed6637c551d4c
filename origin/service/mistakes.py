"""What is wrong with lifecycle rules that are well formed: one table, in AWS's words.

The rule of this file: a pure function of the rules.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from origin.service.model import ServiceError
from origin.service.rules import DAY, Move, Rule, Rules

MOST_RULES = 1000
MOST_NEWER = 100
LONGEST_ID = 255
MIDNIGHT = 86400
LEAST_DAYS = 30
"""How long an object must have been stored before it moves to a class of infrequent access, in days."""
_INFREQUENT = frozenset({"STANDARD_IA", "ONEZONE_IA"})

# What is wrong with a rule, in the order in which it is told, in AWS's words.
_MISTAKES: tuple[tuple[Callable[[Rule], bool], str, str], ...] = (
    (
        lambda rule: len(rule.id) > LONGEST_ID,
        "InvalidArgument",
        f"ID length should not exceed allowed limit of {LONGEST_ID}",
    ),
    (
        lambda rule: (
            rule.expiration is None
            and rule.noncurrent is None
            and rule.abort_days is None
            and not rule.moves
            and not rule.noncurrent_moves
        ),
        "InvalidRequest",
        "At least one action needs to be specified in a rule",
    ),
    (
        lambda rule: rule.expiration is not None and rule.expiration.days is not None and rule.expiration.days < 1,
        "InvalidArgument",
        "'Days' for Expiration action must be a positive integer",
    ),
    (
        lambda rule: rule.expiration is not None and (rule.expiration.date or 0) % MIDNIGHT != 0,
        "InvalidArgument",
        "'Date' must be at midnight GMT",
    ),
    (
        lambda rule: any((move.date or 0) % MIDNIGHT != 0 for move in rule.moves),
        "InvalidArgument",
        "'Date' must be at midnight GMT",
    ),
    (
        lambda rule: any((move.days or 0) < 0 for move in rule.moves),
        "InvalidArgument",
        "'Days' in Transition action must be nonnegative",
    ),
    (
        lambda rule: any((move.days or 0) < 0 for move in rule.noncurrent_moves),
        "InvalidArgument",
        "'NoncurrentDays' in NoncurrentVersionTransition action must be nonnegative",
    ),
    (
        lambda rule: _repeats(rule.moves) or _repeats(rule.noncurrent_moves),
        "InvalidRequest",
        "'StorageClass' must be different for 'Transition' actions in same 'Rule'",
    ),
    (
        lambda rule: _mixes(rule),
        "InvalidRequest",
        "Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule",
    ),
    (
        lambda rule: _ends_before(rule),
        "InvalidArgument",
        "'Days' in the Expiration action must be greater than 'Days' in the Transition action",
    ),
    (
        lambda rule: rule.noncurrent is not None and rule.noncurrent.days < 1,
        "InvalidArgument",
        "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
    ),
    (
        lambda rule: (
            rule.noncurrent is not None
            and rule.noncurrent.newer is not None
            and not 1 <= rule.noncurrent.newer <= MOST_NEWER
        ),
        "InvalidArgument",
        f"'NewerNoncurrentVersions' must be between 1 and {MOST_NEWER}",
    ),
    (
        lambda rule: any(
            move.newer is not None and not 1 <= move.newer <= MOST_NEWER for move in rule.noncurrent_moves
        ),
        "InvalidArgument",
        f"'NewerNoncurrentVersions' must be between 1 and {MOST_NEWER}",
    ),
    (
        lambda rule: rule.abort_days is not None and rule.abort_days < 1,
        "InvalidArgument",
        "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer",
    ),
    (
        lambda rule: rule.filter is not None and any(value is not None and value < 0 for value in _sizes(rule)),
        "InvalidArgument",
        "Object sizes of a filter must not be negative",
    ),
    (
        lambda rule: _sizes_cross(*_sizes(rule)),
        "InvalidRequest",
        "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'",
    ),
    (
        lambda rule: rule.abort_days is not None and _picks_objects(rule),
        "InvalidRequest",
        "AbortIncompleteMultipartUpload cannot be specified with Tags or object sizes",
    ),
    (
        lambda rule: rule.expiration is not None and rule.expiration.markers is not None and _picks_objects(rule),
        "InvalidRequest",
        "ExpiredObjectDeleteMarker cannot be specified with Tags or object sizes",
    ),
)


def check_rules(rules: Rules, day: float) -> None:
    """Raise ServiceError where rules that are well formed make no sense.

    Where a `day` (in seconds) is shortened for tests, objects may move to a class of infrequent access earlier.
    """
    if len(rules) > MOST_RULES:
        raise ServiceError("InvalidRequest", f"The number of lifecycle rules must not exceed {MOST_RULES}")
    if len({rule.id for rule in rules}) != len(rules):
        raise ServiceError("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
    for rule in rules:
        for is_wrong, code, message in _MISTAKES:
            if is_wrong(rule):
                raise ServiceError(code, message, argument=rule.id)
        for kind, move in (("Transition", rule.moves), ("NoncurrentVersionTransition", rule.noncurrent_moves)):
            for one in move if day == DAY else ():
                if one.to in _INFREQUENT and one.days is not None and one.days < LEAST_DAYS:
                    raise ServiceError(
                        "InvalidArgument",
                        f"'Days' in {kind} action must be greater than or equal to {LEAST_DAYS} for storageClass"
                        f" '{one.to}'",
                        argument=rule.id,
                    )


def _sizes(rule: Rule) -> tuple[int | None, int | None]:
    return (None, None) if rule.filter is None else (rule.filter.greater, rule.filter.less)


def _sizes_cross(greater: int | None, less: int | None) -> bool:
    return greater is not None and less is not None and greater >= less


def _picks_objects(rule: Rule) -> bool:
    """True where the filter asks what neither an upload nor a delete marker has."""
    return rule.filter is not None and bool(rule.filter.tags or _sizes(rule) != (None, None))


def _repeats(moves: Sequence[Move]) -> bool:
    return len({move.to for move in moves}) != len(moves)


def _mixes(rule: Rule) -> bool:
    """True where some of a rule's ends of current versions are dates and others days."""
    found = [(move.days, move.date) for move in rule.moves]
    if rule.expiration is not None and rule.expiration.markers is None:
        found.append((rule.expiration.days, rule.expiration.date))
    return len({days is None for days, _ in found}) > 1


def _ends_before(rule: Rule) -> bool:
    """True where current versions, or past ones, would go before they move."""
    expire, noncurrent = rule.expiration, rule.noncurrent
    end = None if expire is None else expire.days
    past = None if noncurrent is None else noncurrent.days
    return any(end is not None and move.days is not None and move.days >= end for move in rule.moves) or any(
        past is not None and move.days is not None and move.days >= past for move in rule.noncurrent_moves
    )

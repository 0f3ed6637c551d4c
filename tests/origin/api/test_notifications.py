"""Promises of event notifications: configurations as AWS takes them, and what a webhook hears whatever fails."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from origin.jobs.webhooks import PublicResolver, is_public
from tests.origin.api.conftest import PATIENCE, Origin, running
from tests.origin.api.test_access import refused

QUEUE = "arn:aws:sqs:us-east-1:000000000000:uploads"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:resize"
TOPIC = "arn:aws:sns:us-east-1:000000000000:removals"
SECRET = "a secret of sixteen or more"


class Hook:
    """A webhook that keeps what it hears, and answers with the statuses it is given first, then 200."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.statuses: list[int] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = hook.statuses.pop(0) if hook.statuses else 200
                if status == 200:
                    hook.bodies.append(body)
                    hook.headers.append({name.lower(): value for name, value in self.headers.items()})
                    hook.heard.append(json.loads(body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/s3?from=facet"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [record for message in self.heard for record in message.get("Records", [])]

    def until(self, count: int) -> list[dict[str, Any]]:
        """The records heard, once there are so many."""
        return wait_for(lambda: self.records if len(self.records) >= count else None)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def wait_for(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come")


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    one = Hook()
    yield one
    one.close()


def destinations(hook: Hook) -> str:
    return json.dumps(
        [
            {"arn": QUEUE, "url": hook.url, "token": "Bearer of-news", "secret": SECRET},
            {"arn": TOPIC, "url": hook.url.replace("127.0.0.1", "localhost")},
            {"arn": FUNCTION, "url": hook.url.replace("127.0.0.1", "localhost"), "private": True},
        ]
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, hook: Hook) -> Iterator[Origin]:
    """An origin that knows a webhook by two names, of which one leads to a private address."""
    data = tmp_path_factory.mktemp("told") / "data"
    more = {"DESTINATIONS": destinations(hook), "NOTIFICATIONS_BACKOFF": "0.2", "ORIGIN_SYNC": "false"}
    with running(data, ORIGIN_LIFECYCLE_DAY="1", **more) as one:
        yield one


@pytest.fixture
def news(told: Origin, hook: Hook, request: pytest.FixtureRequest) -> Iterator[tuple[Any, str]]:
    """A client and a new bucket; what was heard before is forgotten."""
    s3, bucket = told.s3(), f"n{abs(hash(request.node.name)) % 10**9}"
    s3.create_bucket(Bucket=bucket)
    hook.heard.clear()
    yield s3, bucket
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})


def configure(s3: Any, bucket: str, *events: str, arn: str = QUEUE, **more: Any) -> None:
    queue = {"Id": "one", "QueueArn": arn, "Events": list(events), **more}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [queue]})


def keyed(**rules: str) -> dict[str, Any]:
    return {"Key": {"FilterRules": [{"Name": name, "Value": value} for name, value in rules.items()]}}


def test_configurations_read_back_and_end(news: tuple[Any, str]) -> None:
    s3, bucket = news
    found = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert set(found) == {"ResponseMetadata"}
    written = {
        "QueueConfigurations": [
            {"Id": "a", "QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"], "Filter": keyed(Prefix="in/", Suffix="g")}
        ],
        "TopicConfigurations": [{"Id": "b", "TopicArn": TOPIC, "Events": ["s3:ObjectRemoved:Delete"]}],
    }
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=written)
    found = s3.get_bucket_notification_configuration(Bucket=bucket)
    del found["ResponseMetadata"]
    assert found == written
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    assert set(s3.get_bucket_notification_configuration(Bucket=bucket)) == {"ResponseMetadata"}


PUT, ANY = ["s3:ObjectCreated:Put"], ["s3:ObjectCreated:*"]


@pytest.mark.parametrize(
    "queues",
    [
        [{"QueueArn": "arn:aws:sqs:us-east-1:000000000000:unknown", "Events": PUT}],
        [{"QueueArn": TOPIC, "Events": PUT}],
        [{"QueueArn": "uploads", "Events": PUT}],
        [{"QueueArn": QUEUE, "Events": ["s3:ObjectEaten"]}],
        [{"QueueArn": QUEUE, "Events": PUT, "Filter": keyed(middle="x")}],
        [{"QueueArn": QUEUE, "Events": PUT, "Filter": keyed(prefix="a", Prefix="b")}],
        [{"QueueArn": QUEUE, "Events": PUT}, {"QueueArn": QUEUE, "Events": ANY}],
        [{"QueueArn": QUEUE, "Events": PUT, "Filter": keyed(prefix="a")},
         {"QueueArn": QUEUE, "Events": PUT, "Filter": keyed(prefix="ab", suffix="c")}],
        [{"Id": "x", "QueueArn": QUEUE, "Events": PUT, "Filter": keyed(prefix="a")},
         {"Id": "x", "QueueArn": QUEUE, "Events": PUT, "Filter": keyed(prefix="b")}],
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_is_refused(news: tuple[Any, str], queues: list[dict[str, Any]]) -> None:
    s3, bucket = news
    wish = {"QueueConfigurations": queues}
    code = refused(lambda: s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=wish))
    assert code == "InvalidArgument"


def test_configurations_with_filters_that_never_meet_stand_side_by_side(news: tuple[Any, str]) -> None:
    s3, bucket = news
    queues = [{"QueueArn": QUEUE, "Events": ANY, "Filter": keyed(prefix="a/", suffix=one)} for one in (".jpg", ".png")]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": queues})


def test_a_destination_hears_first_that_it_is_one(news: tuple[Any, str], hook: Hook) -> None:
    s3, bucket = news
    configure(s3, bucket, "s3:ObjectCreated:*")
    first = wait_for(lambda: [message for message in hook.heard if message.get("Bucket") == bucket])[0]
    assert (first["Event"], first["Service"]) == ("s3:TestEvent", "Amazon S3")


def test_a_record_says_what_happened_to_what_by_whom(news: tuple[Any, str], hook: Hook, told: Origin) -> None:
    s3, bucket = news
    configure(s3, bucket, "s3:ObjectCreated:*")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    made = s3.put_object(Bucket=bucket, Key="a b/ü+.jpg", Body=b"four")
    [record] = hook.until(1)
    assert record["eventName"] == "ObjectCreated:Put"
    assert (record["eventSource"], record["awsRegion"], record["eventVersion"]) == ("aws:s3", "us-east-1", "2.1")
    assert record["requestParameters"] == {"sourceIPAddress": "127.0.0.1"}
    assert record["responseElements"]["x-amz-request-id"] == made["ResponseMetadata"]["RequestId"]
    owner = s3.list_buckets()["Owner"]["ID"]
    assert record["userIdentity"] == {"principalId": owner}
    assert record["s3"]["configurationId"] == "one"
    assert record["s3"]["bucket"] == {
        "name": bucket, "ownerIdentity": {"principalId": owner}, "arn": f"arn:aws:s3:::{bucket}"
    }  # fmt: skip
    found = record["s3"]["object"]
    assert (found["key"], found["size"], found["eTag"]) == ("a+b/%C3%BC%2B.jpg", 4, made["ETag"].strip('"'))
    assert found["versionId"] == made["VersionId"]


def test_every_kind_of_change_has_its_event_in_order(news: tuple[Any, str], hook: Hook) -> None:
    s3, bucket = news
    names = ("ObjectCreated:*", "ObjectRemoved:*", "ObjectTagging:*", "ObjectAcl:Put")
    configure(s3, bucket, *(f"s3:{name}" for name in names))
    at = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**at, Body=b"x")
    s3.put_object_tagging(**at, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    s3.delete_object_tagging(**at)
    s3.put_object_acl(**at, ACL="public-read")
    s3.copy_object(**at, CopySource=at, MetadataDirective="REPLACE")
    upload = s3.create_multipart_upload(**at)["UploadId"]
    part = s3.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"y")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload=parts)
    s3.delete_object(**at)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.delete_object(**at)
    heard = hook.until(8)
    assert [record["eventName"] for record in heard] == [
        "ObjectCreated:Put", "ObjectTagging:Put", "ObjectTagging:Delete", "ObjectAcl:Put", "ObjectCreated:Copy",
        "ObjectCreated:CompleteMultipartUpload", "ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated",
    ]  # fmt: skip
    sequencers = [record["s3"]["object"]["sequencer"] for record in heard]
    assert sequencers == sorted(set(sequencers))


def test_only_keys_of_the_filter_and_events_of_the_list_are_told(news: tuple[Any, str], hook: Hook) -> None:
    s3, bucket = news
    configure(s3, bucket, "s3:ObjectCreated:Put", Filter=keyed(prefix="in/", suffix=".jpg"))
    for key in ("in/a.png", "out/a.jpg", "in/a.jpg"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.copy_object(Bucket=bucket, Key="in/b.jpg", CopySource={"Bucket": bucket, "Key": "in/a.jpg"})
    s3.put_object(Bucket=bucket, Key="in/last.jpg", Body=b"x")
    assert [record["s3"]["object"]["key"] for record in hook.until(2)] == ["in/a.jpg", "in/last.jpg"]


def test_what_lifecycle_rules_do_is_told_as_such(news: tuple[Any, str], hook: Hook) -> None:
    s3, bucket = news
    configure(s3, bucket, "s3:LifecycleExpiration:*", "s3:LifecycleTransition")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    rule = {
        "ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 4},
        "Transitions": [{"Days": 0, "StorageClass": "GLACIER"}],
    }  # fmt: skip
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    assert [record["eventName"] for record in hook.until(2)] == ["LifecycleTransition", "LifecycleExpiration:Delete"]


def test_a_message_carries_the_token_and_is_signed(news: tuple[Any, str], hook: Hook) -> None:
    s3, bucket = news
    configure(s3, bucket, "s3:ObjectCreated:*")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    hook.until(1)
    headers, body = hook.headers[-1], hook.bodies[-1]
    assert (headers["authorization"], headers["content-type"]) == ("Bearer of-news", "application/json")
    made, mac = (piece.partition("=")[2] for piece in headers["x-facet-signature"].split(","))
    assert abs(time.time() - int(made)) < PATIENCE
    assert mac == hmac.new(SECRET.encode(), f"{made}.".encode() + body, hashlib.sha256).hexdigest()


def test_what_a_webhook_refuses_is_sent_again_and_nothing_overtakes_it(news: tuple[Any, str], hook: Hook) -> None:
    s3, bucket = news
    configure(s3, bucket, "s3:ObjectCreated:*")
    wait_for(lambda: hook.heard)
    hook.statuses[:] = [500, 404, 302, 503]
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=str(number), Body=b"x")
    heard = hook.until(5)
    assert [record["s3"]["object"]["key"] for record in heard] == list("01234")
    assert hook.statuses == []


def test_a_host_name_that_leads_inside_is_not_asked_and_keeps_nobody_else_waiting(
    news: tuple[Any, str], hook: Hook, told: Origin
) -> None:
    s3, bucket = news
    both = {
        "TopicConfigurations": [{"Id": "inside", "TopicArn": TOPIC, "Events": PUT, "Filter": keyed(prefix="a")}],
        "QueueConfigurations": [{"Id": "one", "QueueArn": QUEUE, "Events": PUT, "Filter": keyed(prefix="b")}],
    }
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=both)
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    s3.put_object(Bucket=bucket, Key="b", Body=b"x")
    assert [record["s3"]["configurationId"] for record in hook.until(1)] == ["one"]
    log = told.data.parent / f"{told.data.name}.log"
    wait_for(lambda: f'"arn":"{TOPIC}"' in log.read_text().replace('": "', '":"'))
    assert "localhost" not in log.read_text()  # a URL may hold a secret
    assert SECRET not in log.read_text()


def test_a_host_name_leads_inside_where_the_settings_allow_it(news: tuple[Any, str], hook: Hook) -> None:
    s3, bucket = news
    function = {"Id": "f", "LambdaFunctionArn": FUNCTION, "Events": PUT}
    wish = {"LambdaFunctionConfigurations": [function]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=wish)
    assert s3.get_bucket_notification_configuration(Bucket=bucket)["LambdaFunctionConfigurations"] == [function]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert hook.until(1)[0]["s3"]["configurationId"] == "f"
    assert "x-facet-signature" not in hook.headers[-1]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("10.1.2.3", False), ("127.0.0.1", False), ("::1", False),
        ("169.254.169.254", False), ("::ffff:10.0.0.1", False), ("100.64.0.1", False), ("fe80::1%eth0", False),
        ("0.0.0.0", False), ("224.0.0.1", False), ("fd00::1", False),
    ],
)  # fmt: skip
def test_an_address_is_public_or_it_is_not(address: str, public: bool) -> None:
    assert is_public(address) is public


async def test_a_name_of_nothing_but_private_addresses_has_none() -> None:
    resolver = PublicResolver()
    with pytest.raises(OSError, match="no public address"):
        await resolver.resolve("localhost", 80)
    await resolver.close()


def test_what_could_not_be_told_is_told_after_a_kill_and_a_restart(tmp_path: Path) -> None:
    hook = Hook()
    hook.statuses[:] = [503] * 10_000
    more = {"DESTINATIONS": destinations(hook), "NOTIFICATIONS_BACKOFF": "0.2"}
    data = tmp_path / "data"
    with running(data, **more) as origin:
        s3 = origin.s3()
        s3.create_bucket(Bucket="bucket")
        configure(s3, "bucket", "s3:ObjectCreated:*")
        for number in range(3):
            s3.put_object(Bucket="bucket", Key=str(number), Body=b"x")
        wait_for(lambda: len(hook.statuses) < 9_999)
        origin.process.kill()
        origin.process.wait()
    assert hook.heard == []
    hook.statuses.clear()
    with running(data, **more):
        assert [record["s3"]["object"]["key"] for record in hook.until(3)] == ["0", "1", "2"]
        assert hook.heard[0]["Event"] == "s3:TestEvent"
    hook.close()

"""Promises of website hosting: configurations as AWS takes them, and what a visitor of the website endpoint gets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.origin.api.conftest import Origin, Reply
from tests.origin.api.test_access import refused

DOMAIN = "s3-website.example.test"
INDEX = {"IndexDocument": {"Suffix": "index.html"}}
ERROR = {"ErrorDocument": {"Key": "error.html"}}
ELSEWHERE = {"HostName": "other.example.test"}


def visit(origin: Origin, bucket: str, path: str = "/", method: str = "GET", **headers: str) -> Reply:
    lines = {"Host": f"{bucket}.{DOMAIN}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return origin.ask(method, path, lines, signed=False)


def configure(s3: Any, bucket: str, **site: Any) -> None:
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=site)


def page(s3: Any, bucket: str, key: str, text: str = "", **more: Any) -> None:
    s3.put_object(
        Bucket=bucket, Key=key, Body=(text or key).encode(),
        **({"ACL": "public-read", "ContentType": "text/html"} | more),
    )  # fmt: skip


def routed(redirect: dict[str, str], **condition: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"Redirect": redirect}
    if condition:
        rule["Condition"] = condition
    return {**INDEX, "RoutingRules": [rule]}


@pytest.mark.parametrize(
    "site",
    [
        INDEX,
        {**INDEX, **ERROR},
        {"RedirectAllRequestsTo": ELSEWHERE},
        {"RedirectAllRequestsTo": {**ELSEWHERE, "Protocol": "https"}},
        routed({"ReplaceKeyPrefixWith": "documents/"}, KeyPrefixEquals="docs/"),
        routed(
            {**ELSEWHERE, "Protocol": "https", "HttpRedirectCode": "307", "ReplaceKeyWith": "gone"},
            HttpErrorCodeReturnedEquals="404",
        ),
        routed(ELSEWHERE),
    ],
)
def test_a_website_reads_back_as_it_was_written(s3: Any, bucket: str, site: dict[str, Any]) -> None:
    configure(s3, bucket, **site)
    found = s3.get_bucket_website(Bucket=bucket)
    del found["ResponseMetadata"]
    assert found == site
    s3.delete_bucket_website(Bucket=bucket)
    assert refused(lambda: s3.get_bucket_website(Bucket=bucket)) == "NoSuchWebsiteConfiguration"
    s3.delete_bucket_website(Bucket=bucket)


@pytest.mark.parametrize(
    ("site", "code"),
    [
        ({"RedirectAllRequestsTo": ELSEWHERE, **INDEX}, "InvalidRequest"),
        (ERROR, "InvalidArgument"),
        ({"IndexDocument": {"Suffix": "a/index.html"}}, "InvalidArgument"),
        ({"IndexDocument": {"Suffix": ""}}, "InvalidArgument"),
        (routed({"ReplaceKeyWith": "a", "ReplaceKeyPrefixWith": "b"}), "InvalidRequest"),
        (routed({"Protocol": "ftp"}), "InvalidRequest"),
        (routed({"HttpRedirectCode": "200", **ELSEWHERE}), "InvalidRequest"),
        (routed({"HttpRedirectCode": "300", **ELSEWHERE}), "InvalidRequest"),
        (routed({}), "MalformedXML"),
        (routed(ELSEWHERE, HttpErrorCodeReturnedEquals="200"), "InvalidRequest"),
        ({**INDEX, "RoutingRules": [{"Redirect": ELSEWHERE}] * 51}, "InvalidRequest"),
        ({**INDEX, "RoutingRules": [{"Redirect": ELSEWHERE, "Condition": {}}]}, "InvalidRequest"),
    ],
)
def test_a_website_that_cannot_be_is_refused(s3: Any, bucket: str, site: dict[str, Any], code: str) -> None:
    assert refused(lambda: configure(s3, bucket, **site)) == code


def test_a_visitor_gets_index_documents_and_objects_with_their_headers(origin: Origin, s3: Any, bucket: str) -> None:
    configure(s3, bucket, **INDEX)
    for key in ("index.html", "a/index.html", "a b/ü.html"):
        page(s3, bucket, key, CacheControl="max-age=60")
    for path, key in (("/", "index.html"), ("/a/", "a/index.html"), ("/a%20b/%C3%BC.html", "a b/ü.html")):
        reply = visit(origin, bucket, path)
        assert (reply.status, reply.body.decode()) == (200, key)
        assert (reply.headers["content-type"], reply.headers["cache-control"]) == ("text/html", "max-age=60")
    part = visit(origin, bucket, "/", Range="bytes=0-4")
    assert (part.status, part.body, part.headers["content-range"]) == (206, b"index", "bytes 0-4/10")
    again = visit(origin, bucket, "/", If_None_Match=part.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    head = visit(origin, bucket, "/", "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "10")


def test_a_folder_without_its_slash_is_sent_to_it(origin: Origin, s3: Any, bucket: str) -> None:
    configure(s3, bucket, **INDEX)
    page(s3, bucket, "a/index.html")
    reply = visit(origin, bucket, "/a")
    assert (reply.status, reply.headers["location"]) == (302, "/a/")
    assert visit(origin, bucket, "/b").status == 403  # who may not list learns nothing of what is missing


def test_what_anonymous_readers_may_not_read_is_an_error_page(origin: Origin, s3: Any, bucket: str) -> None:
    configure(s3, bucket, **INDEX)
    page(s3, bucket, "index.html", ACL="private")
    reply = visit(origin, bucket)
    assert reply.status == 403
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["x-amz-error-code"] == "AccessDenied"
    assert b"<h1>403 Forbidden</h1>" in reply.body
    assert b"<li>Code: AccessDenied</li>" in reply.body
    signed = origin.ask("GET", "/", {"Host": f"{bucket}.{DOMAIN}"})
    assert signed.status == 403  # nobody signs at a website endpoint


def test_a_missing_key_shows_the_error_document_with_its_own_status(origin: Origin, s3: Any, bucket: str) -> None:
    configure(s3, bucket, **INDEX, **ERROR)
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    page(s3, bucket, "error.html", "not here")
    reply = visit(origin, bucket, "/missing", Range="bytes=0-1")
    assert (reply.status, reply.body, reply.headers["x-amz-error-code"]) == (404, b"not here", "NoSuchKey")
    assert visit(origin, bucket, "/missing", "HEAD").body == b""
    s3.delete_object(Bucket=bucket, Key="error.html")
    body = visit(origin, bucket, "/missing").body
    assert b"<li>Key: missing</li>" in body
    assert b"An Error Occurred While Attempting to Retrieve a Custom Error Document" in body


def test_names_in_error_pages_are_text(origin: Origin, s3: Any, bucket: str) -> None:
    configure(s3, bucket, **INDEX)
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    body = visit(origin, bucket, "/%3Cscript%3Ealert(1)%3C/script%3E").body
    assert b"<script>" not in body
    assert b"&lt;script&gt;" in body


@pytest.mark.parametrize(
    ("redirect", "condition", "path", "status", "to"),
    [
        ({"ReplaceKeyPrefixWith": "documents/"}, {"KeyPrefixEquals": "docs/"}, "/docs/a", 301, "http://{}/documents/a"),
        ({"ReplaceKeyPrefixWith": "documents/"}, {"KeyPrefixEquals": "docs/"}, "/other", 403, None),
        ({"ReplaceKeyWith": "gone.html"}, {"KeyPrefixEquals": "images/"}, "/images/1", 301, "http://{}/gone.html"),
        ({**ELSEWHERE, "ReplaceKeyPrefixWith": "r-403/"}, {"HttpErrorCodeReturnedEquals": "403"}, "/x%20y", 301,
         "http://other.example.test/r-403/x%20y"),
        ({**ELSEWHERE, "Protocol": "https", "HttpRedirectCode": "307"}, {}, "/a/", 307, "https://other.example.test/a/"),
        ({"ReplaceKeyPrefixWith": "#!/"}, {"HttpErrorCodeReturnedEquals": "403"}, "/deep", 301, "http://{}/#!/deep"),
        ({"ReplaceKeyWith": "x"}, {"HttpErrorCodeReturnedEquals": "403", "KeyPrefixEquals": "a"}, "/b", 403, None),
        ({"ReplaceKeyWith": "é\nSet-Cookie: a"}, {"KeyPrefixEquals": "n"}, "/n", 301,
         "http://{}/%C3%A9%0ASet-Cookie:%20a"),
    ],
)  # fmt: skip
def test_routing_rules_send_visitors_on(
    origin: Origin, s3: Any, bucket: str, redirect: Any, condition: Any, path: str, status: int, to: str | None
) -> None:
    configure(s3, bucket, **routed(redirect, **condition))
    reply = visit(origin, bucket, path)
    assert reply.status == status
    assert reply.headers.get("location") == (None if to is None else to.format(f"{bucket}.{DOMAIN}"))


def test_everything_is_sent_to_another_host(origin: Origin, s3: Any, bucket: str) -> None:
    configure(s3, bucket, RedirectAllRequestsTo=ELSEWHERE)
    assert visit(origin, bucket, "/a/b?c=1").headers["location"] == "http://other.example.test/a/b?c=1"
    secure = visit(origin, bucket, "/", X_Forwarded_Proto="https")
    assert (secure.status, secure.headers["location"]) == (301, "https://other.example.test/")


def test_an_object_sends_visitors_where_it_says(origin: Origin, s3: Any, bucket: str) -> None:
    configure(s3, bucket, **INDEX)
    page(s3, bucket, "old", WebsiteRedirectLocation="/new")
    reply = visit(origin, bucket, "/old")
    assert (reply.status, reply.headers["location"]) == (301, "/new")
    assert s3.get_object(Bucket=bucket, Key="old")["WebsiteRedirectLocation"] == "/new"
    assert refused(lambda: page(s3, bucket, "old", WebsiteRedirectLocation="javascript:x")) == "InvalidRedirectLocation"


def test_a_website_endpoint_only_reads(origin: Origin, s3: Any, bucket: str) -> None:
    configure(s3, bucket, **INDEX)
    for method in ("PUT", "POST", "DELETE"):
        reply = visit(origin, bucket, "/index.html", method)
        assert (reply.status, reply.headers["x-amz-error-code"]) == (405, "MethodNotAllowed")


@pytest.mark.parametrize("name", ["no-such-bucket", ""])
def test_a_host_without_a_website_is_an_error_page(origin: Origin, bucket: str, name: str) -> None:
    reply = origin.ask("GET", "/", {"Host": f"{name}.{DOMAIN}".removeprefix(".")}, signed=False)
    assert (reply.status, reply.headers["x-amz-error-code"]) == (404, "NoSuchBucket")
    assert visit(origin, bucket).headers["x-amz-error-code"] == "NoSuchWebsiteConfiguration"


def test_a_host_may_be_the_name_of_a_website_and_a_domain_never_of_a_bucket(origin: Origin, s3: Any) -> None:
    s3.create_bucket(Bucket="www.example.test")
    configure(s3, "www.example.test", **INDEX)
    page(s3, "www.example.test", "index.html", "home")
    assert origin.ask("GET", "/", {"Host": "WWW.example.test:8080"}, signed=False).body == b"home"
    assert refused(lambda: s3.create_bucket(Bucket=DOMAIN)) == "InvalidBucketName"


def test_a_website_answers_cross_origin_requests_by_the_buckets_rules(origin: Origin, s3: Any, bucket: str) -> None:
    configure(s3, bucket, **INDEX)
    page(s3, bucket, "index.html")
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://a.test"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    assert visit(origin, bucket, Origin="https://a.test").headers["access-control-allow-origin"] == "https://a.test"
    asked = {"Origin": "https://a.test", "Access_Control_Request_Method": "GET"}
    assert visit(origin, bucket, "/", "OPTIONS", **asked).status == 200

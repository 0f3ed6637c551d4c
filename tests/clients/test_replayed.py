"""Clients that cannot be installed here, replayed: the requests that their sources and pages document.

The rule of this file: each test says where its requests are documented; URLs are signed here by hand where the client
signs them differently from every SDK (the order of the query, an empty region, hoisted fields).
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import http.client
import re
from urllib.parse import quote

from tests.clients.house import ROOT
from tests.running import Running


class Client:
    """Requests with exactly the given fields, signed in the query as the client does."""

    def __init__(self, facet: Running, region: str = "us-east-1") -> None:
        self.address, self._region = facet.origin.removeprefix("http://"), region

    def presigned(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        signed: dict[str, str] | None = None,
        *,
        first: bool = False,
    ) -> str:
        """The target for `method`: SigV4 in the query, valid for ten minutes; X-Amz-Signature first if asked for."""
        fields = {"host": self.address} | {name.lower(): value for name, value in (signed or {}).items()}
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{self._region}/s3/aws4_request"
        everything = query | {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{ROOT.access}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": "600",
            "X-Amz-SignedHeaders": ";".join(sorted(fields)),
        }
        pairs = "&".join(f"{quote(name, '')}={quote(value, '')}" for name, value in sorted(everything.items()))
        head = "".join(f"{name}:{value}\n" for name, value in sorted(fields.items()))
        names = everything["X-Amz-SignedHeaders"]
        request = f"{method}\n{path}\n{pairs}\n{head}\n{names}\nUNSIGNED-PAYLOAD"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{ROOT.secret}".encode()
        for part in (stamp[:8], self._region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        ordered = [f"X-Amz-Signature={signature}", pairs] if first else [pairs, f"X-Amz-Signature={signature}"]
        return f"{path}?{'&'.join(ordered)}"

    def send(
        self, method: str, target: str, body: bytes | None = None, **fields: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, fields (lower case), body."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            headers = {name.replace("_", "-"): value for name, value in fields.items()}
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()


def test_pict_rs_does_everything_through_presigned_urls(facet: Running) -> None:
    """pict-rs src/store/object_store.rs (rusty-s3 `.sign()`): HEAD bucket, PUT, parts with Content-MD5, GET with
    `Range: bytes=0-`, HEAD, DELETE; older versions sign with an empty region."""
    bucket = "pict-rs"
    facet.s3().create_bucket(Bucket=bucket)
    body = b"x" * (5 << 20) + b"the end"
    for region in ("us-east-1", ""):
        client, path = Client(facet, region), f"/{bucket}/a1/b2/c3/0f6c1c4e-{region or 'none'}"

        def url(method: str, where: str = path, client: Client = client, **query: str) -> str:
            return client.presigned(method, where, query)

        assert client.send("HEAD", url("HEAD", f"/{bucket}"))[0] == 200
        assert client.send("PUT", url("PUT"), b"small", content_type="image/webp")[0] == 200
        status, fields, read = client.send("GET", url("GET"), range="bytes=0-")
        assert (status, read, fields["content-range"]) == (206, b"small", "bytes 0-4/5")
        status, fields, _ = client.send("HEAD", url("HEAD"))
        assert (status, fields["content-length"], fields["content-type"]) == (200, "5", "image/webp")
        assert client.send("DELETE", url("DELETE"))[0] == 204

        status, _, answer = client.send("POST", url("POST", uploads="1"), content_type="video/mp4")
        assert status == 200
        upload = re.search(rb"<UploadId>(.+)</UploadId>", answer)
        assert upload
        query = {"uploadId": upload[1].decode()}
        tags = []
        for number, part in enumerate((body[: 5 << 20], body[5 << 20 :]), 1):
            md5 = base64.b64encode(hashlib.md5(part).digest()).decode()
            target = client.presigned("PUT", path, query | {"partNumber": str(number)}, {"content-md5": md5})
            status, fields, _ = client.send("PUT", target, part, content_md5=md5)
            assert status == 200
            tags.append(fields["etag"])
        parts = "".join(
            f"<Part><ETag>{tag}</ETag><PartNumber>{at}</PartNumber></Part>" for at, tag in enumerate(tags, 1)
        )
        done = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        assert client.send("POST", client.presigned("POST", path, query), done)[0] == 200
        assert client.send("GET", url("GET"), range="bytes=0-")[2] == body


def test_ejabberds_urls_carry_type_length_and_acl_in_their_query(facet: Running) -> None:
    """ejabberd-contrib mod_s3_upload (aws_util.erl, mod_s3_upload.erl): only the host is signed, X-Amz-Signature comes
    first, Content-Type, Content-Length and X-Amz-Acl are in the query; any XMPP client then sends the body."""
    client, path = Client(facet), "/xmpp/0a4d55a8/Xw3kQ/photo.jpg"
    facet.s3().create_bucket(Bucket="xmpp")
    query = {"Content-Type": "image/jpeg", "Content-Length": "5", "X-Amz-Acl": "public-read"}
    target = client.presigned("PUT", path, query, first=True)
    assert client.send("PUT", target, b"photo", content_type="image/jpeg")[0] == 200
    status, fields, body = client.send("GET", path)
    assert (status, fields["content-type"], body) == (200, "image/jpeg", b"photo")
    assert client.send("PUT", target, b"much longer than agreed", content_type="image/jpeg")[0] in (400, 403)
    assert client.send("GET", path)[2] == b"photo"


def test_ente_signs_length_and_md5_of_every_upload(facet: Running) -> None:
    """Ente's server (museum, on aws-sdk-go v1) and its guide to object storage: presigned PUT with
    Content-Length and Content-MD5 signed; a presigned GET with response-content-disposition;
    its preflight."""
    client, path = Client(facet), "/ente/1580559962386438/8ff5ec36"
    s3 = facet.s3()
    s3.create_bucket(Bucket="ente")
    rule = {
        "AllowedOrigins": ["*"],
        "AllowedMethods": ["GET", "HEAD", "POST", "PUT", "DELETE"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["Etag"],
        "MaxAgeSeconds": 3000,
    }
    s3.put_bucket_cors(Bucket="ente", CORSConfiguration={"CORSRules": [rule]})
    md5 = base64.b64encode(hashlib.md5(b"sealed").digest()).decode()
    target = client.presigned("PUT", path, {}, {"content-length": "6", "content-md5": md5})
    asked = {"access_control_request_method": "PUT", "access_control_request_headers": "content-md5"}
    status, fields, _ = client.send("OPTIONS", target, origin="https://photos.example", **asked)
    assert (status, fields["access-control-allow-origin"]) == (200, "*")
    assert client.send("PUT", target, b"sealed", content_md5=md5)[0] == 200
    assert client.send("PUT", target, b"forged", content_md5=md5)[0] == 400
    query = {"response-content-disposition": "attachment", "response-content-type": "application/octet-stream"}
    status, fields, body = client.send("GET", client.presigned("GET", path, query), origin="https://photos.example")
    assert (status, body, fields["content-disposition"]) == (200, b"sealed", "attachment")
    assert fields["access-control-expose-headers"].lower() == "etag"


def test_nextcloud_keeps_urns_and_empty_files(facet: Running) -> None:
    """nextcloud/server lib/private/Files/ObjectStore/S3ObjectTrait.php and S3ConnectionTrait.php: HEAD bucket, then
    CreateBucket that may say BucketAlreadyOwnedByYou; keys urn:oid:N with %3A; ACL private and STANDARD on each PUT;
    reads with `Range: bytes=0-`, which is 416 for an empty file."""
    bucket = "nextcloud"
    facet.s3().create_bucket(Bucket=bucket)
    client, path = Client(facet), f"/{bucket}/urn%3Aoid%3A123"
    assert client.send("HEAD", client.presigned("HEAD", f"/{bucket}", {}))[0] == 200
    own = {"x-amz-acl": "private", "x-amz-storage-class": "STANDARD"}
    for body, status in ((b"a file", 206), (b"", 416)):
        target = client.presigned("PUT", path, {}, own)
        assert client.send("PUT", target, body, content_type="text/plain", **own)[0] == 200
        read = client.send("GET", client.presigned("GET", path, {}), range="bytes=0-")
        assert read[0] == status
    listed = facet.s3().list_objects(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in listed] == ["urn:oid:123"]


def test_pixelfed_reads_the_acl_before_it_moves_a_file(facet: Running) -> None:
    """flysystem-aws-s3-v3 AwsS3V3Adapter (visibility public, copy and move): PutObject public-read, GetObjectAcl for
    the visibility, CopyObject with it, DeleteObject."""
    bucket, s3 = "pixelfed", facet.s3()
    s3.create_bucket(Bucket=bucket)
    key = "public/m/_v2/712/9a1f-0b/cK2/" + "a" * 40 + ".jpg"
    s3.put_object(Bucket=bucket, Key=key, Body=b"photo", ACL="public-read", ContentType="image/jpeg")
    grants = s3.get_object_acl(Bucket=bucket, Key=key)["Grants"]
    everybody = [each for each in grants if each["Grantee"].get("URI", "").endswith("/groups/global/AllUsers")]
    assert [each["Permission"] for each in everybody] == ["READ"]
    moved = key.replace("_v2", "_v3")
    s3.copy_object(Bucket=bucket, Key=moved, CopySource={"Bucket": bucket, "Key": key}, ACL="public-read")
    s3.delete_object(Bucket=bucket, Key=key)
    assert Client(facet).send("GET", f"/{bucket}/{moved}")[::2] == (200, b"photo")

"""Promises of SSE-C and SSE-KMS: every way to the bytes asks for their key, and nothing is shared across keys."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.origin.api.conftest import Origin, Reply

MIB = 1024 * 1024
ONE, TWO = bytes(range(32)), bytes(range(32, 64))
NAME = "x-amz-server-side-encryption-customer-"
SIZES = [1000, 300_000]
"""One body that lives in the catalog and one that is a blob."""


def with_key(key: bytes, of: str = "SSECustomer") -> dict[str, Any]:
    return {f"{of}Algorithm": "AES256", f"{of}Key": key}


def headers(of: bytes, **changed: str) -> dict[str, str]:
    """The three headers of a key; `changed` replaces one, "" leaves it out."""
    md5 = base64.b64encode(hashlib.md5(of).digest()).decode()
    values = {"algorithm": "AES256", "key": base64.b64encode(of).decode(), "key_md5": md5, **changed}
    return {f"{NAME}{name.replace('_', '-')}": value for name, value in values.items() if value}


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize("size", SIZES)
def test_only_the_customers_key_reads_what_it_sealed(s3: Any, bucket: str, size: int) -> None:
    body, where = os.urandom(size), {"Bucket": bucket, "Key": "k"}
    put = s3.put_object(**where, Body=body, **with_key(ONE))
    assert put["SSECustomerAlgorithm"] == "AES256"
    assert put["SSECustomerKeyMD5"] == base64.b64encode(hashlib.md5(ONE).digest()).decode()
    assert "ServerSideEncryption" not in put
    got = s3.get_object(**where, **with_key(ONE))
    assert got["Body"].read() == body
    assert (got["SSECustomerAlgorithm"], got["SSECustomerKeyMD5"]) == ("AES256", put["SSECustomerKeyMD5"])
    assert s3.get_object(**where, **with_key(ONE), Range="bytes=10-19")["Body"].read() == body[10:20]
    assert s3.head_object(**where, **with_key(ONE))["ContentLength"] == size
    for read in (s3.get_object, s3.head_object):
        assert refused(read, **where) in ("InvalidRequest", "400")
        assert refused(read, **where, **with_key(TWO)) in ("AccessDenied", "403")


def test_attributes_want_the_customers_key(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **with_key(ONE))
    asked = {"x-amz-object-attributes": "ObjectSize"}
    for key, status in (({}, 400), (headers(TWO), 403), (headers(ONE), 200)):
        assert origin.ask("GET", f"/{bucket}/k?attributes", {**asked, **key}).status == status


def test_a_key_for_an_object_that_has_none_is_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for read in (s3.get_object, s3.head_object):
        assert refused(read, Bucket=bucket, Key="k", **with_key(ONE)) in ("InvalidRequest", "400")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"algorithm": ""}, "InvalidArgument"),
        ({"algorithm": "AES128"}, "InvalidEncryptionAlgorithmError"),
        ({"key": ""}, "InvalidArgument"),
        ({"key": "c2hvcnQ="}, "InvalidArgument"),
        ({"key": "not base64!"}, "InvalidArgument"),
        ({"key_md5": ""}, "InvalidArgument"),
        ({"key_md5": "AAAAAAAAAAAAAAAAAAAAAA=="}, "InvalidArgument"),
    ],
)
@pytest.mark.parametrize(("method", "target"), [("PUT", "k"), ("POST", "k?uploads"), ("GET", "k"), ("HEAD", "k")])
def test_a_key_that_is_none_is_refused(
    origin: Origin, s3: Any, bucket: str, method: str, target: str, changed: dict[str, str], code: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **with_key(ONE))
    reply = origin.ask(method, f"/{bucket}/{target}", headers(ONE, **changed))
    assert (reply.status, reply.code) == (400, code if method != "HEAD" else "")


def test_a_key_beside_another_encryption_is_refused(origin: Origin, bucket: str) -> None:
    both = {**headers(ONE), "x-amz-server-side-encryption": "AES256"}
    reply = origin.ask("PUT", f"/{bucket}/k", both, b"x")
    assert (reply.status, reply.code) == (400, "InvalidArgument")


def test_a_read_cannot_choose_its_encryption(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for method in ("GET", "HEAD"):
        assert origin.ask(method, f"/{bucket}/k", {"x-amz-server-side-encryption": "AES256"}).status == 400


def test_customers_keys_are_taken_over_https_alone(strict: Origin) -> None:
    s3 = strict.s3()
    s3.create_bucket(Bucket="secure")
    reply = strict.ask("PUT", "/secure/k", headers(ONE), b"x")
    assert (reply.status, reply.code) == (400, "InvalidRequest")
    assert b"secure connection" in reply.body
    assert strict.ask("PUT", "/secure/k", {**headers(ONE), "X-Forwarded-Proto": "https"}, b"x").status == 200
    assert strict.ask("GET", "/secure/k", headers(ONE)).code == "InvalidRequest"
    assert strict.ask("GET", "/secure/k", {**headers(ONE), "X-Forwarded-Proto": "https"}).body == b"x"


def test_listings_say_nothing_of_what_a_customers_key_sealed(s3: Any, bucket: str) -> None:
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"x", **with_key(ONE))["ETag"]
    [listed] = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert listed["ETag"] == tag != f'"{hashlib.md5(b"x").hexdigest()}"'


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_takes_the_sources_key_and_gives_its_own(s3: Any, bucket: str, size: int) -> None:
    body, source = os.urandom(size), {"Bucket": bucket, "CopySource": f"{bucket}/k"}
    s3.put_object(Bucket=bucket, Key="k", Body=body, **with_key(ONE))
    of_source = with_key(ONE, "CopySourceSSECustomer")
    assert refused(s3.copy_object, **source, Key="c") == "InvalidRequest"
    assert refused(s3.copy_object, **source, Key="c", **with_key(TWO, "CopySourceSSECustomer")) == "AccessDenied"
    again = s3.copy_object(**source, Key="again", **of_source, **with_key(TWO))
    assert again["SSECustomerKeyMD5"] == base64.b64encode(hashlib.md5(TWO).digest()).decode()
    s3.copy_object(**source, Key="plain", **of_source)
    s3.copy_object(**source, Key="same", **of_source, **with_key(ONE))
    s3.copy_object(Bucket=bucket, Key="sealed", CopySource=f"{bucket}/plain", **with_key(TWO))
    for key, options in (("again", with_key(TWO)), ("plain", {}), ("same", with_key(ONE)), ("sealed", with_key(TWO))):
        assert s3.get_object(Bucket=bucket, Key=key, **options)["Body"].read() == body, key
    assert refused(s3.get_object, Bucket=bucket, Key="again", **with_key(ONE)) == "AccessDenied"
    assert s3.head_object(Bucket=bucket, Key="plain")["ServerSideEncryption"] == "AES256"
    s3.copy_object(**source, Key="k", **of_source, **with_key(TWO))
    assert s3.get_object(Bucket=bucket, Key="k", **with_key(TWO))["Body"].read() == body


def test_every_part_of_an_upload_wants_its_key(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "m"}
    begun = s3.create_multipart_upload(**where, **with_key(ONE))
    assert begun["SSECustomerAlgorithm"] == "AES256"
    part = {**where, "UploadId": begun["UploadId"]}
    first, second = os.urandom(5 * MIB), b"the end"
    assert refused(s3.upload_part, **part, PartNumber=1, Body=b"x") == "InvalidRequest"
    assert refused(s3.upload_part, **part, PartNumber=1, Body=b"x", **with_key(TWO)) == "InvalidRequest"
    sent = s3.upload_part(**part, PartNumber=1, Body=first, **with_key(ONE))
    assert sent["SSECustomerAlgorithm"] == "AES256"
    s3.put_object(Bucket=bucket, Key="source", Body=second, **with_key(TWO))
    copied = {**part, "PartNumber": 2, "CopySource": f"{bucket}/source", **with_key(ONE)}
    assert refused(s3.upload_part_copy, **copied) == "InvalidRequest"
    done = s3.upload_part_copy(**copied, **with_key(TWO, "CopySourceSSECustomer"))
    assert done["SSECustomerAlgorithm"] == "AES256"
    parts = [{"PartNumber": 1, "ETag": sent["ETag"]}, {"PartNumber": 2, "ETag": done["CopyPartResult"]["ETag"]}]
    s3.complete_multipart_upload(**part, MultipartUpload={"Parts": parts})
    assert refused(s3.get_object, **where) == "InvalidRequest"
    assert s3.get_object(**where, **with_key(ONE))["Body"].read() == first + second
    assert s3.get_object(**where, **with_key(ONE), PartNumber=2)["Body"].read() == second


def test_a_part_cannot_bring_a_key_to_an_upload_without(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    arguments = {"Bucket": bucket, "Key": "m", "UploadId": upload, "PartNumber": 1, "Body": b"x"}
    assert refused(s3.upload_part, **arguments, **with_key(ONE)) == "InvalidRequest"


def test_a_form_may_bring_a_customers_key(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    fields = {"key": "form", **headers(ONE)}
    assert post(origin, bucket, fields, b"from a form").status == 204
    assert s3.get_object(Bucket=bucket, Key="form", **with_key(ONE))["Body"].read() == b"from a form"
    assert refused(s3.get_object, Bucket=bucket, Key="form") == "InvalidRequest"


def post(origin: Origin, bucket: str, fields: dict[str, str], file: bytes) -> Reply:
    parts = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    body = f'{parts}--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'.encode() + file
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    return origin.ask("POST", f"/{bucket}", kind, body + b"\r\n--b--\r\n", signed=False)


def test_versions_keep_the_keys_they_were_written_with(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"one", **with_key(ONE))["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"two", **with_key(TWO))
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=first, **with_key(ONE))["Body"].read() == b"one"
    assert refused(s3.get_object, Bucket=bucket, Key="k", **with_key(ONE)) == "AccessDenied"


def test_a_bucket_may_refuse_customers_keys(s3: Any, bucket: str, origin: Origin) -> None:
    rule = (
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256"
        "</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BlockedEncryptionTypes><EncryptionType>SSE-C"
        "</EncryptionType></BlockedEncryptionTypes></Rule></ServerSideEncryptionConfiguration>"
    )
    assert origin.ask("PUT", f"/{bucket}?encryption", body=rule.encode()).status == 200
    assert b"<EncryptionType>SSE-C<" in origin.ask("GET", f"/{bucket}?encryption").body
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", **with_key(ONE)) == "AccessDenied"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert origin.ask("PUT", f"/{bucket}?encryption", body=rule.replace("SSE-C", "NONE").encode()).status == 200
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **with_key(ONE))


def test_an_unknown_kms_key_is_not_found(s3: Any, bucket: str) -> None:
    kms = {"Bucket": bucket, "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "nobodys-key"}
    assert refused(s3.put_object, Key="k", Body=b"x", **kms) == "KMS.NotFoundException"
    assert refused(s3.create_multipart_upload, Key="k", **kms) == "KMS.NotFoundException"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refused(s3.copy_object, Key="c", CopySource=f"{bucket}/k", **kms) == "KMS.NotFoundException"


def test_every_answer_of_an_upload_names_its_kms_key(s3: Any, bucket: str) -> None:
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "my-key"}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": True}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    where = {"Bucket": bucket, "Key": "m"}
    begun = s3.create_multipart_upload(**where)
    part = s3.upload_part(**where, UploadId=begun["UploadId"], PartNumber=1, Body=b"x")
    done = s3.complete_multipart_upload(
        **where,
        UploadId=begun["UploadId"],
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    copied = s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/m")
    for answer in (begun, part, done, s3.head_object(**where), s3.get_object(**where), copied):
        assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", "my-key")
        assert answer["BucketKeyEnabled"] is True


@pytest.mark.parametrize("size", SIZES)
def test_objects_of_other_kms_keys_are_read_and_copied(s3: Any, bucket: str, size: int) -> None:
    body = os.urandom(size)
    kms = {"ServerSideEncryption": "aws:kms"}
    s3.put_object(Bucket=bucket, Key="one", Body=body, **kms, SSEKMSKeyId="my-key")
    s3.put_object(Bucket=bucket, Key="two", Body=body, **kms, SSEKMSKeyId="arn:aws:kms:us-east-1:1:key/other")
    s3.copy_object(Bucket=bucket, Key="three", CopySource=f"{bucket}/one", **kms)
    s3.copy_object(Bucket=bucket, Key="four", CopySource=f"{bucket}/two")
    for key in ("one", "two", "three", "four"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body, key
    assert s3.head_object(Bucket=bucket, Key="three")["SSEKMSKeyId"] == "alias/aws/s3"
    assert s3.head_object(Bucket=bucket, Key="four")["ServerSideEncryption"] == "AES256"


def test_an_edge_never_gets_what_a_customers_key_sealed(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read", **with_key(ONE))
    access, secret = edge_key(origin)
    edge = origin.s3(access, secret)
    assert refused(edge.get_object, Bucket=bucket, Key="k") == "InvalidRequest"
    assert refused(edge.get_object, Bucket=bucket, Key="k", **with_key(ONE)) == "AccessDenied"


def edge_key(origin: Origin) -> tuple[str, str]:
    key = json.loads((origin.data / "edge-key.json").read_text())
    return key["access_key"], key["secret_key"]

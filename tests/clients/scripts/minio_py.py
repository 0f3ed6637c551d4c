"""minio-py: BUCKET FILE."""

import io
import os
import ssl
import sys
import urllib.request
from datetime import timedelta
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.deleteobjects import DeleteObject

bucket, file = sys.argv[1:]
url = urlsplit(os.environ["ENDPOINT"])
trust = os.environ.get("SSL_CERT_FILE")
client = Minio(
    url.netloc,
    os.environ["AWS_ACCESS_KEY_ID"],
    os.environ["AWS_SECRET_ACCESS_KEY"],
    secure=url.scheme == "https",
    http_client=urllib3.PoolManager(ca_certs=trust) if trust else None,
)
assert client.bucket_exists(bucket)
client.fput_object(bucket, "large", file, part_size=5 * 1024 * 1024, metadata={"who": "me"})
stat = client.stat_object(bucket, "large")
assert stat.etag.endswith("-4")
assert stat.metadata["x-amz-meta-who"] == "me"
client.fget_object(bucket, "large", file + ".back")
with open(file, "rb") as sent, open(file + ".back", "rb") as got:
    assert sent.read() == got.read()
client.put_object(bucket, "a b/ü+1", io.BytesIO(b"one"), 3)
client.copy_object(bucket, "a b/2", CopySource(bucket, "a b/ü+1"))
assert [each.object_name for each in client.list_objects(bucket, "a b/")] == ["a b/2", "a b/ü+1"]
presigned = client.presigned_get_object(bucket, "a b/ü+1", timedelta(minutes=1))
context = ssl.create_default_context(cafile=trust)
assert urllib.request.urlopen(presigned, context=context if trust else None).read() == b"one"
assert not list(client.remove_objects(bucket, [DeleteObject(each) for each in ("a b/ü+1", "a b/2", "large")]))
client.remove_bucket(bucket)

"""obstore, the Rust object_store with Python in front: BUCKET FILE."""

import os
import sys

import obstore
from obstore.store import S3Store

bucket, file = sys.argv[1:]
plain = os.environ["ENDPOINT"].startswith("http:")
store = S3Store(bucket, endpoint=os.environ["ENDPOINT"], client_options={"allow_http": plain})
with open(file, "rb") as stream:
    body = stream.read()
    stream.seek(0)
    obstore.put(store, "large", stream, chunk_size=5 * 1024 * 1024)
assert bytes(obstore.get(store, "large").bytes()) == body
assert bytes(obstore.get_range(store, "large", start=100, end=200)) == body[100:200]
for name in ("a b/u+1", "a b/2", "c"):
    obstore.put(store, name, name.encode(), attributes={"Content-Type": "text/plain"})
obstore.copy(store, "c", "a b/3")
assert sorted(each["path"] for each in obstore.list(store, "a b").collect()) == ["a b/2", "a b/3", "a b/u+1"]
try:
    obstore.put(store, "c", b"again", mode="create")  # If-None-Match: *
    raise SystemExit("a file was made twice")
except obstore.exceptions.AlreadyExistsError:
    pass
obstore.delete(store, ["a b/u+1", "a b/2", "a b/3", "c"])
assert [each["path"] for each in obstore.list(store).collect()] == ["large"]

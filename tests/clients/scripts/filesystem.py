"""s3fs of PyPI (fsspec): BUCKET FILE."""

import os
import sys

import s3fs

bucket, file = sys.argv[1:]
fs = s3fs.S3FileSystem(endpoint_url=os.environ["ENDPOINT"])
fs.put(file, f"{bucket}/large")
with fs.open(f"{bucket}/large") as stored, open(file, "rb") as stream:
    stream.seek(9_000_000)
    stored.seek(9_000_000)
    assert stored.read(1000) == stream.read(1000)
    assert fs.size(f"{bucket}/large") == os.path.getsize(file)
with fs.open(f"{bucket}/new/a b.txt", "w") as writing:
    writing.write("written")
assert fs.cat(f"{bucket}/new/a b.txt") == b"written"
fs.copy(f"{bucket}/large", f"{bucket}/new/copy")
fs.mv(f"{bucket}/new/a b.txt", f"{bucket}/new/c.txt")
assert fs.find(bucket) == [f"{bucket}/large", f"{bucket}/new/c.txt", f"{bucket}/new/copy"]
assert fs.glob(f"{bucket}/*/c.txt") == [f"{bucket}/new/c.txt"]
fs.rm(f"{bucket}/new", recursive=True)
fs.invalidate_cache()
assert fs.ls(bucket) == [f"{bucket}/large"]

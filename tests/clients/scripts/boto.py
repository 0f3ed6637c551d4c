"""Run by a boto3 of any age: ENDPOINT BUCKET FILE. Uploads, parts, copy, ranges, listing, presigning, deletes."""

import os
import sys
import urllib.request

import boto3

bucket, file = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=os.environ["ENDPOINT"])
with open(file, "rb") as stream:
    body = stream.read()

s3.put_object(Bucket=bucket, Key="small", Body=b"hello", ContentType="text/plain", Metadata={"who": "me"})
found = s3.get_object(Bucket=bucket, Key="small")
assert (found["Body"].read(), found["ContentType"], found["Metadata"]) == (b"hello", "text/plain", {"who": "me"})

s3.upload_file(file, bucket, "large", ExtraArgs={"ACL": "public-read"})
assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-3"')
s3.download_file(bucket, "large", file + ".back")
with open(file + ".back", "rb") as stream:
    assert stream.read() == body
part = s3.get_object(Bucket=bucket, Key="large", Range="bytes=8388600-8388700")
assert part["Body"].read() == body[8388600:8388701]
s3.copy({"Bucket": bucket, "Key": "large"}, bucket, "copied")
assert s3.head_object(Bucket=bucket, Key="copied")["ContentLength"] == len(body)

keys = [f"many/{letter} {number}+é.txt" for letter in "ab" for number in range(30)]
for key in keys:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="many/", PaginationConfig={"PageSize": 7})
assert [entry["Key"] for page in pages for entry in page["Contents"]] == sorted(keys)
gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
assert len(gone["Deleted"]) == len(keys)

url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "small"})
assert urllib.request.urlopen(url).read() == b"hello", url
try:
    s3.get_object(Bucket=bucket, Key="none")
    raise SystemExit("no error for a missing key")
except s3.exceptions.NoSuchKey:
    pass
print(boto3.__version__, "SigV2" if "AWSAccessKeyId" in url else "SigV4")

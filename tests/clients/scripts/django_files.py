"""django-storages as Funkwhale sets it (no ACL, presigned links): BUCKET FILE."""

import os
import sys
import urllib.request

import django
from django.conf import settings

bucket, file = sys.argv[1:]
settings.configure(
    AWS_STORAGE_BUCKET_NAME=bucket, AWS_S3_ENDPOINT_URL=os.environ["ENDPOINT"], AWS_DEFAULT_ACL=None, USE_TZ=True
)
django.setup()
from django.core.files.base import ContentFile, File  # noqa: E402
from storages.backends.s3 import S3Storage  # noqa: E402

storage = S3Storage()
with open(file, "rb") as stream:
    name = storage.save("tracks/a song.mp3", File(stream))
assert storage.exists(name)
assert storage.size(name) == os.path.getsize(file)
with storage.open(name) as opened, open(file, "rb") as stream:
    assert opened.read() == stream.read()
assert storage.save("tracks/a song.mp3", ContentFile(b"other")) == "tracks/a song.mp3"  # file_overwrite by default
assert urllib.request.urlopen(storage.url(name)).read() == b"other"
storage.save("tracks/sub/b.mp3", ContentFile(b"b"))
assert storage.listdir("tracks") == (["sub"], ["a song.mp3"])
assert storage.get_modified_time(name).tzinfo
storage.delete(name)
assert not storage.exists(name)

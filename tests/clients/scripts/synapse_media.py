"""Matrix Synapse's S3 storage provider, its own class in a reactor: BUCKET FOLDER FILE (below FOLDER)."""

import hashlib
import os
import sys
from types import SimpleNamespace

from s3_storage_provider import S3StorageProviderBackend
from synapse.logging.context import defer_to_threadpool
from twisted.internet import defer, reactor

bucket, folder, file = sys.argv[1:]


def to_threadpool(pool, call, *arguments, **options):
    return defer_to_threadpool(reactor, pool, call, *arguments, **options)


class Consumer:
    """Where a responder writes to."""

    def __init__(self):
        self.digest = hashlib.sha256()

    def registerProducer(self, producer, streaming):
        self.producer = producer
        producer.resumeProducing()

    def unregisterProducer(self):
        pass

    def write(self, data):
        self.digest.update(data)


def server(cache):
    api = SimpleNamespace(defer_to_threadpool=to_threadpool)
    media = SimpleNamespace(media=SimpleNamespace(media_store_path=cache))
    return SimpleNamespace(get_module_api=lambda: api, config=media)


def provider(**more):
    wanted = {"bucket": bucket, "endpoint_url": os.environ["ENDPOINT"], "prefix": "media/", **more}
    return S3StorageProviderBackend(server(folder), S3StorageProviderBackend.parse_config(wanted))


async def tried(storage):
    await storage.store_file(file, None)
    responder = await storage.fetch(file, None)
    consumer = Consumer()
    await responder.write_to_consumer(consumer)
    with open(os.path.join(folder, file), "rb") as stream:
        assert consumer.digest.digest() == hashlib.sha256(stream.read()).digest()
    assert await storage.fetch("local_content/no/ne/none", None) is None


async def main():
    await tried(provider())
    if os.environ["ENDPOINT"].startswith("https:"):
        await tried(provider(sse_customer_key="k" * 32, prefix="sealed/"))


def ended(failure):
    failure.printTraceback()
    os._exit(1)


def begin():
    defer.ensureDeferred(main()).addCallbacks(lambda _: reactor.stop(), ended)


reactor.callWhenRunning(begin)
reactor.run()
print("stored and fetched")

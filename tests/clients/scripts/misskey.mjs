// Misskey's object storage calls at the SDK's defaults (checksums on): BUCKET FILE. lib-storage in parts of 8 MiB with
// type, a year of Cache-Control, a disposition with an RFC 5987 name and, where set so, the ACL; single deletes.
import assert from 'node:assert/strict'
import { createReadStream, readFileSync } from 'node:fs'
import {
  DeleteObjectCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand, S3Client
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { PutObjectCommand } from '@aws-sdk/client-s3'

const [Bucket, file] = process.argv.slice(2)
const client = new S3Client({ endpoint: process.env.ENDPOINT, region: process.env.AWS_REGION, forcePathStyle: true })
const body = readFileSync(file)
const disposition = 'inline; filename="na_me.webp"; filename*=UTF-8\'\'na%C3%AFme.webp'
const send = (Key, Body) => new Upload({
  client, partSize: 8 * 1024 * 1024, params: {
    Bucket, Key, Body, ACL: 'public-read', ContentType: 'image/webp', CacheControl: 'max-age=31536000, immutable',
    ContentDisposition: disposition
  }
}).done()

await send('misskey/9d5ed678.webp', createReadStream(file))
await send('misskey/thumbnail-9d5ed678.webp', Buffer.from('small'))
const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'misskey/9d5ed678.webp' }))
assert.deepEqual(
  [head.ContentType, head.CacheControl, head.ContentDisposition, head.ContentEncoding, head.ContentLength],
  ['image/webp', 'max-age=31536000, immutable', disposition, undefined, body.length]
)
const back = await client.send(new GetObjectCommand({ Bucket, Key: 'misskey/9d5ed678.webp' }))
assert.deepEqual(Buffer.from(await back.Body.transformToByteArray()), body)

// A presigned PUT carries the checksum of an empty body in its query; what is sent must be taken all the same.
const put = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: 'presigned.txt' }), { expiresIn: 60 })
assert.match(put, /x-amz-checksum-crc32=AAAAAA/)
assert.equal((await fetch(put, { method: 'PUT', body: 'a body that is not empty' })).status, 200)
const get = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: 'presigned.txt' }), { expiresIn: 60 })
assert.equal(await (await fetch(get)).text(), 'a body that is not empty')

await client.send(new DeleteObjectCommand({ Bucket, Key: 'misskey/9d5ed678.webp' }))
await assert.rejects(client.send(new HeadObjectCommand({ Bucket, Key: 'misskey/9d5ed678.webp' })))
const gone = await client.send(new DeleteObjectsCommand({
  Bucket, Delete: { Objects: [{ Key: 'presigned.txt' }, { Key: 'misskey/thumbnail-9d5ed678.webp' }] }
}))
assert.equal(gone.Deleted.length, 2)

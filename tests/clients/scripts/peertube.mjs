// PeerTube's object storage calls: BUCKET FILE. Its options: WHEN_REQUIRED both ways, 3 attempts, path style, parts of
// 100 MB and 4 at once (here 5 MB, so that there are parts), leavePartsOnError; PutObjectAcl for every file of a prefix
// when a video's privacy changes; presigned GET with a disposition for downloads.
import assert from 'node:assert/strict'
import { createReadStream, readFileSync } from 'node:fs'
import {
  DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, PutObjectAclCommand,
  PutObjectCommand, S3Client, S3ServiceException
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'

const [Bucket, file] = process.argv.slice(2)
const client = new S3Client({
  endpoint: process.env.ENDPOINT, region: process.env.AWS_REGION, forcePathStyle: true, maxAttempts: 3,
  requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED'
})
const body = readFileSync(file)
const upload = async (Key, Body, ACL) => {
  const parallel = new Upload({
    client, queueSize: 4, partSize: 5 * 1024 * 1024, leavePartsOnError: true, params: { Bucket, Key, Body, ACL }
  })
  return parallel.done()
}

const done = await upload('web-videos/a-1080.mp4', createReadStream(file), 'public-read')
assert.equal(done.Bucket, Bucket) // PeerTube throws without it
const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'web-videos/a-1080.mp4' }))
assert.equal(head.ContentLength, body.length)
const whole = await client.send(new GetObjectCommand({ Bucket, Key: 'web-videos/a-1080.mp4' }))
assert.deepEqual(Buffer.from(await whole.Body.transformToByteArray()), body)
const part = await client.send(new GetObjectCommand({ Bucket, Key: 'web-videos/a-1080.mp4', Range: 'bytes=10-19' }))
assert.equal(part.ContentRange, `bytes 10-19/${body.length}`)
assert.equal((await part.Body.transformToByteArray()).length, 10)

const prefix = 'hls/5a5e8f9e/'
for (let number = 0; number < 5; number++) {
  await upload(`${prefix}0-00000${number}.ts`, Buffer.from(`segment ${number}`), 'public-read')
}
await client.send(new PutObjectCommand({ Bucket, Key: `${prefix}master.m3u8`, Body: '#EXTM3U', ACL: 'public-read' }))

const onPrefix = async action => { // pages of 2, with the token PeerTube sends back
  let ContinuationToken, seen = 0
  do {
    const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix, MaxKeys: 2, ContinuationToken }))
    await Promise.all(page.Contents.map(entry => action(entry.Key)))
    seen += page.Contents.length
    ContinuationToken = page.NextContinuationToken
  } while (ContinuationToken)
  return seen
}
const anonymous = async () => (await fetch(`${process.env.ENDPOINT}/${Bucket}/${prefix}master.m3u8`)).status
assert.equal(await anonymous(), 200)
assert.equal(await onPrefix(Key => client.send(new PutObjectAclCommand({ Bucket, Key, ACL: 'private' }))), 6)
assert.equal(await anonymous(), 403)
const url = await getSignedUrl(client, new GetObjectCommand({
  Bucket, Key: `${prefix}master.m3u8`, ResponseContentDisposition: 'attachment; filename="my film.m3u8"'
}), { expiresIn: 3600 })
const saved = await fetch(url)
assert.equal(await saved.text(), '#EXTM3U')
assert.equal(saved.headers.get('content-disposition'), 'attachment; filename="my film.m3u8"')
assert.equal(await onPrefix(Key => client.send(new DeleteObjectCommand({ Bucket, Key }))), 6)
await assert.rejects(
  client.send(new GetObjectCommand({ Bucket, Key: `${prefix}master.m3u8` })),
  error => error instanceof S3ServiceException && error.name === 'NoSuchKey'
)

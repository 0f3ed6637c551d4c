// minio-js: BUCKET FILE.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Client } from 'minio'

const [bucket, file] = process.argv.slice(2)
const url = new URL(process.env.ENDPOINT)
const client = new Client({
  endPoint: url.hostname, port: Number(url.port), useSSL: url.protocol === 'https:', partSize: 5 * 1024 * 1024,
  accessKey: process.env.AWS_ACCESS_KEY_ID, secretKey: process.env.AWS_SECRET_ACCESS_KEY
})
const all = stream => new Promise((resolve, reject) => {
  const found = []
  stream.on('data', each => found.push(each)).on('end', () => resolve(found)).on('error', reject)
})

assert.equal(await client.bucketExists(bucket), true)
await client.fPutObject(bucket, 'large', file, { 'Content-Type': 'video/mp4' })
assert.match((await client.statObject(bucket, 'large')).etag, /-4$/)
assert.deepEqual(Buffer.concat(await all(await client.getObject(bucket, 'large'))), readFileSync(file))
for (const name of ['a b/ü+1', 'a b/2', 'c']) await client.putObject(bucket, name, Buffer.from(name))
assert.deepEqual((await all(client.listObjectsV2(bucket, 'a b/', true))).map(each => each.name), ['a b/2', 'a b/ü+1'])
assert.equal(await (await fetch(await client.presignedGetObject(bucket, 'a b/ü+1', 60))).text(), 'a b/ü+1')
await fetch(await client.presignedPutObject(bucket, 'put', 60), { method: 'PUT', body: 'sent' })
assert.equal((await client.statObject(bucket, 'put')).size, 4)
await client.removeObjects(bucket, ['a b/ü+1', 'a b/2', 'c', 'put', 'large'])
assert.deepEqual(await all(client.listObjectsV2(bucket, '', true)), [])

// s3-presigned-post: BUCKET → the URL and the fields of a form, as JSON.
import { S3Client } from '@aws-sdk/client-s3'
import { createPresignedPost } from '@aws-sdk/s3-presigned-post'

const client = new S3Client({ endpoint: process.env.ENDPOINT, region: process.env.AWS_REGION, forcePathStyle: true })
const made = await createPresignedPost(client, {
  Bucket: process.argv[2],
  Key: 'from-a-page/${filename}',
  Conditions: [['content-length-range', 1, 1000], ['starts-with', '$Content-Type', 'text/']],
  Fields: { acl: 'public-read', success_action_status: '201' }
})
console.log(JSON.stringify(made))

# Mastodon's calls with its own options: BUCKET FILE. kt-paperclip uploads with upload_file (parts from 15 MiB), reads
# back with HEAD ?partNumber=1 and then parts or ranges, deletes in one DELETE per style or with DeleteObjects.
require 'aws-sdk-s3'
require 'digest'

bucket_name, file = ARGV
client_options = {
  endpoint: ENV.fetch('ENDPOINT'), region: 'us-east-1', force_path_style: true, signature_version: 'v4',
  http_open_timeout: 5, http_read_timeout: 5, http_idle_timeout: 5, retry_limit: 0
}
Aws.config[:ssl_ca_bundle] = ENV['SSL_CERT_FILE'] if ENV['SSL_CERT_FILE']
resource = Aws::S3::Resource.new(**client_options)
client = resource.client
bucket = resource.bucket(bucket_name)
options = {
  acl: 'public-read', content_type: 'video/mp4', cache_control: 'public, max-age=315576000, immutable',
  multipart_threshold: 15 * 1024 * 1024
}
slowest = ['', 0.0]
timed = lambda do |name, &call|
  started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  answer = call.call
  took = Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
  slowest = [name, took] if took > slowest[1]
  answer
end
def must(what, truth) = truth || abort("FAILED: #{what}")

big = 'cache/media_attachments/files/110/756/540/548/674/871/original/a47a4a2e83c0ef27.mp4'
small = big.sub('original', 'small').sub('.mp4', '.png')
timed.call('upload in parts') { bucket.object(big).upload_file(file, options) }
File.binwrite("#{file}.small", 'x' * 30_000)
timed.call('upload') { bucket.object(small).upload_file("#{file}.small", options.merge(content_type: 'image/png')) }
head = client.head_object(bucket: bucket_name, key: big)
must('Cache-Control', head.cache_control == 'public, max-age=315576000, immutable')
must('an ETag of parts', head.etag.end_with?("-#{(File.size(file) / 5.0 / 1024 / 1024).ceil}\""))

# What paperclip's copy_to_local_file does for post-processing and takeouts.
timed.call('download in parts') { bucket.object(big).download_file("#{file}.back") }
must('the same bytes', Digest::SHA256.file(file) == Digest::SHA256.file("#{file}.back"))
first = client.head_object(bucket: bucket_name, key: big, part_number: 1)
must('the number of parts', first.parts_count > 1)
must('bytes of a part', client.get_object(bucket: bucket_name, key: big, part_number: 2).content_range.start_with?('bytes 5242880-'))
timed.call('download in ranges') { bucket.object(big).download_file("#{file}.ranges", mode: 'get_range', chunk_size: 5 * 1024 * 1024) }
must('the same bytes in ranges', Digest::SHA256.file(file) == Digest::SHA256.file("#{file}.ranges"))

# tootctl media upgrade-storage-schema, suspension, remove-orphans, takeout, vacuum.
bucket.object("#{small}.new").copy_from(bucket.object(small), acl: 'public-read')
must('a copy', bucket.object("#{small}.new").exists?)
bucket.object(small).acl.put(acl: 'private')
must('one grant', client.get_object_acl(bucket: bucket_name, key: small).grants.size == 1)
must('the walk', client.list_objects_v2(bucket: bucket_name, start_after: big, prefix: 'cache/').contents.map(&:key) == [small, "#{small}.new"])
must('a presigned URL', bucket.object(small).presigned_url(:get, expires_in: 10).include?('X-Amz-Signature'))
must('a batch', client.delete_objects(bucket: bucket_name, delete: { objects: [big, small, 'none'].map { |key| { key: key } }, quiet: true }).errors.empty?)
bucket.object("#{small}.new").delete
must('nothing left', bucket.objects.to_a.empty?)
begin
  client.put_object_acl(bucket: bucket_name, key: big, acl: 'private')
  abort 'FAILED: an ACL for nothing'
rescue Aws::S3::Errors::NoSuchKey
  nil # what Mastodon catches
end
puts "#{Aws::S3::GEM_VERSION} slowest: #{slowest[0]} #{slowest[1].round(2)} s"

"""Copying a bucket from any S3 service with everything that belongs to it (`facet migrate`)."""

"""The image store: blobs, images, the build cache, upkeep."""

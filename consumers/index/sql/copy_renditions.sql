copy renditions (variant_id, kind, key, sha256, media_type, length, width, height) from stdin

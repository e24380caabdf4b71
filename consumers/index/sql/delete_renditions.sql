delete from renditions where variant_id = any ($1)

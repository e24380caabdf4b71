copy lineage (variant_id, parent, relation) from stdin

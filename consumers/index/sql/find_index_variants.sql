select to_regclass('lineage_by_parent') is not null

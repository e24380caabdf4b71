select migration from schema_floor

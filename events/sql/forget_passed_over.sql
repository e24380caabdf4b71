delete from passed_over where position = any ($1)

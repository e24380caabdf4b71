select name, position from checkpoints where position > $1 order by name

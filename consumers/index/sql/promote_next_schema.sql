alter schema read_next rename to read

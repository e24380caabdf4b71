alter schema read rename to read_old

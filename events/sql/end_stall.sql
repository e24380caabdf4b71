delete from stalls where consumer = $1

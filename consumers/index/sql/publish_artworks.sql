update artworks set published_position = $1 where published_position is null and ready_position <= $1

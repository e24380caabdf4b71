select max(shown_position) from read.artworks

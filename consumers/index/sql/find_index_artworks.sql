select to_regclass('artworks_by_words') is not null

-- Keys and indexes of artworks, and what planners know of them. See create_read_model.sql.
alter table artworks
    add constraint "an artwork has one row" primary key (id),
    add constraint "an artwork is created once" unique (created_position);
create index artworks_by_owner on artworks (owner, created_position);
comment on index artworks_by_owner is 'one owner''s artworks, newest first';
create index artworks_by_status on artworks (status, created_position);
comment on index artworks_by_status is 'artworks in a status, newest first; the gallery reads the active ones';
create index artworks_by_category on artworks (category, created_position);
comment on index artworks_by_category is 'a category, newest first';
create index artworks_featured on artworks (created_position) where featured;
comment on index artworks_featured is 'featured artworks, newest first';
create index artworks_by_tag on artworks using gin (tags);
comment on index artworks_by_tag is 'artworks with a tag: tags @> array[$1]';
create index artworks_by_words on artworks using gin (search);
comment on index artworks_by_words is 'text search: search @@ search_query($1)';
create index artworks_shown on artworks (shown_position);
comment on index artworks_shown is 'whether gallery-metadata.json is behind: max(shown_position)';
analyze artworks;

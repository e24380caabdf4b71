-- Keys and indexes of what belongs to artworks, and what planners know of them. See create_read_model.sql.
alter table variants
    add constraint "a variant has one row" primary key (id);
create index variants_of_artwork on variants (artwork_id, requested_at, id);
comment on index variants_of_artwork is 'the variants of an artwork, in the order they were asked for';
create index variants_of_generation on variants (generation_id, requested_at, id) where generation_id is not null;
comment on index variants_of_generation is 'the variants that one request asked for, in order';
alter table lineage add constraint "a variant comes from another in a way once" primary key (variant_id, parent, relation);
create index lineage_by_parent on lineage (parent);
comment on index lineage_by_parent is 'what has come of a variant';
alter table renditions add constraint "a variant has one rendition of a kind" primary key (variant_id, kind);
analyze variants, lineage, renditions, exports;

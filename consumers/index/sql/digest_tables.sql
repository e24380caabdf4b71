-- Rows in any order: the sum of their hashes is the same for the same rows.
select 'artworks' as name, count(*) as rows, coalesce(sum(hashtextextended(t::text, 0)), 0)::text as hash from artworks t
union all
select 'variants', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from variants t
union all
select 'lineage', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from lineage t
union all
select 'renditions', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from renditions t
union all
select 'exports', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from exports t
union all
select 'site', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from site t
union all
select 'checkpoint', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from checkpoint t

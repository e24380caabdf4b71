-- Row by row: a row that only one has, or that is not the same in both, with the keys of the first few of each kind.
with differing as (
    select 'artworks' as name, id::text as key, l is null as missing, n is null as extra
    from read.artworks l full join read_next.artworks n using (id) where l is distinct from n
    union all
    select 'variants' as name, id::text as key, l is null as missing, n is null as extra
    from read.variants l full join read_next.variants n using (id) where l is distinct from n
    union all
    select 'lineage' as name, concat_ws(' ', variant_id, relation, parent) as key, l is null as missing, n is null as extra
    from read.lineage l full join read_next.lineage n using (variant_id, parent, relation) where l is distinct from n
    union all
    select 'renditions' as name, concat_ws(' ', variant_id, kind) as key, l is null as missing, n is null as extra
    from read.renditions l full join read_next.renditions n using (variant_id, kind) where l is distinct from n
    union all
    select 'exports' as name, id::text as key, l is null as missing, n is null as extra
    from read.exports l full join read_next.exports n using (id) where l is distinct from n
    union all
    select 'site' as name, 'release ' || coalesce(n.position, l.position) as key, l is null as missing, n is null as extra
    from read.site l full join read_next.site n using (only_row) where l is distinct from n
), ranked as (
    select *, row_number() over (partition by name, missing, extra order by key) as rank from differing
)
select name, count(*) filter (where missing) as missing, count(*) filter (where extra) as extra,
       count(*) filter (where not missing and not extra) as different,
       coalesce(array_agg(key order by key) filter (where missing and rank <= $1), '{}') as missing_keys,
       coalesce(array_agg(key order by key) filter (where extra and rank <= $1), '{}') as extra_keys,
       coalesce(array_agg(key order by key) filter (where not missing and not extra and rank <= $1), '{}') as different_keys
from ranked
group by name
order by name

-- As many at a time as log::verify reads.
select * from events where position > $1 order by position limit 5000

-- Answers the term when this holder leads now, no row while another does.
insert into leaders (name, holder, term, lease_until)
values ($1, $2, 1, now() + $3 * interval '1 millisecond')
on conflict (name) do update
set holder = excluded.holder, lease_until = excluded.lease_until,
    term = leaders.term + case when leaders.holder = excluded.holder then 0 else 1 end
where leaders.holder = excluded.holder or leaders.lease_until < now()
returning term

-- What a session of the simulation adds to the real schema. Its name comes first in the search path, so that `now()` in the
-- statements is the simulated clock: their texts stay as they are.
create schema simulation;

-- When the simulation began. The clock counts milliseconds from here.
create function simulation.began() returns timestamptz language sql immutable as $$ select '2030-01-01 00:00:00+00'::timestamptz $$;

create function simulation.now() returns timestamptz language sql stable as $$
    select simulation.began() + current_setting('simulation.clock')::bigint * interval '1 millisecond'
$$;

create function simulation.clock(at timestamptz) returns bigint language sql stable as $$
    select (extract(epoch from at - simulation.began()) * 1000)::bigint
$$;

-- A job is named by its event and its consumer, as `generate@1`: its id is known to the database alone. In PL/pgSQL, which
-- keeps the plan.
create function simulation.jobs(named text[]) returns bigint[] language plpgsql stable as $$
begin
    return array(
        select (select id from public.jobs
                where consumer = split_part(n.name, '@', 1) and position = split_part(n.name, '@', 2)::bigint)
        from unnest(named) with ordinality as n(name, ordinal)
        order by n.ordinal);
end
$$;

-- Only where the migrations have made the role and given it this database, and to whoever may become it.
select set_config('role', rolname, true)
from pg_roles
where rolname = 'atelier_index' and pg_has_role(current_user, oid, 'member')
  and has_database_privilege(oid, current_database(), 'create')

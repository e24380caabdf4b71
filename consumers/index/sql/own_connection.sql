-- As own_schema, for all that is done on a connection.
select set_config('role', rolname, false)
from pg_roles
where rolname = 'atelier_index' and pg_has_role(current_user, oid, 'member')
  and has_database_privilege(oid, current_database(), 'create')

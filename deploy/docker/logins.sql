-- A login for each daemon, with the password that the environment gives it. For psql, as somebody who may make roles; can
-- be run again, and then sets the passwords anew. What a role may do, the migrations say: a login that is made here has no
-- right to anything until then.
\set ON_ERROR_STOP on
\getenv producer ATELIER_PASSWORD_PRODUCER
\getenv generate ATELIER_PASSWORD_GENERATE
\getenv thumbnails ATELIER_PASSWORD_THUMBNAILS
\getenv exports ATELIER_PASSWORD_EXPORTS
\getenv index ATELIER_PASSWORD_INDEX
\getenv site ATELIER_PASSWORD_SITE

select format('create role %I', 'atelier_' || daemon)
from unnest(array['producer', 'generate', 'thumbnails', 'exports', 'index', 'site']) as daemon
where not exists (select from pg_roles where rolname = 'atelier_' || daemon)
\gexec

alter role atelier_producer login password :'producer';
alter role atelier_generate login password :'generate';
alter role atelier_thumbnails login password :'thumbnails';
alter role atelier_exports login password :'exports';
alter role atelier_index login password :'index';
alter role atelier_site login password :'site';

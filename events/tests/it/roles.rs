//! A role for each daemon, made by the migrations: none may change history, and each may do its own work alone. That each
//! can do all of its work is shown by the daemons themselves, in `deploy/e2e`.

use atelier_e2e::Database;
use atelier_events::connect::{ConnectError, database, migrate, migrated};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};

const ROLES: [&str; 6] =
    ["atelier_producer", "atelier_generate", "atelier_thumbnails", "atelier_exports", "atelier_index", "atelier_site"];

/// What would change history, or the rules that protect it: for nobody.
const HISTORY: &[&str] = &[
    "insert into events select * from events",
    "update events set actor = 'somebody else'",
    "delete from events",
    "truncate events",
    "truncate events cascade",
    "insert into log_links select * from log_links",
    "update log_links set link = ''",
    "delete from log_links",
    "truncate log_links",
    "update log_head set position = 0",
    "delete from log_head",
    "insert into idempotency_keys (key, fingerprint, answer, position) values ('k', '', '{}', 1)",
    "update idempotency_keys set answer = '{}'",
    "delete from idempotency_keys",
    "alter table events disable trigger all",
    "alter table events disable trigger append_only",
    "drop trigger append_only on events",
    "drop trigger append_only_truncate on log_links",
    "create trigger mine before insert on events for each row execute function refuse_change()",
    "create rule mine as on insert to events do instead nothing",
    "alter table events drop constraint \"a position holds one event\" cascade",
    "alter table events owner to current_user",
    "drop table events cascade",
    "create or replace function refuse_change() returns trigger language plpgsql as 'begin return new; end'",
    "drop function refuse_change() cascade",
    "alter function append_events security invoker",
    "drop function append_events",
    "set session_replication_role = replica",
    "set session authorization postgres",
    "create table mine (id int)",
    "create function mine() returns int language sql as 'select 1'",
    "drop schema public cascade",
    "delete from _sqlx_migrations",
    "update schema_floor set migration = 0",
    "insert into privileges values ('table events', 'delete', array[current_user])",
    "call grant_privileges()",
];

/// What one daemon does and the others have no business with: the statement, and whose it is.
const OWN: &[(&str, &[&str])] = &[
    ("select count(*) from idempotency_keys", &["atelier_producer"]),
    ("select forget_idempotency_keys(3600, 1)", &["atelier_producer"]),
    ("select count(*) from log_links", &["atelier_producer"]),
    ("insert into leaders (name, holder, term, lease_until) values ('x', 'x', 1, now())", &["atelier_producer"]),
    ("update leaders set holder = 'me'", &["atelier_producer"]),
    ("update checkpoints set position = position", &["atelier_producer", "atelier_index"]),
    ("delete from checkpoints", &[]),
    ("delete from jobs", &["atelier_producer"]),
    ("insert into jobs (consumer, position, stream) values ('site', 1, 'x')", &["atelier_producer"]),
    ("insert into passed_over (position, type) values (1, 'x')", &["atelier_producer"]),
    (
        "update jobs set worker = worker",
        &["atelier_producer", "atelier_generate", "atelier_thumbnails", "atelier_exports", "atelier_index"],
    ),
    (
        "select count(*) from jobs",
        &["atelier_producer", "atelier_generate", "atelier_thumbnails", "atelier_exports", "atelier_index"],
    ),
    (
        "select * from append_events('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '')",
        &["atelier_producer", "atelier_generate", "atelier_thumbnails", "atelier_exports", "atelier_site"],
    ),
    (
        "insert into replays (consumer, dry_run, from_backup, fresh, asked_by) values ('site', true, false, false, 'x')",
        &["atelier_producer"],
    ),
    ("delete from replays", &["atelier_producer"]),
    ("update replays set seen_at = now()", &["atelier_producer", "atelier_index", "atelier_site"]),
    ("create schema mine", &["atelier_index"]),
    ("select count(*) from events", &ROLES),
    ("select position from log_head", &ROLES),
    ("select migration from schema_floor", &ROLES),
    ("select pg_notify('atelier_log', '')", &ROLES),
];

/// Runs a statement in a transaction that leaves nothing behind; true when it was allowed.
async fn is_allowed(connection: &mut PgConnection, statement: &'static str) -> anyhow::Result<bool> {
    let mut transaction = connection.begin().await?;
    let ran = sqlx::query(statement).execute(&mut *transaction).await;
    transaction.rollback().await?;
    let Err(error) = ran else { return Ok(true) };
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match code.as_deref() {
        // Not allowed, or only to an owner.
        Some("42501") => Ok(false),
        // It got as far as the data: a foreign key, a check.
        Some(code) if code.starts_with("23") => Ok(true),
        _ => Err(anyhow::Error::from(error).context(statement)),
    }
}

#[tokio::test]
async fn no_role_can_change_history_or_the_rules_that_protect_it() -> anyhow::Result<()> {
    let database = Database::create().await?;
    database.log().append(crate::proposals::new_artwork(2)).await?;
    for role in ROLES {
        let mut connection = PgConnection::connect(&database.login(role).await?).await?;
        for statement in HISTORY {
            assert!(!is_allowed(&mut connection, statement).await?, "{role} may {statement}");
        }
        // Whoever has nothing to give away is warned, and nothing is given.
        sqlx::query("grant delete on events to public").execute(&mut connection).await?;
        assert!(!is_allowed(&mut connection, "delete from events").await?, "{role} has given itself the log");
    }
    // The owner may try, and is refused by the triggers.
    for statement in ["update events set actor = 'x'", "delete from log_links", "truncate events cascade"] {
        let refused = sqlx::query(statement).execute(&database.pool).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("append-only")), "the owner may {statement}");
    }
    Ok(())
}

#[tokio::test]
async fn each_role_may_do_its_own_work_and_no_other_role_s() -> anyhow::Result<()> {
    let database = Database::create().await?;
    for role in ROLES {
        let mut connection = PgConnection::connect(&database.login(role).await?).await?;
        for (statement, allowed) in OWN {
            let is_allowed = is_allowed(&mut connection, statement).await?;
            assert_eq!(is_allowed, allowed.contains(&role), "{role}: {statement}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_table_is_somebody_s_or_knowingly_the_owner_s_alone() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let unlisted = "select relname::text from pg_class
        where relnamespace = 'public'::regnamespace and relkind = 'r'
          and not exists (select from privileges where object = 'table ' || relname)
        order by relname";
    let unlisted: Vec<String> = sqlx::query_scalar(unlisted).fetch_all(&database.pool).await?;
    assert_eq!(unlisted, ["privileges"], "a table that no daemon may use: add its lines to `privileges`");
    let unknown = "select role from privileges cross join unnest(roles) as role
        where not exists (select from pg_roles where rolname = role)";
    let unknown: Vec<String> = sqlx::query_scalar(unknown).fetch_all(&database.pool).await?;
    assert!(unknown.is_empty(), "{unknown:?}");
    Ok(())
}

#[tokio::test]
async fn what_runs_as_the_owner_takes_no_function_of_the_caller_s() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let mut connection = PgConnection::connect(&database.login("atelier_generate").await?).await?;
    // A schema where everybody may make something, as an application beside Atelier may have.
    sqlx::raw_sql("create schema everybodys; grant all on schema everybodys to public").execute(&database.pool).await?;
    // In front of the real one on the caller's path; it would tell who called it.
    for statement in [
        "create function everybodys.sha256(bytea) returns bytea language plpgsql as
            $$ begin raise exception 'ran as %', current_user; end $$",
        "set search_path = everybodys, pg_catalog, public",
    ] {
        sqlx::raw_sql(statement).execute(&mut connection).await?;
    }
    let shadowed = sqlx::query("select sha256('x'::bytea)").execute(&mut connection).await;
    assert!(shadowed.is_err_and(|error| error.to_string().contains("ran as")), "the trap itself does not work");
    let append =
        "select position + 1 from append_events('{}', '{}', '{}', '{}', '{0}', '{artwork-x}', '{-1}', '{1}', '{1}',
        array[gen_random_uuid()], '{artwork.framed}', '{1}', array['{}'], '{me}', array[gen_random_uuid()],
        array[null]::uuid[], array[null]::text[], '\\x0000000000000000000000000000000000000000000000000000000000000000')";
    let position: i64 = sqlx::query_scalar(append).fetch_one(&mut connection).await?;
    assert_eq!(position, 1);
    Ok(())
}

#[tokio::test]
async fn a_stranger_is_told_which_role_it_lacks() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let stranger = database.login("pg_monitor").await?;
    let pool = connected(&database, &stranger).await?;
    let refused = migrated(&pool).await;
    assert!(matches!(&refused, Err(ConnectError::Forbidden { user, .. }) if stranger.contains(user)), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn an_owner_that_may_make_no_roles_migrates_and_works_as_the_owner() -> anyhow::Result<()> {
    let database = Database::empty().await?;
    let owner = database.login("pg_monitor").await?;
    let name = owner.rsplit_once('@').map_or("", |(user, _)| user);
    let name = name.rsplit_once(':').map_or("", |(_, name)| name);
    let give = format!("alter database {} owner to {name}", owner.rsplit_once('/').map_or("", |(_, name)| name));
    sqlx::query(AssertSqlSafe(give)).execute(&database.pool).await?;
    let pool = connected(&database, &owner).await?;
    migrate(&pool).await?;
    let log = atelier_events::Log::start(pool.clone(), atelier_events::signal::Signals::start(&pool));
    log.append(crate::proposals::new_artwork(2)).await?;
    // The roles of this server are others' doing; they are given this database all the same.
    let mut connection = PgConnection::connect(&database.login("atelier_site").await?).await?;
    assert!(is_allowed(&mut connection, "select count(*) from events").await?);
    // What the owner has must not be in the way when its user is removed.
    drop((log, connection));
    pool.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_of_one_server_are_migrated_at_the_same_time() -> anyhow::Result<()> {
    let databases = futures::future::try_join_all((0..6).map(|_| Database::empty())).await?;
    futures::future::try_join_all(databases.iter().map(|database| migrate(&database.pool))).await?;
    for database in &databases {
        migrated(&database.pool).await?;
    }
    Ok(())
}

async fn connected(from: &Database, url: &str) -> anyhow::Result<PgPool> {
    let settings = atelier_events::settings::DatabaseSettings { url: url.to_owned(), ..from.settings() };
    Ok(database(&settings).await?)
}

//! The shadow: `read_next` with what is known of its load, so that another replay can go on with it.

use anyhow::{Context, bail};
use atelier_events::{Event, Log, Position, Stream};
use sqlx::types::Uuid;
use sqlx::{Connection, PgConnection, PgPool};

use crate::schema::{self, INDEXES, MODEL_VERSION, Schema, TABLES};

/// Ranges of streams that are loaded side by side, at the most: each has two connections.
const PARTS_LIMIT: usize = 4;

/// A shadow under the fence of this replay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shadow {
    pub(super) fence: Uuid,
    /// The load takes the log up to here.
    pub(super) up_to: Position,
    /// So many events are applied.
    pub(super) events: i64,
    /// The load is done, indexes and all.
    pub(super) loaded: bool,
}

/// A range of streams that has not been loaded to its end.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Part {
    #[sqlx(rename = "part")]
    pub(super) number: i32,
    pub(super) loaded_stream: Stream,
    pub(super) last_stream: Stream,
}

#[derive(sqlx::FromRow)]
struct Found {
    definition: String,
    up_to: Position,
    loaded: bool,
    checkpoint: Position,
    events: i64,
}

/// What a shadow follows from besides the log. Two programs that agree in it build the same rows.
fn definition() -> String {
    let [(artworks, _), (variants, _)] = INDEXES;
    let known = |name: &&str| format!("{name} {}", Event::schema_of(name));
    let types = Event::TYPES.iter().map(known).collect::<Vec<_>>().join(", ");
    format!("version {MODEL_VERSION}, of {types}\n{TABLES}\n{artworks}\n{variants}")
}

impl Shadow {
    /// Takes over what an interrupted replay has left, unless it is built by another definition or goes further than
    /// `limit`. Some(None): there is something, and it is of no use.
    pub(super) async fn resume(connection: &mut PgConnection, limit: Position) -> anyhow::Result<Option<Option<Self>>> {
        let mut tx = connection.begin().await?;
        if !sqlx::query_scalar(include_str!("../../sql/find_shadow.sql")).fetch_one(&mut *tx).await? {
            return Ok(None);
        }
        schema::use_schema(&mut tx, Schema::Next.name()).await?;
        // Before anything else is read: what is on its way from a replay that has lost its lock comes to its end.
        let fence = Uuid::now_v7();
        sqlx::query(include_str!("../../sql/take_shadow.sql")).bind(fence).execute(&mut *tx).await?;
        let found: Found = sqlx::query_as(include_str!("../../sql/read_shadow.sql"))
            .fetch_one(&mut *tx)
            .await
            .context("reading what an interrupted replay has left in read_next")?;
        tx.commit().await?;
        let Found { definition: built_by, up_to, loaded, checkpoint, events } = found;
        if built_by != definition() || up_to.max(checkpoint) > limit {
            return Ok(Some(None));
        }
        let events = if loaded { checkpoint.0 } else { events };
        Ok(Some(Some(Self { fence, up_to, events, loaded })))
    }

    /// Creates an empty shadow, to be loaded up to a position. Drops one that is there.
    pub(super) async fn create(connection: &mut PgConnection, up_to: Position) -> anyhow::Result<Self> {
        let mut tx = connection.begin().await?;
        schema::drop_next(&mut tx).await?;
        sqlx::query(include_str!("../../sql/create_next_schema.sql")).execute(&mut *tx).await?;
        let first = sqlx::query(include_str!("../../sql/use_schema_first.sql")).bind(Schema::Next.name());
        first.execute(&mut *tx).await?;
        schema::create_tables(&mut tx).await.context("creating the schema `read_next`")?;
        sqlx::raw_sql(include_str!("../../sql/create_shadow.sql")).execute(&mut *tx).await?;
        let fence = Uuid::now_v7();
        let insert = sqlx::query(include_str!("../../sql/insert_shadow.sql"));
        insert.bind(definition()).bind(up_to).bind(fence).execute(&mut *tx).await?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let parts = i32::try_from(cores.min(PARTS_LIMIT))?;
        let split = sqlx::query(include_str!("../../sql/split_streams.sql")).bind(up_to).bind(parts);
        split.execute(&mut *tx).await.context("splitting the log into ranges of streams")?;
        tx.commit().await?;
        Ok(Self { fence, up_to, events: 0, loaded: false })
    }

    /// A connection of its own whose unqualified names are the shadow's.
    pub(super) async fn connect(pool: &PgPool) -> sqlx::Result<PgConnection> {
        let mut connection = pool.acquire().await?.detach();
        sqlx::query(include_str!("../../sql/notice_leavers.sql")).execute(&mut connection).await?;
        schema::own_all(&mut connection).await?;
        let begin = sqlx::query(include_str!("../../sql/begin_loading.sql")).bind(Schema::Next.name());
        begin.execute(&mut connection).await?;
        Ok(connection)
    }

    /// Until the transaction ends, nobody else can take the shadow over; an error if somebody has.
    pub(super) async fn hold(self, transaction: &mut PgConnection) -> anyhow::Result<()> {
        let held = sqlx::query_scalar::<_, bool>(include_str!("../../sql/hold_shadow.sql")).bind(self.fence);
        if held.fetch_optional(transaction).await?.is_none() {
            bail!("another replay has taken over: this one has lost its connection to the database");
        }
        Ok(())
    }

    /// The ranges that are not loaded.
    pub(super) async fn parts(self, log: &Log) -> sqlx::Result<Vec<Part>> {
        let mut connection = Self::connect(log.pool()).await?;
        sqlx::query_as(include_str!("../../sql/read_parts.sql")).fetch_all(&mut connection).await
    }
}

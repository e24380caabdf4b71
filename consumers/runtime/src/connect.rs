//! What every consumer needs, once the producer has made the schema.

use atelier_events::Connections;
use atelier_events::connect;
use atelier_events::settings::{BusSettings, DatabaseSettings, StoreSettings};

/// Connects, waiting for a database that is just starting and for its schema (which the producer migrates).
pub async fn connect(
    database: &DatabaseSettings,
    bus: &BusSettings,
    store: &StoreSettings,
) -> anyhow::Result<Connections> {
    let pool = connect::database(database).await?;
    connect::migrated(&pool).await?;
    Ok(Connections::open(pool, bus, store).await?)
}

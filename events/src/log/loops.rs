//! The connections of the loops that run the same few statements again and again: relay, claims, leases, settlements.
//!
//! Planning such a statement anew takes longer than running it, and Postgres would do so at each run: it takes the lengths
//! of arrays for what the best plan depends on. Here each connection plans a statement once. Only look-ups run here, so
//! that no plan made while a table was small may read all of it.

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// For leases, leadership and schedule: what is on the way of every job has a connection of its own ([`crate::connect::Kept`]).
/// Few, so that all have seen all statements.
const CONNECTIONS: u32 = 2;

/// Such a pool for the database of another one. It connects when there is something to do.
pub(super) fn pool(of: &PgPool) -> PgPool {
    let options: PgPoolOptions = of.options().clone();
    options
        .max_connections(CONNECTIONS)
        .min_connections(0)
        .after_connect(|connection, _| {
            Box::pin(async move {
                // What is read whole all the same (a table of one row) is costed so high then that it would be compiled.
                let settings = "set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set jit = off";
                sqlx::raw_sql(settings).execute(connection).await.map(drop)
            })
        })
        .connect_lazy_with((*of.connect_options()).clone())
}

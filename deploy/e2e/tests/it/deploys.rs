//! When the gallery is deployed.

use atelier_e2e::{Broker, Database};

use crate::commands::{export, sketches};
use crate::harness::with_processes;
use crate::{BY_MESSAGE, history};

/// Long enough for an export to be asked for and written.
const QUIET: (&str, &str) = ("SITE__QUIET_MS", "1500");

/// A deploy was put off when the log had grown during the quiet, in the belief that a message would come of that. The
/// gallery's queue has messages of renditions alone, so it came when somebody looked the next time.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_deployed_though_the_log_grows_by_what_the_gallery_is_not_told_of() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let settings = [BY_MESSAGE, QUIET];
    let outcome = with_processes(&database.url, broker.settings.clone(), &settings, async |processes| {
        let log = &processes.connections.log;
        sketches(&processes.client, "burst", 1, 128).await?;
        history::rendered(log, 1).await?;
        export(&processes.client, "meanwhile").await?;
        history::at_rest(log, 1).await
    })
    .await;
    broker.delete().await?;
    outcome
}

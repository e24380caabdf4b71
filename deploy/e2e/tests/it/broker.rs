//! The broker goes away, in the ways in which brokers do.

use atelier_e2e::{Broker, Database, Proxy, queues, until};
use atelier_events::Consumer;
use atelier_events::settings::BusSettings;

use crate::IMPATIENT;
use crate::commands::sketches;
use crate::harness::with_processes;
use crate::invariant::check;

const SIDE: u32 = 128;

/// The connections of an installation: its producer's to publish, and that of each consumer.
const CONNECTIONS: u64 = 7;

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_accepted_while_the_broker_is_gone_and_everything_is_delivered_when_it_is_back()
-> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let (line, url) = Proxy::before(&broker.settings.url).await?;
    let through = BusSettings { url, ..broker.settings.clone() };
    let outcome = with_processes(&database.url, through, &IMPATIENT, async |processes| {
        let client = &processes.client;
        let mut accepted = sketches(client, "before", 2, SIDE).await?;
        check(processes, &accepted).await?;

        // Its network says nothing at all, until the relay has waited in vain for a confirm and then for a connection. Those
        // are its two time limits, 10 and 30 seconds: a minute would prove no more.
        line.freeze_both();
        for given_up in ["confirm", "connection"] {
            let tried = line.connections();
            accepted.extend(sketches(client, &format!("before-the-{given_up}-is-given-up"), 2, SIDE).await?);
            until(&format!("the {given_up} is given up"), || async { Ok(line.connections() > tried) }).await?;
        }
        // Its machine says that nobody listens there.
        line.refuse();
        let tried = line.connections();
        accepted.extend(sketches(client, "refused", 2, SIDE).await?);
        until("all look for the broker", || async { Ok(line.connections() >= tried + 2 * CONNECTIONS) }).await?;
        line.pass();
        check(processes, &accepted).await?;

        // A queue that is deleted is made again, and what was in it is found.
        for (number, consumer) in (0..).zip(Consumer::ALL) {
            let name = format!("{number}-{consumer}");
            accepted.extend(sketches(client, &format!("before-{name}"), 1, SIDE).await?);
            queues::delete(&broker.settings, consumer).await?;
            accepted.extend(sketches(client, &format!("after-{name}"), 1, SIDE).await?);
            until("the queue is there again", || queues::exists(&broker.settings, consumer)).await?;
        }
        check(processes, &accepted).await
    })
    .await;
    broker.delete().await?;
    outcome
}

//! What `jobs` refuses.

use atelier_standalone::jobs::{self, Args, Which};

use crate::installation::Installation;

#[tokio::test]
async fn a_filter_that_nothing_could_match_is_refused_with_what_there_is() {
    let installation = Installation::start().await;
    let any = Args { limit: 20, json: true, ..Args::default() };
    let which = |which: Which| Args { which, ..any.clone() };
    let state = which(Which { state: Some("done".to_owned()), ..Which::default() });
    let consumer = which(Which { consumer: Some("index".to_owned()), ..Which::default() });
    for (args, expected) in [
        (
            state,
            "unknown state \"done\"; there are: available, scheduled, running, retryable, completed, cancelled, discarded",
        ),
        (consumer, "unknown consumer \"index\"; there are: generate, thumbnails, exports, webhooks, sidecars"),
    ] {
        let error = jobs::run(args, &installation.connections).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    jobs::run(any, &installation.connections).await.unwrap();
}

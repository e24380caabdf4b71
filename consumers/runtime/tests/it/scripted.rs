//! A job that does what its test says, and remembers its attempts.

use std::sync::{Arc, Mutex, PoisonError};

use atelier_e2e::until;
use atelier_events::log::Write;
use atelier_events::variant::Failed;
use atelier_events::{Consumer, Event, Position, Recorded, Stage, VariantEvent, VariantId};
use atelier_runtime::{Attempt, Job, Outcome};
use futures::future::BoxFuture;

type Script = Box<dyn Fn(Attempt) -> BoxFuture<'static, anyhow::Result<Outcome>> + Send + Sync>;

/// Attempts as `(position, number)`, in the order they began.
#[derive(Clone, Default)]
pub(crate) struct Begun(Arc<Mutex<Vec<(Position, i32)>>>);

impl Begun {
    pub(crate) fn all(&self) -> Vec<(Position, i32)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often this event's job was tried.
    pub(crate) fn of(&self, event: &Recorded) -> Vec<i32> {
        let all = self.all();
        all.into_iter().filter(|(position, _)| *position == event.position).map(|(_, number)| number).collect()
    }

    /// Waits until so many attempts have begun.
    pub(crate) async fn until(&self, count: usize) -> anyhow::Result<()> {
        until(&format!("{count} attempts have begun"), || async { Ok(self.all().len() >= count) }).await
    }
}

pub(crate) struct Scripted {
    script: Script,
    begun: Begun,
}

/// A job of `thumbnails` that runs this, and the attempts that it was asked for.
pub(crate) fn scripted<F>(script: impl Fn(Attempt) -> F + Send + Sync + 'static) -> (Scripted, Begun)
where
    F: Future<Output = anyhow::Result<Outcome>> + Send + 'static,
{
    let begun = Begun::default();
    let script: Script = Box::new(move |attempt| Box::pin(script(attempt)));
    (Scripted { script, begun: begun.clone() }, begun)
}

impl Job for Scripted {
    const CONSUMER: Consumer = Consumer::Thumbnails;

    async fn run(&self, attempt: &Attempt) -> anyhow::Result<Outcome> {
        let began = (attempt.event.position, attempt.number);
        self.begun.0.lock().unwrap_or_else(PoisonError::into_inner).push(began);
        (self.script)(attempt.clone()).await
    }
}

/// An event on the job's stream that says this.
pub(crate) fn told(event: &Recorded, error: &str) -> Write {
    let failed = Event::Variant(VariantEvent::Failed(Failed {
        variant_id: VariantId::new(),
        stage: Stage::Renditions,
        error: error.to_owned(),
    }));
    Write::answer(event, "worker", failed)
}

/// Done, with one event.
pub(crate) fn done(attempt: &Attempt) -> Outcome {
    Outcome::Completed(vec![told(&attempt.event, "done")])
}

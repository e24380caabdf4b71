use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// How far an attempt has come: told as often as it likes, and written to its lease about once a second, where whoever
/// waits for it finds it. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    last: Value,
    is_news: bool,
}

impl Progress {
    /// Says how far it is now, in the words of its kind.
    pub fn tell(&self, progress: Value) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Told { last: progress, is_news: true };
    }

    /// What was told last.
    #[must_use]
    pub fn told(&self) -> Value {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last.clone()
    }

    /// What was told since this was asked last.
    pub(crate) fn news(&self) -> Option<Value> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut told.is_news).then(|| told.last.clone())
    }
}

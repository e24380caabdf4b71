use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// Keeps gauges, by name: a recorder for `metrics::set_default_local_recorder` in a test that runs on one thread, so that
/// tests beside it do not write to it.
#[derive(Debug, Default)]
pub struct Gauges(Mutex<HashMap<String, Arc<AtomicU64>>>);

impl Gauges {
    fn handle(&self, name: &str) -> Arc<AtomicU64> {
        let mut handles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(handles.entry(name.to_owned()).or_default())
    }

    /// What a gauge was set to last; 0 when it was not.
    #[must_use]
    pub fn value(&self, name: &str) -> f64 {
        f64::from_bits(self.handle(name).load(Ordering::SeqCst))
    }
}

impl Recorder for Gauges {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.handle(key.name()))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

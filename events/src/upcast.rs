//! Old schemas, raised on reading to the one that is written today: a chain of steps per event type, each from one
//! schema to the next. The log itself is never rewritten.
//!
//! To change what an event holds: change its struct, add the step here, and add a sample of the new schema under
//! `tests/it/samples` beside the old ones, which stay for ever.

use serde_json::{Map, Value};

use crate::data::Data;

/// Raises content by one schema. Pure and total: what a step does not find it leaves, and reading says what is wrong.
type Step = fn(&mut Map<String, Value>);

/// The steps of a type: the first raises schema 1 to 2.
fn steps(event_type: &str) -> &'static [Step] {
    match event_type {
        "variant.generated" => &[cost_names_its_currency],
        "export.requested" => &[export_says_which_variants],
        _ => &[],
    }
}

/// The schema that is written today.
pub(crate) fn newest(event_type: &str) -> i16 {
    1 + i16::try_from(steps(event_type).len()).unwrap_or(i16::MAX - 1)
}

/// Content of an older schema as today's would hold it. Today's own and newer content is left as it is.
pub(crate) fn raise(event_type: &str, schema: i16, data: &Data) -> Data {
    let done = usize::try_from(schema.saturating_sub(1)).unwrap_or(0);
    let mut value = data.to_value();
    if let Value::Object(content) = &mut value {
        for step in steps(event_type).iter().skip(done) {
            step(content);
        }
    }
    value.into()
}

/// Schema 1 said `cost_micros`, of no named currency, and nothing when the provider was built in.
fn cost_names_its_currency(content: &mut Map<String, Value>) {
    let cost = content.remove("cost_micros").unwrap_or_else(|| 0.into());
    content.insert("cost_usd_micros".to_owned(), cost);
}

/// Schema 1 said nothing of variants, and meant the one that stands for each artwork. It is a schema of its own, and no
/// field that may be lacking, so that no older worker packs a part of what was asked for and calls it complete.
fn export_says_which_variants(content: &mut Map<String, Value>) {
    content.insert("variants".to_owned(), "cover".into());
}

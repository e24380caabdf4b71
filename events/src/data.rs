//! What an event says, as the log holds it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueRef};
use sqlx::{Decode, Postgres, Type};

/// JSON, kept to the byte and read by who needs it: most of what handles an event only passes it on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Data(Box<RawValue>);

impl Data {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Every value in it, for who does not know what it is.
    #[must_use]
    pub fn to_value(&self) -> Value {
        // It was found to be JSON when it came; what has numbers or depths beyond a Value is told as nothing.
        serde_json::from_str(self.as_str()).unwrap_or_default()
    }
}

impl Default for Data {
    fn default() -> Self {
        Self(RawValue::NULL.to_owned())
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl From<Value> for Data {
    fn from(value: Value) -> Self {
        // A Value has text for keys and no number that JSON has not: its text is JSON.
        Self(RawValue::from_string(value.to_string()).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl From<Data> for String {
    fn from(data: Data) -> Self {
        Box::<str>::from(data.0).into()
    }
}

impl Type<Postgres> for Data {
    fn type_info() -> PgTypeInfo {
        Value::type_info()
    }

    fn compatible(column: &PgTypeInfo) -> bool {
        Value::compatible(column)
    }
}

impl<'r> Decode<'r, Postgres> for Data {
    fn decode(column: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let sqlx::types::Json(raw) = Decode::<Postgres>::decode(column)?;
        Ok(Self(raw))
    }
}

use std::fmt;

use serde::{Deserialize, Serialize};

/// Section `store` of the settings: which bucket, where, and as whom.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// Address of the store, such as `https://<account>.r2.cloudflarestorage.com`; empty means AWS in `region`.
    pub endpoint: String,
    /// Address that presigned URLs carry, when clients reach the store by another one; empty means `endpoint`.
    pub public_endpoint: String,
    /// Region, `auto` where the store has none.
    pub region: String,
    /// Name of the bucket.
    pub bucket: String,
    /// Who asks.
    pub access_key_id: String,
    /// How they prove it.
    pub secret_access_key: String,
    /// Whether the bucket is named in the path (`host/bucket/key`) or in the host (`bucket.host/key`).
    pub path_style: bool,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            public_endpoint: String::new(),
            region: "auto".to_owned(),
            bucket: "atelier".to_owned(),
            access_key_id: String::new(),
            secret_access_key: String::new(),
            path_style: true,
        }
    }
}

impl fmt::Debug for StoreSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoreSettings")
            .field("endpoint", &self.endpoint)
            .field("public_endpoint", &self.public_endpoint)
            .field("region", &self.region)
            .field("bucket", &self.bucket)
            .field("access_key_id", &self.access_key_id)
            .field("path_style", &self.path_style)
            .finish_non_exhaustive()
    }
}

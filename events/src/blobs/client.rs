use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
};
use aws_sdk_s3::types::BucketLocationConstraint;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::StoreSettings;

/// How long one try of one request may take until the answer's head is there. It covers the sending of a part over a
/// slow uplink, 8 MiB at half a megabit a second.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(135);

/// How often a request is tried in all when the store cannot be reached, is overloaded or fails.
pub const MAX_ATTEMPTS: u32 = 4;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// A client for the store at this address.
pub(super) fn to(endpoint: &str, settings: &StoreSettings) -> Client {
    let credentials =
        Credentials::new(&settings.access_key_id, &settings.secret_access_key, None, None, "section `store`");
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(ATTEMPT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(MAX_ATTEMPTS)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(LONGEST_BACKOFF);
    let mut config = Builder::new()
        .http_client(http(endpoint))
        .region(Region::new(settings.region.clone()))
        .credentials_provider(credentials)
        .force_path_style(settings.path_style)
        .timeout_config(timeouts)
        .retry_config(retries)
        // By default the SDK adds CRC trailers that only AWS is sure to know. What is sent in one piece is covered by
        // the signature's own SHA-256, and what is read is compared with the SHA-256 in its event.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    if !endpoint.is_empty() {
        config = config.endpoint_url(endpoint);
    }
    Client::from_conf(config.build())
}

/// AWS alone wants to hear where a new bucket shall lie, and only outside its first region.
pub(super) fn location(settings: &StoreSettings) -> Option<BucketLocationConstraint> {
    let elsewhere = settings.endpoint.is_empty() && settings.region != "us-east-1";
    elsewhere.then(|| BucketLocationConstraint::from(settings.region.as_str()))
}

/// Plain HTTP gets a client without TLS: it would read the system's certificates for nothing, and a bare container
/// has none.
fn http(endpoint: &str) -> SharedHttpClient {
    let builder = aws_smithy_http_client::Builder::new();
    if endpoint.starts_with("http://") {
        builder.build_http()
    } else {
        builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
    }
}

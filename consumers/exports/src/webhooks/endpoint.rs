//! One address, and how it is told: as Standard Webhooks say, <https://www.standardwebhooks.com>.

use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};
use ring::hmac;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::settings::WebhookSettings;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(20);
const SECRET_PREFIX: &str = "whsec_";
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

pub(super) struct Endpoint {
    url: Url,
    key: hmac::Key,
    http: Client,
}

/// What it says, if it is no error.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Taken,
    /// It does not want to be told any more.
    Gone,
    /// It asks to be told again after this time.
    Later(Duration),
}

impl Endpoint {
    /// None where the settings name no address.
    pub(super) fn of(settings: &WebhookSettings) -> anyhow::Result<Option<Self>> {
        if settings.url.is_empty() {
            return Ok(None);
        }
        let url = Url::parse(&settings.url).context("exports.webhook.url is no address")?;
        if !matches!(url.scheme(), "http" | "https") {
            bail!("exports.webhook.url begins with {:?}; it must be http or https", url.scheme());
        }
        let key = key(&settings.secret)?;
        // Refused when another part of the process was first, and then that one is there.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            // What is signed for one address is sent to no other.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("atelier/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Some(Self { url, key, http }))
    }

    /// Sends a message, which has this id each time it is sent.
    pub(super) async fn tell(&self, id: Uuid, body: Vec<u8>) -> anyhow::Result<Answer> {
        let id = id.to_string();
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-signature", signature(&self.key, &id, now, &body))
            .header("webhook-id", id)
            .header("webhook-timestamp", now)
            .body(body);
        // The address may hold a password.
        let sent = request.send().await.map_err(reqwest::Error::without_url);
        let response = sent.context("exports.webhook.url cannot be told")?;
        let status = response.status();
        if status.is_success() {
            return Ok(Answer::Taken);
        }
        if status == StatusCode::GONE {
            return Ok(Answer::Gone);
        }
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
            && let Some(seconds) = header(RETRY_AFTER).and_then(|value| value.trim().parse().ok())
        {
            return Ok(Answer::Later(Duration::from_secs(seconds)));
        }
        // Neither where else it leads nor what it says is repeated whole: both may hold what the address does, or the link.
        if let Some(host) = header(LOCATION).filter(|_| status.is_redirection()).and_then(|to| self.host_of(to)) {
            bail!(
                "exports.webhook.url leads on to {host} ({status}), and nothing is sent to a second address: set it to that"
            );
        }
        bail!("exports.webhook.url answers {status}; what was wrong, its server knows")
    }

    fn host_of(&self, location: &str) -> Option<String> {
        let to = self.url.join(location).ok()?;
        Some(format!("{}://{}", to.scheme(), to.host_str()?))
    }
}

fn key(secret: &str) -> anyhow::Result<hmac::Key> {
    let what = "exports.webhook.secret must be \"whsec_\" and 24 to 64 bytes in base64, as by \
                `echo whsec_$(openssl rand -base64 32)`";
    let Some(encoded) = secret.strip_prefix(SECRET_PREFIX) else { bail!("{what}; it does not begin so") };
    let Ok(bytes) = STANDARD.decode(encoded) else { bail!("{what}; what follows is no base64") };
    if !SECRET_BYTES.contains(&bytes.len()) {
        bail!("{what}; it has {} bytes", bytes.len());
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn signature(key: &hmac::Key, id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut signing = hmac::Context::with_key(key);
    signing.update(format!("{id}.{timestamp}.").as_bytes());
    signing.update(body);
    format!("v1,{}", STANDARD.encode(signing.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example in the specification of Standard Webhooks.
    #[test]
    fn a_signature_is_the_one_that_the_specification_shows() -> anyhow::Result<()> {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let signed = signature(&key, id, 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        Ok(())
    }
}

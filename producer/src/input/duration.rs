use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// The longest a read may be asked to wait.
const LONGEST: Duration = Duration::from_mins(1);

/// How long a read waits for what it asks about: `30s`, `1500ms`, or seconds alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wait = parse(&text)
            .ok_or_else(|| de::Error::custom(format!("{text:?} is not a time to wait: write it as 30s or 1500ms")))?;
        if wait > LONGEST {
            return Err(de::Error::custom(format!("{text:?} is longer than {}s", LONGEST.as_secs())));
        }
        Ok(Self(wait))
    }
}

fn parse(text: &str) -> Option<Duration> {
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    if let Some(digits) = text.strip_suffix("ms") {
        return number(digits).map(Duration::from_millis);
    }
    number(text.strip_suffix('s').unwrap_or(text)).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seconds_or_milliseconds() {
        assert_eq!(parse("30s"), Some(Duration::from_secs(30)));
        assert_eq!(parse("30"), Some(Duration::from_secs(30)));
        assert_eq!(parse("1500ms"), Some(Duration::from_millis(1_500)));
        for text in ["", "s", "ms", "-1s", "1m", "1.5s", "+1s", "99999999999999999999s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

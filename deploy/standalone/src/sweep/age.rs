//! How old something must be.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// An attempt takes minutes, with all that it waits for: what is an hour old is of none that runs.
const LEAST: Duration = Duration::from_hours(1);

/// An age as people write it: `90m`, `36h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age(pub Duration);

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let none = || format!("{text:?} is not an age: write it as 90m, 36h or 7d");
        let unit = text.chars().last().ok_or_else(none)?;
        let seconds: u64 = match unit {
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            _ => return Err(none()),
        };
        let digits = text.trim_end_matches(unit);
        let whole = digits.len() + 1 == text.len() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let count: u32 = Some(digits).filter(|_| whole).and_then(|digits| digits.parse().ok()).ok_or_else(none)?;
        let age = Duration::from_secs(u64::from(count) * seconds);
        if age < LEAST {
            return Err(format!("{text:?} is less than an hour: what is so young may be of an attempt that runs"));
        }
        Ok(Self(age))
    }
}

impl fmt::Display for Age {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.0.as_secs() / 60;
        if minutes.is_multiple_of(60) {
            write!(formatter, "{}h", minutes / 60)
        } else {
            write!(formatter, "{minutes}m")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_minutes_hours_or_days_and_an_hour_at_least() {
        for (text, hours) in [("60m", 1), ("36h", 36), ("7d", 168)] {
            let age: Age = text.parse().expect(text);
            assert_eq!(age.0, Duration::from_hours(hours));
            assert_eq!(age.to_string(), format!("{hours}h"));
        }
        for text in ["", "h", "1", "-1h", "1.5h", "1w", "59m", "0d", "1hh", "99999999999d", "+2h", "é"] {
            assert!(text.parse::<Age>().is_err(), "{text}");
        }
    }
}

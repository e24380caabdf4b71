//! How a replay looks while it runs: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::replay::Progress;

/// How far apart lines are where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(2);

const TEMPLATE: &str = "{bar:40} {human_pos}/{human_len} events, {per_sec}, {eta} left";

/// Shows progress on stderr: positions, rate and time left.
pub fn on_stderr() -> impl FnMut(Progress) {
    let bar = std::io::stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template above is one");
        ProgressBar::new(0).with_style(style)
    });
    let began = Instant::now();
    let mut last_line = None;
    move |progress| {
        let (position, head) = (number(progress.position.0), number(progress.head.0));
        if let Some(bar) = &bar {
            bar.set_length(head);
            bar.set_position(position);
            if position >= head {
                bar.finish();
            }
        } else if position >= head || last_line.is_none_or(|last: Instant| last.elapsed() > LINE_INTERVAL) {
            last_line = Some(Instant::now());
            // Whoever closed stderr does not want to see it.
            drop(writeln!(std::io::stderr(), "{}", line(position, head, began.elapsed())));
        }
    }
}

fn line(position: u64, head: u64, elapsed: Duration) -> String {
    let rate = position.saturating_mul(1_000) / number_of_millis(elapsed).max(1);
    let left = head.saturating_sub(position).checked_div(rate).unwrap_or(0);
    format!("replayed {position}/{head} events, {rate}/s, {left} s left")
}

fn number_of_millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

fn number(position: i64) -> u64 {
    u64::try_from(position).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_positions_rate_and_time_left() {
        let text = line(5_000, 20_000, Duration::from_secs(5));
        assert_eq!(text, "replayed 5000/20000 events, 1000/s, 15 s left");
        assert_eq!(line(0, 0, Duration::ZERO), "replayed 0/0 events, 0/s, 0 s left");
    }
}

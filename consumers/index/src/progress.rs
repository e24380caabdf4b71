//! How a replay looks while it runs: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::replay::{Begun, Progress, Step};

/// How far apart lines are where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(2);

/// How often the bar is drawn while there is no news.
const TICK: Duration = Duration::from_millis(200);

const TEMPLATE: &str = "{bar:40} {human_pos}/{human_len} events, {per_sec}, {eta} left  {msg}";

/// Shows progress on stderr: positions, rate and time left.
pub fn on_stderr() -> impl FnMut(Progress) {
    let bar = std::io::stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template above is one");
        ProgressBar::new(0).with_style(style)
    });
    // When and where it began: what an interrupted replay had done is not of this one's rate.
    let mut began: Option<(Instant, u64)> = None;
    let mut last_line: Option<(Instant, Step)> = None;
    move |progress| {
        let (position, head) = (number(progress.position.0), number(progress.head.0));
        let (since, first) = *began.get_or_insert_with(|| {
            let (first, words) = beginning(progress.begun);
            if let Some(bar) = &bar {
                bar.set_position(first);
                bar.reset_eta();
                bar.enable_steady_tick(TICK);
            }
            if let Some(words) = words {
                say(bar.as_ref(), &words);
            }
            (Instant::now(), first)
        });
        if let Some(bar) = &bar {
            bar.set_length(head);
            bar.set_position(position);
            bar.set_message(doing(progress.step));
            if position >= head && progress.step == Step::CatchUp {
                bar.finish();
            }
        } else if position >= head
            || last_line.is_none_or(|(last, step)| step != progress.step || last.elapsed() > LINE_INTERVAL)
        {
            last_line = Some((Instant::now(), progress.step));
            say(None, &line(first, position, head, progress.step, since.elapsed()));
        }
    }
}

fn say(bar: Option<&ProgressBar>, words: &str) {
    match bar {
        Some(bar) => bar.println(words),
        // Whoever closed stderr does not want to see it.
        None => drop(writeln!(std::io::stderr(), "{words}")),
    }
}

/// Where a replay begins, and what there is to say of that.
fn beginning(begun: Begun) -> (u64, Option<String>) {
    match begun {
        Begun::Afresh => (0, None),
        Begun::StartedOver => (0, Some("starting over: what an earlier replay has left is of no use".to_owned())),
        Begun::Resumed(events) => {
            (number(events), Some(format!("going on after {events} events of an interrupted replay")))
        }
        Begun::Backup(position) => (number(position.0), Some(format!("going on from the backup at {position}"))),
    }
}

fn doing(step: Step) -> &'static str {
    match step {
        Step::Load => "loading",
        Step::Index => "making indexes",
        Step::CatchUp => "catching up",
    }
}

fn line(first: u64, position: u64, head: u64, step: Step, elapsed: Duration) -> String {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = position.saturating_sub(first).saturating_mul(1_000) / millis;
    let left = head.saturating_sub(position).checked_div(rate).unwrap_or(0);
    format!("replayed {position}/{head} events, {rate}/s, {left} s left, {}", doing(step))
}

fn number(position: i64) -> u64 {
    u64::try_from(position).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_positions_rate_and_time_left() {
        let text = line(0, 5_000, 20_000, Step::Load, Duration::from_secs(5));
        assert_eq!(text, "replayed 5000/20000 events, 1000/s, 15 s left, loading");
        let text = line(4_000, 5_000, 20_000, Step::CatchUp, Duration::from_secs(1));
        assert_eq!(text, "replayed 5000/20000 events, 1000/s, 15 s left, catching up");
        assert_eq!(line(0, 0, 0, Step::Index, Duration::ZERO), "replayed 0/0 events, 0/s, 0 s left, making indexes");
    }
}

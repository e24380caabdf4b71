//! What a worker does: reads a picture, cuts it, answers, until its input ends.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use rustix::time::{ClockId, clock_gettime};

use super::confine::{self, Confinement};
use super::frame::{self, Answer, Outcome, PREFIX_BYTES};
use super::{Task, death};
use crate::caption::Caption;
use crate::cut::{Cut, cut};
use crate::policy::Policy;
use crate::refused::Refused;

/// The argument that makes this program a worker. Hidden: it is no command, and useless without a daemon at the other end.
const ARGUMENT: &str = "--render-worker";

/// The arguments of a worker.
pub(super) fn arguments(confinement: Confinement) -> [String; 4] {
    let Confinement { memory_bytes, cpu_s, seccomp } = confinement;
    [ARGUMENT.to_owned(), memory_bytes.to_string(), cpu_s.to_string(), seccomp.to_string()]
}

/// What `main` begins with, before any thread and any connection: does not return in a process that was started as a
/// worker, and does nothing in any other.
#[must_use]
pub fn serve_if_asked() -> Option<ExitCode> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [argument, memory_bytes, cpu_s, seccomp] = arguments.as_slice() else {
        return None;
    };
    let confinement = Confinement {
        memory_bytes: memory_bytes.parse().ok()?,
        cpu_s: cpu_s.parse().ok()?,
        seccomp: seccomp.parse().ok()?,
    };
    (argument == ARGUMENT).then(|| serve(confinement))
}

fn serve(confinement: Confinement) -> ExitCode {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    if let Err(error) = confine::enter(confinement) {
        // The daemon reads it when the worker is gone.
        drop(writeln!(io::stderr(), "{error:#}"));
        return ExitCode::from(death::UNCONFINED);
    }
    loop {
        match answer_one(&mut input, &mut output, confinement, cut) {
            Ok(Next::Picture) => {}
            Ok(Next::End) => return ExitCode::SUCCESS,
            // The daemon has gone, or never spoke our language: there is nobody to tell.
            Err(_) => return ExitCode::FAILURE,
        }
    }
}

enum Next {
    Picture,
    End,
}

fn answer_one(
    input: &mut impl Read,
    output: &mut impl Write,
    confinement: Confinement,
    cut: impl FnOnce(&[u8], &Caption, &Policy) -> Result<Cut, Refused>,
) -> io::Result<Next> {
    let mut prefix = [0; PREFIX_BYTES];
    match input.read_exact(&mut prefix) {
        Ok(()) => {}
        Err(end) if end.kind() == io::ErrorKind::UnexpectedEof => return Ok(Next::End),
        Err(error) => return Err(error),
    }
    confine::begin_picture(confinement)?;
    let began = cpu_us();
    let (header, length) = frame::lengths(prefix);
    let mut task = vec![0; header];
    input.read_exact(&mut task)?;
    let mut original = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    input.read_exact(&mut original)?;
    let task: Task = serde_json::from_slice(&task)?;

    let outcome = catch_unwind(AssertUnwindSafe(|| cut(&original, &task.caption, &task.policy)));
    let spent = cpu_us() - began;
    let (answer, files) = match outcome {
        Ok(outcome) => Answer::new(outcome, spent),
        Err(panic) => {
            let words = words_of(panic.as_ref()).to_owned();
            (Answer { outcome: Outcome::Panicked(words), cpu_us: spent }, Vec::new())
        }
    };
    let header = serde_json::to_vec(&answer)?;
    let length = files.iter().map(|file| file.len() as u64).sum();
    output.write_all(&frame::prefix(&header, length))?;
    output.write_all(&header)?;
    for file in files {
        output.write_all(&file)?;
    }
    output.flush()?;
    Ok(if matches!(answer.outcome, Outcome::Panicked(_)) { Next::End } else { Next::Picture })
}

/// CPU time of this process so far, in microseconds.
pub(super) fn cpu_us() -> u64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanoseconds) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    seconds.unwrap_or_default() * 1_000_000 + nanoseconds.unwrap_or_default() / 1_000
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_while_it_cuts_is_told_in_its_words_and_ends_the_worker() {
        let task = Task { policy: Policy::default(), caption: Caption::default() };
        let header = serde_json::to_vec(&task).expect("a task");
        let request = [&frame::prefix(&header, 3)[..], &header, b"abc"].concat();
        // Of the limits only that of CPU time is set here, far beyond what this test takes.
        let confinement = Confinement { memory_bytes: 0, cpu_s: 3_600, seccomp: false };
        let mut answered = Vec::new();
        let next = answer_one(&mut &request[..], &mut answered, confinement, |original, _, _| {
            panic!("{} bytes were too many", original.len())
        });
        assert!(matches!(next, Ok(Next::End)));
        let (prefix, header) = answered.split_first_chunk::<PREFIX_BYTES>().expect("a prefix");
        assert_eq!(frame::lengths(*prefix), (header.len(), 0));
        let answer: Answer = serde_json::from_slice(header).expect("an answer");
        assert!(matches!(&answer.outcome, Outcome::Panicked(words) if words == "3 bytes were too many"), "{answer:?}");
    }
}

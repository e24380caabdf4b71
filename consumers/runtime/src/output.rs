//! What commands print.

use std::io::{self, Stdout, Write};

/// The standard output, for whom there may be nobody: whoever reads it, such as `head`, may have enough before the end. The
/// rest is printed to nobody then, and a command does what it is for and ends as it would have.
#[derive(Debug)]
pub struct Output(Stdout);

/// What commands print to.
#[must_use]
pub fn output() -> Output {
    Output(io::stdout())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        unless_nobody_reads(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        unless_nobody_reads(self.0.flush(), ())
    }
}

fn unless_nobody_reads<T>(done: io::Result<T>, otherwise: T) -> io::Result<T> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(otherwise),
        done => done,
    }
}

//! `atelier`: everything in one process, and the commands around it.

use std::path::PathBuf;
use std::process::ExitCode;

use atelier_standalone::{bench, demo, import, jobs, replay, tail, up, verify};
use clap::{Parser, Subcommand};

/// An artwork pipeline: generate or import pictures, and get a published gallery.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    /// Where the installation keeps what it keeps.
    #[arg(long, global = true, default_value = ".atelier", value_name = "DIR")]
    data_dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs everything in one process until Ctrl-C.
    Up(up::Listen),
    /// Shows everything: sketches, imports, a ZIP and the gallery.
    Demo(demo::Args),
    /// Adds pictures to the gallery of a running installation.
    Import(import::Args),
    /// Lists jobs and how many there are.
    Jobs(jobs::Args),
    /// Proves that the log is whole and every blob is what the log says.
    Verify(verify::Args),
    /// Builds the read model again from the log and swaps it in.
    Replay(replay::Args),
    /// Shows events as they come.
    Tail(tail::Args),
    /// Measures, and prints what was measured against what.
    Bench(bench::Args),
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let Arguments { data_dir, command } = Arguments::parse();
    let with = atelier_standalone::command::Command::open(&data_dir)?;
    match command {
        Command::Up(listen) => with.up(&listen).await,
        Command::Demo(args) => with.demo(args).await,
        Command::Import(args) => import::run(args, &with.client()?).await,
        Command::Jobs(args) => with.connected(async |connections| jobs::run(args, connections).await).await,
        Command::Verify(args) => with.connected(async |connections| verify::run(args, connections).await).await,
        Command::Replay(args) => with.connected(async |connections| replay::run(args, connections).await).await,
        Command::Tail(args) => with.connected(async |connections| tail::run(args, connections).await).await,
        Command::Bench(args) => bench::run(args, &with.installation.producer.database).await,
    }
}

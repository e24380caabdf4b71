//! `atelier`: everything in one process, and the commands around it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use atelier_standalone::jobs::Order;
use atelier_standalone::{
    bench, consumers, dead, demo, export, import, jobs, recut, render, replay, restore, site, sweep, tail, theme, up,
    verify, why,
};
use atelier_thumbnails::workers::serve_if_asked;
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
#[expect(clippy::large_enum_variant, reason = "there is one in a process")]
enum Command {
    /// Runs everything in one process until Ctrl-C.
    Up(up::Listen),
    /// Shows everything: sketches, imports, a ZIP and the gallery.
    Demo(demo::Args),
    /// Adds pictures to the gallery of a running installation.
    Import(import::Args),
    /// Packs artworks of a running installation into a ZIP, as a backup or to be looked at, and fetches it.
    Export(export::Args),
    /// Lists jobs and how many there are.
    Jobs(jobs::Args),
    /// Lists, shows, requeues and purges dead letters: jobs that were given up, and messages that no consumer could take.
    Dead(dead::Args),
    /// Tells why a job waits, and when it will run.
    Why(why::Args),
    /// Cancels jobs that wait or run.
    Cancel(jobs::OrderArgs),
    /// Gives discarded and cancelled jobs all their attempts again.
    Requeue(jobs::OrderArgs),
    /// Cuts renditions again by the settings of today.
    Recut(recut::Args),
    /// Builds log and gallery again from the sidecars in the bucket.
    Restore(restore::Args),
    /// Lists, and deletes, renditions that nobody names any more and uploads that were never finished.
    Sweep(sweep::Args),
    /// Shows what each consumer is at.
    Status(consumers::StatusArgs),
    /// Stops consumers from beginning anything; what runs goes on.
    Pause(consumers::PauseArgs),
    /// Lets paused consumers go on.
    Resume(consumers::PauseArgs),
    /// Proves that the log is whole and every blob is what the log says.
    Verify(verify::Args),
    /// Builds the read model again from the log and swaps it in.
    Replay(replay::Args),
    /// Lists the gallery's releases, goes back to an earlier one, and compares all of it with what it should be.
    Site(site::Args),
    /// Begins, checks and shows a theme of the gallery, without any service.
    Theme(theme::Args),
    /// Shows events as they come.
    Tail(tail::Args),
    /// Cuts the renditions of a picture into a folder, without any service.
    Render(render::Args),
    /// Measures, and prints what was measured against what.
    Bench(bench::Args),
}

fn main() -> anyhow::Result<ExitCode> {
    // A render worker has neither threads nor connections.
    serve_if_asked().map_or_else(run, Ok)
}

fn run() -> anyhow::Result<ExitCode> {
    let Arguments { data_dir, command } = Arguments::parse();
    match command {
        // It waits for nothing, and begins without threads.
        Command::Render(args) => render::run(&args),
        Command::Theme(args) => without_services(args),
        command => with_services(&data_dir, command),
    }
}

#[tokio::main]
async fn without_services(args: theme::Args) -> anyhow::Result<ExitCode> {
    theme::run(args).await
}

#[tokio::main]
async fn with_services(data_dir: &Path, command: Command) -> anyhow::Result<ExitCode> {
    let with = atelier_standalone::command::Command::open(data_dir)?;
    match command {
        Command::Up(listen) => Box::pin(with.up(&listen)).await,
        Command::Demo(args) => Box::pin(with.demo(args)).await,
        Command::Import(args) => import::run(args, &with.client()?).await,
        Command::Export(args) => export::run(args, &with.client()?).await,
        Command::Jobs(args) => with.connected(async |connections| jobs::run(args, connections).await).await,
        Command::Dead(args) => with.connected(async |connections| dead::run(args, connections).await).await,
        Command::Why(args) => with.connected(async |connections| why::run(args, connections).await).await,
        Command::Cancel(args) => with.connected(async |at| jobs::order(Order::Cancel, args, at).await).await,
        Command::Requeue(args) => with.connected(async |at| jobs::order(Order::Requeue, args, at).await).await,
        Command::Recut(args) => Box::pin(recut::run(args, with)).await,
        Command::Restore(args) => Box::pin(with.restore(args)).await,
        Command::Sweep(args) => with.connected(async |connections| sweep::run(args, connections).await).await,
        Command::Status(args) => with.connected(async |connections| consumers::status(args, connections).await).await,
        Command::Pause(args) => with.connected(async |connections| consumers::pause(args, connections).await).await,
        Command::Resume(args) => with.connected(async |connections| consumers::resume(args, connections).await).await,
        Command::Verify(args) => {
            let checkpoints = verify::Checkpoints::open(&args, &with.installation.home)?;
            with.connected(async |connections| verify::run(args, checkpoints, connections).await).await
        }
        Command::Replay(args) => with.connected(async |connections| replay::run(args, connections).await).await,
        Command::Site(args) => Box::pin(site::run(args, with)).await,
        Command::Tail(args) => with.connected(async |connections| tail::run(args, connections).await).await,
        Command::Render(args) => render::run(&args),
        Command::Theme(args) => theme::run(args).await,
        Command::Bench(args) => Box::pin(bench::run(args, with.installation)).await,
    }
}

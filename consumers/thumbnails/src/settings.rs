//! What only this daemon has of the settings; see `atelier_runtime::Settings` for the rest.

use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

use crate::policy::Policy;
use crate::watermarks::Watermarks;

/// The sections that concern this daemon alone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What is taken, and what is cut from it.
    pub thumbnails: Policy,
    /// The processes that cut.
    pub render: RenderSettings,
    /// What is written on public pictures.
    pub watermark: Watermarks,
}

/// Section `render`: the worker processes that decode and cut, each one picture at a time.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RenderSettings {
    /// As many at most; 0 for one a core.
    pub processes: usize,
    /// Memory that one may allocate, in bytes.
    pub max_memory_bytes: u64,
    /// CPU time that one picture may take, in seconds.
    pub max_cpu_s: u64,
    /// How long one picture may take by the clock on the wall, in milliseconds.
    pub max_wall_ms: u64,
    /// Pictures after which a worker is replaced.
    pub max_renders: u32,
    /// A worker that holds more memory than this after a picture is replaced, in bytes.
    pub max_idle_bytes: u64,
    /// How long a worker waits for the next picture before it ends, in milliseconds.
    pub idle_ms: u64,
    /// Whether a worker gives up all system calls but those that cutting needs (Linux).
    pub seccomp: bool,
}

impl RenderSettings {
    /// How many workers there may be.
    #[must_use]
    pub fn processes(&self) -> usize {
        match self.processes {
            0 => available_parallelism().map_or(1, usize::from),
            set => set,
        }
    }
}

impl Default for RenderSettings {
    fn default() -> Self {
        Self {
            processes: 0,
            max_memory_bytes: 512 << 20,
            max_cpu_s: 20,
            max_wall_ms: 60_000,
            max_renders: 200,
            max_idle_bytes: 128 << 20,
            idle_ms: 30_000,
            seccomp: cfg!(target_os = "linux"),
        }
    }
}

//! The data directory: everything that one installation keeps on this machine.
//!
//! ```text
//! .atelier/site            the deployed gallery, a link to its newest release
//! .atelier/s3              the bucket, when it is the embedded one
//! .atelier/logs            what the daemons say, when they are processes of their own
//! .atelier/api-key         the secret that clients of this installation use
//! .atelier/store-key       the secret of the embedded bucket
//! .atelier/checkpoint-key  what `atelier verify --sign` signs with
//! .atelier/running.json    where a running installation is reached
//! ```

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use atelier_events::settings::StoreSettings;
use serde::{Deserialize, Serialize};

/// A data directory.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

/// Where a running installation is reached. Readable by its owner alone: the addresses may carry passwords.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Of the process that runs it.
    pub pid: u32,
    /// The log's database.
    pub database_url: String,
    /// The API.
    pub api_url: String,
    /// The published gallery.
    pub site_url: String,
    /// The bucket's S3 endpoint; none when it is not the embedded one.
    pub store_endpoint: Option<String>,
}

impl Home {
    /// Takes a directory, which is created when it is not there.
    pub fn open(root: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(root).with_context(|| format!("cannot create the data directory {}", root.display()))?;
        Ok(Self { root: root.to_owned() })
    }

    /// The link that a web server serves.
    #[must_use]
    pub fn site(&self) -> PathBuf {
        self.root.join("site")
    }

    /// The embedded bucket.
    #[must_use]
    pub fn bucket(&self) -> PathBuf {
        self.root.join("s3")
    }

    /// A blob of the embedded bucket.
    #[must_use]
    pub fn blob(&self, key: &str) -> PathBuf {
        self.bucket().join(StoreSettings::default().bucket).join(key)
    }

    /// Where the secret of this installation's API lies.
    #[must_use]
    pub fn api_key_file(&self) -> PathBuf {
        self.root.join("api-key")
    }

    /// What the daemons say.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The secret of this installation's API, made at the first call.
    pub fn api_key(&self) -> anyhow::Result<String> {
        self.secret("api-key")
    }

    /// The secret of the embedded bucket, made at the first call.
    pub fn store_key(&self) -> anyhow::Result<String> {
        self.secret("store-key")
    }

    /// The secret key that signs checkpoints of the log, in hexadecimal, made at the first call.
    pub fn checkpoint_key(&self) -> anyhow::Result<String> {
        self.secret("checkpoint-key")
    }

    /// Where the installation is reached, if it runs.
    pub fn running(&self) -> anyhow::Result<Option<Running>> {
        let path = self.root.join("running.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let running: Running =
            serde_json::from_str(&text).with_context(|| format!("{} is damaged: remove it", path.display()))?;
        // Whoever was killed could not remove it.
        Ok(Path::new("/proc").join(running.pid.to_string()).exists().then_some(running))
    }

    /// Says where the installation is reached, until the mark is dropped.
    pub fn mark_running(&self, running: &Running) -> anyhow::Result<Mark> {
        let path = self.root.join("running.json");
        let beside = self.root.join("running.json.new");
        fs::remove_file(&beside).or_else(absent_is_fine)?;
        private(&beside, &serde_json::to_vec_pretty(running)?)?;
        fs::rename(&beside, &path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Mark { path })
    }

    fn secret(&self, name: &str) -> anyhow::Result<String> {
        let path = self.root.join(name);
        // Two random UUIDs: 244 bits.
        let fresh = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        match private(&path, fresh.as_bytes()) {
            Ok(()) => Ok(fresh),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let secret = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                Ok(secret.trim().to_owned())
            }
            Err(error) => Err(error).with_context(|| format!("cannot write {}", path.display())),
        }
    }
}

/// Removes the file that says where the installation is reached.
pub struct Mark {
    path: PathBuf,
}

impl Drop for Mark {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(error = %error, "could not remove the mark of a running installation");
        }
    }
}

/// Writes a new file that only its owner can read; an existing one is left alone.
fn private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn absent_is_fine(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

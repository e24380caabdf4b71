//! The embedded S3 server: a bucket is a folder, a blob is a file in it, named as its key.
//!
//! It stands for R2 or AWS where there is neither, and answers what [`atelier_events::Blobs`] asks: whole blobs and
//! ranges, uploads in parts and the going on with them, presigned requests, copies, listings. Only signed requests are answered. What it has
//! acknowledged survives a loss of power, see `bucket/folder.rs`. Not meant for many machines or many thousand blobs: a
//! page of a listing reads the whole folder.

mod folder;
mod uploads;

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use axum::http::{Method, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tower_http::cors::{Any, Cors};

use folder::Folder;

/// How long requests under way may go on after the shutdown.
const GRACE: Duration = Duration::from_secs(10);

/// Age from which an upload in parts counts as forgotten. Whoever begins one tries again within hours or never.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// How long a browser need not ask again whether it may upload.
const PREFLIGHT_AGE: Duration = Duration::from_hours(1);

/// Serves the folder, which is created if need be, until the shutdown. Answers the address that it really listens at,
/// port 0 being any, and the task, which ends when the last request has. A folder that is served already is refused:
/// two servers would write into each other's temporary files.
pub async fn serve(
    root: &Path,
    listen: SocketAddr,
    access_key: &str,
    secret_key: &str,
    shutdown: CancellationToken,
) -> anyhow::Result<(SocketAddr, JoinHandle<()>)> {
    std::fs::create_dir_all(root).with_context(|| format!("cannot create the bucket folder {}", root.display()))?;
    let lock = lock(root)?;
    sweep(root).with_context(|| format!("cannot clean the bucket folder {}", root.display()))?;
    let mut service = S3ServiceBuilder::new(Folder::open(root)?);
    service.set_auth(SimpleAuth::from_single(access_key, secret_key));
    let service = for_browsers(service.build());

    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot serve the bucket at {listen}"))?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        accept(listener, service, shutdown).await;
        drop(lock);
    });
    Ok((address, task))
}

async fn accept(listener: TcpListener, service: Cors<S3Service>, shutdown: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    connections.spawn(answer(socket, service.clone(), shutdown.clone()));
                }
                // Out of file descriptors, most likely. Those under way will give some back; spinning would not help.
                Err(error) => {
                    tracing::warn!(%error, "the bucket could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, drained).await.is_err() {
        tracing::warn!("requests to the bucket were cut off after {GRACE:?}");
    }
}

async fn answer(socket: TcpStream, service: Cors<S3Service>, shutdown: CancellationToken) {
    // Answers are written head first; without this the body waits for the client's delayed acknowledgement.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "a connection to the bucket keeps its delay");
    }
    let builder = Builder::new(TokioExecutor::new()).http1_only();
    let connection = builder.serve_connection(TokioIo::new(socket), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection to the bucket broke off");
    }
}

/// Lets pages of any origin put and get: it is the signature that permits, and a page that holds none gets nothing.
fn for_browsers(service: S3Service) -> Cors<S3Service> {
    Cors::new(service)
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::PUT])
        .allow_headers(Any)
        .expose_headers([header::ETAG, header::CONTENT_LENGTH, header::CONTENT_RANGE, header::CONTENT_DISPOSITION])
        .max_age(PREFLIGHT_AGE)
}

/// The system takes the lock back however the process ends.
fn lock(root: &Path) -> anyhow::Result<File> {
    let path = root.join(".lock");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("the bucket folder {} is served by another process", root.display()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

/// Removes what uploads in parts left behind when their client died: `.upload-<id>.json`, `.upload_id-<id>.part-<n>`
/// and `.bucket-….upload-<id>.metadata.json`; and what a copy left when the server did.
fn sweep(root: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_upload = name.to_str().is_some_and(|name| {
            name.starts_with(".upload") || (name.starts_with(".bucket-") && name.contains(".upload-"))
        });
        let is_left = name.to_str().is_some_and(folder::is_left_aside);
        let age = SystemTime::now().duration_since(entry.metadata()?.modified()?).unwrap_or_default();
        if is_left || is_upload && age > FORGOTTEN_AFTER {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

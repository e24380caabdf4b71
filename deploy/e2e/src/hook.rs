//! Somebody who is told by webhooks: a real HTTP server that notes what comes, and answers as a test wants it to. It ends with the
//! test's runtime.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

/// The server.
pub struct Hook {
    /// Where it is told.
    pub url: String,
    desk: Arc<Mutex<Desk>>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Told {
    /// How it came.
    pub method: Method,
    /// With what.
    pub headers: HeaderMap,
    /// What it says.
    pub body: Bytes,
}

/// What a request is answered.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// The status.
    pub status: u16,
    /// A header of its own, if any.
    pub header: Option<(&'static str, &'static str)>,
    /// The body.
    pub body: &'static str,
}

#[derive(Default)]
struct Desk {
    told: Vec<Told>,
    answers: VecDeque<Said>,
}

impl Said {
    /// A status and nothing else.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self { status, header: None, body: "" }
    }
}

impl Hook {
    /// Starts one. It gives these answers one after the other, and says 204 to all that comes then.
    pub async fn start(answers: impl IntoIterator<Item = Said>) -> anyhow::Result<Self> {
        let desk = Desk { answers: answers.into_iter().collect(), ..Desk::default() };
        let desk = Arc::new(Mutex::new(desk));
        let router = Router::new().fallback(receive).with_state(Arc::clone(&desk));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/told", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, desk })
    }

    /// What has come so far.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner).told.clone()
    }
}

impl Told {
    /// One of its headers; empty where it has none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

async fn receive(State(desk): State<Arc<Mutex<Desk>>>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
    desk.told.push(Told { method, headers, body });
    let said = desk.answers.pop_front().unwrap_or(Said::status(204));
    let status = StatusCode::from_u16(said.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, said.header.map(|header| [header]), said.body).into_response()
}

//! Documents sent to a server that the user named.

use std::time::Duration;

use super::wait;
use crate::error::{Error, Result};
use crate::text::one_line;
use crate::url::masked;

/// A request that carries a document.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    /// Where it goes.
    pub(crate) url: String,
    /// Further headers: names and values.
    pub(crate) headers: Vec<(String, String)>,
    /// What it carries.
    pub(crate) body: Vec<u8>,
    /// How long it may take, the connection included.
    pub(crate) timeout: Duration,
}

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The server answered with this status; with its words, cut.
    Status(u16, String),
    /// There was no answer.
    Silent(String),
}

impl Post {
    /// Sends it once, and waits for the answer. Redirects are not followed, because they could carry keys elsewhere.
    ///
    /// # Errors
    /// Where there is no answer in time, or one that is no success.
    pub(crate) fn send(self) -> std::result::Result<(), Refused> {
        let name = masked(&self.url).into_owned();
        let sent = wait::wait(async move { Ok(self.ask().await) });
        sent.unwrap_or_else(|error: Error| Err(Refused::Silent(format!("{name}: {error}"))))
    }

    async fn ask(self) -> std::result::Result<(), Refused> {
        let silent = |error: reqwest::Error| Refused::Silent(one_line(&masked(&causes(&error)), 300));
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(self.timeout)
            .user_agent(concat!("hypso/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(silent)?;
        let mut request = client.post(&self.url).body(self.body);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.map_err(silent)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let words = answer.text().await.unwrap_or_default();
        Err(Refused::Status(status.as_u16(), one_line(&masked(&words), 200)))
    }
}

/// Checks that something can be sent to an address.
///
/// # Errors
/// Where it is no URL of a web server.
pub(crate) fn check(url: &str) -> Result<()> {
    let wrong = |problem: &str| Err(Error::argument(masked(url).into_owned(), problem.to_owned()));
    match url::Url::parse(url) {
        Ok(found) if matches!(found.scheme(), "http" | "https") && found.host_str().is_some() => Ok(()),
        Ok(_) => wrong("is no address of a web server: expected https://server:port"),
        Err(error) => wrong(&format!("is no URL ({error}): expected https://server:port")),
    }
}

/// An error with its causes; the crate shows only the first one.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text += &format!(": {cause}");
        next = cause.source();
    }
    text
}

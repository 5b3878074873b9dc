//! What servers say, in words that name the place and what to do.

use object_store::Error as Answer;

use crate::error::Error;
use crate::text::one_line;

/// Characters of a server's own words that are shown.
const WORDS: usize = 200;

/// A failed request as an error of ours; `action` is what was being done.
pub(super) fn of(answer: &Answer, name: &str, action: &'static str) -> Error {
    let (said, full) = (text(answer), answer.to_string());
    let expired = ["ExpiredToken", "TokenExpired", "ExpiredTokenException", "Request has expired", "RequestExpired"];
    let remedy = match answer {
        Answer::NotFound { .. } if ["NoSuchBucket", "ContainerNotFound"].iter().any(|word| full.contains(word)) => {
            "there is no such bucket: check its name, the region and the endpoint, or make it"
        }
        Answer::NotFound { .. } => {
            return Error::not_found(format!("{name}: there is no such object ({said}); check the URL"));
        }
        Answer::AlreadyExists { .. } => return Error::Exists { path: name.into() },
        Answer::Precondition { .. } => return replaced(name, action),
        _ if said.starts_with("HTTP 416") => {
            let remedy = "the program that made it failed: make it again";
            return Error::invalid("object", "is empty (0 bytes)", remedy).with_path(name);
        }
        _ if expired.iter().any(|word| said.contains(word)) => {
            "the credentials or the signed URL have expired: get new ones, and run the same command again"
        }
        Answer::PermissionDenied { .. } | Answer::Unauthenticated { .. } => {
            "check the credentials in the environment (AWS_ACCESS_KEY_ID, GOOGLE_SERVICE_ACCOUNT, AZURE_STORAGE_ACCOUNT_KEY; \
             AWS_SKIP_SIGNATURE=true for a public bucket) and what they allow"
        }
        Answer::NotSupported { .. } if action == READ => return without_ranges(name),
        _ if ["credential", "169.254.169.254", "metadata.google"].iter().any(|word| full.contains(word)) => {
            "give credentials in the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_SERVICE_ACCOUNT, \
             AZURE_STORAGE_ACCOUNT_KEY), or say that none are needed (AWS_SKIP_SIGNATURE=true, GOOGLE_SKIP_SIGNATURE=true)"
        }
        _ => LATER,
    };
    let passes = passes(answer, &said, remedy);
    Error::Remote { url: name.to_owned(), action, problem: said, remedy, passes }
}

const LATER: &str = "look at the network and the server, and run the same command again";

/// True where the same request may be answered later.
fn passes(answer: &Answer, said: &str, remedy: &str) -> bool {
    // What other programs refuse for good (a request that is malformed, a method that they do not know) has a status below 500.
    let status = said.strip_prefix("HTTP ").and_then(|said| said.get(..3)?.parse::<u16>().ok());
    let never = matches!(answer, Answer::NotSupported { .. } | Answer::NotImplemented { .. });
    remedy == LATER && !never && status.is_none_or(|status| matches!(status, 408 | 429 | 500 | 502..))
}

/// What is being done while an object is read.
pub(super) const READ: &str = "read";

fn remote(name: &str, action: &'static str, problem: String, remedy: &'static str) -> Error {
    Error::Remote { url: name.to_owned(), action, problem, remedy, passes: remedy == LATER }
}

/// The object is another one than it was.
pub(super) fn replaced(name: &str, action: &'static str) -> Error {
    let problem = "the object was replaced while it was in use".to_owned();
    let remedy = "run the same command again: it begins with the new object";
    Error::Remote { url: name.to_owned(), action, problem, remedy, passes: true }
}

/// What to do where a server sends whole files only.
pub(super) const WITHOUT_RANGES: &str = "download the file first, and give its local name";

/// The server sends whole files only.
pub(super) fn without_ranges(name: &str) -> Error {
    let problem = "the server does not answer requests for ranges (206 Partial Content)".to_owned();
    remote(name, READ, problem, WITHOUT_RANGES)
}

/// An answer that is shorter or longer than it has to be.
pub(super) fn cut(name: &str, found: u64, expected: u64) -> Error {
    let problem = format!("an answer has {found} bytes, {expected} were asked for");
    remote(name, READ, problem, LATER)
}

/// What happened, without the URL, which may hold a signature: the status and the code of the server, or what the system says.
pub(super) fn text(answer: &Answer) -> String {
    let full = answer.to_string();
    let said = match full.split_once("status code: ") {
        Some((_, said)) => {
            let (status, body) = said.split_once(": ").unwrap_or((said, ""));
            let tag = |tag: &str| {
                let (_, rest) = body.split_once(&format!("<{tag}>"))?;
                rest.split_once(&format!("</{tag}>")).map(|(text, _)| text.to_owned())
            };
            let parts = [Some(format!("HTTP {}", status.trim())), tag("Code"), tag("Message")];
            parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
        }
        None => {
            let mut last: &dyn std::error::Error = answer;
            while let Some(next) = last.source() {
                last = next;
            }
            last.to_string()
        }
    };
    one_line(&said, WORDS)
}

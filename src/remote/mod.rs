//! Objects at URLs: web servers and buckets, read by ranges and written whole.
//!
//! This is the one room that sends requests, and it sends them to places that the user named. Everything below is a blocking face over
//! the `object_store` crate; two threads of a runtime of its own do the waiting.
//!
//! | URL | what it is | credentials |
//! |---|---|---|
//! | `https://…`, `http://…` | a web server that answers ranges | in the URL, where it has some |
//! | `s3://bucket/key` | Amazon S3 and what speaks its language | `AWS_…`: `AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_SKIP_SIGNATURE` |
//! | `gs://bucket/key` | Google Cloud Storage | `GOOGLE_…`: `GOOGLE_SERVICE_ACCOUNT`, `GOOGLE_SKIP_SIGNATURE` |
//! | `az://container/key` | Azure Blob Storage | `AZURE_…`: `AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_STORAGE_ACCOUNT_KEY` |

mod fault;
mod object;
mod parts;
mod place;
#[cfg(feature = "cli")]
mod post;
mod put;
mod wait;

pub(crate) use object::{Object, join};
pub(crate) use parts::Note;
pub(crate) use place::Place;
#[cfg(feature = "cli")]
pub(crate) use post::{Post, Refused, check};

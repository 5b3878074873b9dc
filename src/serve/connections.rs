//! Connections: how many, for how long, and their end.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower_service::Service;

use super::app::App;
use super::router::Remote;
use crate::error::{Error, Result};

/// The longest head of a request, bytes: four times the longest path, and room for headers.
const HEAD: usize = 64 << 10;

/// How long to wait where the system has no room for another connection.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes connections until `stop` says so, then waits for the requests that are being answered, at most as long as
/// the options say.
///
/// # Errors
/// Where the socket can't be used.
pub async fn serve(socket: TcpListener, router: Router, app: Arc<App>, mut stop: watch::Receiver<bool>) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(socket).map_err(Error::io("listen on", "socket"))?;
    let limits = app.options.limits.clone();
    let room = Arc::new(Semaphore::new(limits.connections));
    let open = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(limits.read_seconds)).max_buf_size(HEAD);
    loop {
        let taken = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            taken = take(&listener, &room) => taken,
        };
        let (permit, stream, remote) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!("a connection can't be taken: {error}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(Duration::from_secs(limits.write_seconds)));
        let router = router.clone();
        let answer = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Remote(remote));
            router.clone().call(request.map(Body::new))
        });
        let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), answer);
        let connection = open.watch(connection);
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            app.metrics.connected();
            // What ends a connection early is the client's.
            let _ = connection.await;
            app.metrics.disconnected();
            drop(permit);
        });
    }
    drop(listener);
    let patience = Duration::from_secs(app.options.drain);
    if tokio::time::timeout(patience, open.shutdown()).await.is_err() {
        tracing::warn!("some requests were still being answered after {} s and were cut off", patience.as_secs());
    }
    Ok(())
}

type Taken = (tokio::sync::OwnedSemaphorePermit, tokio::net::TcpStream, std::net::SocketAddr);

/// The next connection, once there is room for one.
async fn take(listener: &tokio::net::TcpListener, room: &Arc<Semaphore>) -> std::io::Result<Taken> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, remote) = listener.accept().await?;
    Ok((permit, stream, remote))
}

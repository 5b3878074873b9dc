//! A server from its options to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::app::App;
use super::connections;
use super::listen::Sockets;
use super::observe::AccessLog;
use super::options::Options;
use super::router;
use super::scan::{Found, Scan};
use crate::error::{Error, Result};
use crate::threads;

/// A server that is ready to run: its files are open and its sockets are listened on.
pub struct Server {
    app: Arc<App>,
    scan: Scan,
    sockets: Sockets,
    log: Option<Arc<AccessLog>>,
    runtime: Runtime,
}

/// What a configuration would serve.
#[derive(Debug)]
#[non_exhaustive]
pub struct Checked {
    /// Each dataset and the kinds of files that it has.
    pub datasets: Vec<(String, Vec<&'static str>)>,
    /// Files of folders that can't be served.
    pub refused: Vec<Error>,
}

/// A server that runs in threads of its own, for programs that do other things too. Dropping it stops the server.
#[must_use = "the server stops when this is dropped"]
pub struct Running {
    address: SocketAddr,
    admin: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Server {
    /// Opens all files and sockets.
    ///
    /// # Errors
    /// Where an option is impossible, a file that is named can't be served, or an address can't be listened on.
    pub fn new(options: Options) -> Result<Self> {
        options.check()?;
        let key = options.key()?;
        let (scan, catalogue, found) = Scan::new(&options)?;
        let runtime = runtime()?;
        let sockets = {
            let _inside = runtime.enter();
            Sockets::open(&options)?
        };
        let log = options.access_log.as_deref().map(AccessLog::start).transpose()?.map(Arc::new);
        let app = Arc::new(App::new(options, key, catalogue));
        report(&app, &scan, &found);
        Ok(Self { app, scan, sockets, log, runtime })
    }

    /// Logs requests to something that is no file, such as stdout, instead of to what the options name.
    ///
    /// # Errors
    /// Where the system refuses a thread.
    pub fn log_to(mut self, out: impl std::io::Write + Send + 'static) -> Result<Self> {
        self.log = Some(Arc::new(AccessLog::to(Box::new(out))?));
        Ok(self)
    }

    /// Opens all files as a server would, and says what it would serve. No socket is opened.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn check(options: &Options) -> Result<Checked> {
        options.check()?;
        let (_, catalogue, found) = Scan::new(options)?;
        let datasets = catalogue.behind(None).map(|dataset| (dataset.id().to_owned(), dataset.parts())).collect();
        Ok(Checked { datasets, refused: found.refused })
    }

    /// Where requests are taken: the public address, and the one for operators.
    ///
    /// # Errors
    /// Where the system doesn't tell.
    pub fn addresses(&self) -> Result<(SocketAddr, Option<SocketAddr>)> {
        let of = |socket: &std::net::TcpListener| socket.local_addr().map_err(Error::io("look at", "socket"));
        Ok((of(&self.sockets.public)?, self.sockets.admin.as_ref().map(of).transpose()?))
    }

    /// How many datasets there are at the start.
    #[must_use]
    pub fn datasets(&self) -> usize {
        self.app.catalogue().len()
    }

    /// Answers requests until SIGTERM or SIGINT; then `/ready` says no, no connection is taken, and requests that are being
    /// answered have some time to end. A second signal ends the process at once.
    ///
    /// # Errors
    /// Where the system refuses a thread or a socket.
    pub fn run(self) -> Result<()> {
        let (stop, stopped) = watch::channel(false);
        // Caught from here on, before the first request: who has an answer may ask the server to stop.
        let signals = {
            let _inside = self.runtime.enter();
            Signals::catch()
        };
        self.runtime.spawn(async move {
            if let Some(mut signals) = signals {
                signals.next().await;
                let _ = stop.send(true);
                signals.next().await;
                std::process::exit(130);
            }
        });
        self.until(stopped)
    }

    /// Answers requests in threads of its own.
    ///
    /// # Errors
    /// Where the system refuses a thread.
    pub fn start(self) -> Result<Running> {
        let (address, admin) = self.addresses()?;
        let (stop, stopped) = watch::channel(false);
        let thread = threads::start(move || self.until(stopped))?;
        Ok(Running { address, admin, stop, thread: Some(thread) })
    }

    fn until(self, stop: watch::Receiver<bool>) -> Result<()> {
        let Self { app, mut scan, sockets, log, runtime } = self;
        scan.preload();
        let public = router::public(&app, log);
        let outcome = runtime.block_on(async {
            tokio::spawn(look(Arc::clone(&app), scan));
            let mut draining = stop.clone();
            let drained = Arc::clone(&app);
            tokio::spawn(async move {
                if draining.wait_for(|stop| *stop).await.is_ok() {
                    drained.begin_draining();
                }
            });
            // Operators are answered until the last request has ended.
            if let Some(socket) = sockets.admin {
                let never = watch::channel(false);
                let (router, app) = (router::admin(&app), Arc::clone(&app));
                tokio::spawn(async move {
                    let (_keep, never) = never;
                    connections::serve(socket, router, app, never).await
                });
            }
            connections::serve(sockets.public, public, app, stop).await
        });
        // Long work that nobody waits for any more does not hold up the end.
        runtime.shutdown_timeout(Duration::from_millis(200));
        outcome
    }
}

impl Running {
    /// Where requests are taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where operators ask.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Stops, and waits for the requests that are being answered.
    ///
    /// # Errors
    /// Where the server had failed before.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let _ = self.stop.send(true);
        let ended = self.thread.take().map(JoinHandle::join);
        ended.unwrap_or(Ok(Ok(()))).unwrap_or_else(|_| Err(Error::internal("the server ended with a panic")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Threads for answering: a few more than processors, since a page that is not in memory stops one for a moment.
fn runtime() -> Result<Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(processors + 2).thread_name("hypso-serve").enable_all();
    builder.build().map_err(|error| Error::limit(format!("the server's threads can't start: {error}")))
}

/// Looks for changed files again and again.
async fn look(app: Arc<App>, mut scan: Scan) {
    let every = Duration::from_millis(app.options.look_every.max(10));
    loop {
        tokio::time::sleep(every).await;
        let looked = tokio::task::spawn_blocking(move || {
            let looked = scan.look();
            (scan, looked)
        });
        let Ok((back, (catalogue, found))) = looked.await else { return };
        scan = back;
        if let Some(catalogue) = catalogue {
            app.replace_catalogue(catalogue);
        }
        report(&app, &scan, &found);
    }
}

/// Logs and counts what a look found.
fn report(app: &App, scan: &Scan, found: &Found) {
    for path in &found.opened {
        tracing::info!("{}: in use", path.display());
    }
    for error in &found.refused {
        tracing::error!("can't be served, and is not: {error:#}");
    }
    for path in &found.gone {
        tracing::info!("{}: is gone", path.display());
    }
    let metrics = &app.metrics;
    metrics.looked("opened", found.opened.len());
    metrics.looked("refused", found.refused.len());
    metrics.looked("gone", found.gone.len());
    if !found.opened.is_empty() || !found.gone.is_empty() {
        metrics.set_versions(scan.versions().map(|(dataset, kind, _, version)| (dataset, kind, version)));
    }
}

/// What asks the process to stop.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Catches signals; `None` where the system refuses.
    fn catch() -> Option<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Some(Self {
            terminate: signal(SignalKind::terminate()).ok()?,
            interrupt: signal(SignalKind::interrupt()).ok()?,
        })
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What asks the process to stop.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn catch() -> Option<Self> {
        Some(Self)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

//! Running a server until a signal ends it.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::notify;
use crate::failure::Failure;

/// The signals that end a server: SIGINT (Ctrl-C) and SIGTERM.
struct EndSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl EndSignals {
    fn new() -> Result<Self, Failure> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::system("wait for signals", error));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Runs a server on a runtime of its own. The first signal cancels the token that the server is given; the second one
/// ends everything at once.
///
/// # Errors
/// Those of the server; [`Failure::EndedAtOnce`] after a second signal.
pub(super) fn run_until_signal<F>(
    server: impl FnOnce(CancellationToken) -> F,
) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    // Another crate in the tree may bring a second provider; the first one installed is the one that is used.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("start", error))?;
    let ended = runtime.block_on(async {
        let mut signals = EndSignals::new()?;
        let stop = CancellationToken::new();
        let mut server = std::pin::pin!(server(stop.clone()));
        tokio::select! {
            ended = &mut server => return ended,
            () = signals.next() => {
                notify::stopping();
                stop.cancel();
            }
        }
        tokio::select! {
            ended = &mut server => ended,
            () = signals.next() => Err(Failure::EndedAtOnce),
        }
    });
    // After a second signal nobody waits for threads that are still busy.
    runtime.shutdown_background();
    ended
}

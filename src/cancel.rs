//! A wish to stop: raised by a signal, looked at wherever a run waits.

use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether to stop, and by which signal. Clones share it.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<watch::Sender<Option<Signal>>>);

/// A signal that asks to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP (1).
    Hangup,
    /// SIGINT (2).
    Interrupt,
    /// SIGTERM (15).
    Terminate,
}

impl Signal {
    /// 128 and the signal's number, as shells have it.
    pub fn exit_code(self) -> u8 {
        match self {
            Signal::Hangup => 129,
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Hangup => "SIGHUP",
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
        }
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Cancel(Arc::new(watch::Sender::new(None)))
    }
}

impl Cancel {
    /// Raised by SIGHUP, SIGINT and SIGTERM from now on; the first one counts.
    pub fn on_signals() -> std::io::Result<Cancel> {
        let cancel = Cancel::default();
        let kinds = [
            (SignalKind::hangup(), Signal::Hangup),
            (SignalKind::interrupt(), Signal::Interrupt),
            (SignalKind::terminate(), Signal::Terminate),
        ];
        for (kind, name) in kinds {
            let (mut stream, cancel) = (signal(kind)?, cancel.clone());
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    cancel.raise(name);
                }
            });
        }
        Ok(cancel)
    }

    /// Asks to stop.
    pub fn raise(&self, signal: Signal) {
        self.0.send_if_modified(|raised| raised.is_none() && raised.replace(signal).is_none());
    }

    /// Whether and by what.
    pub fn raised(&self) -> Option<Signal> {
        *self.0.borrow()
    }

    /// Waits until it is raised.
    pub async fn wait(&self) -> Signal {
        let mut receiver = self.0.subscribe();
        loop {
            if let Some(signal) = *receiver.borrow_and_update() {
                return signal;
            }
            if receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

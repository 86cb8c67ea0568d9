//! A person's terminal, handed through to a command on a host.

use super::{Exit, Stop};
use crate::host::ssh::{Child, Size, Window};
use anyhow::{Context as _, Result};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{IsTerminal as _, stdin, stdout};
use tokio::io::{AsyncWriteExt as _, copy};
use tokio::signal::unix::{SignalKind, signal};

/// The terminal that cutover runs in. Dropped, it is as it was.
pub(super) struct Terminal(Termios);

impl Terminal {
    /// Whether cutover runs in one.
    pub(super) fn is_there() -> Result<(), Stop> {
        if stdin().is_terminal() && stdout().is_terminal() {
            return Ok(());
        }
        Err(Stop::new(Exit::Usage, "--terminal wants a terminal here; without one, leave it out"))
    }

    /// Every key goes to the command from now on.
    pub(super) fn taken() -> Result<Terminal> {
        let before = tcgetattr(stdin()).context("the terminal can't be read")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Flush, &raw).context("the terminal can't be set")?;
        Ok(Terminal(before))
    }

    /// What programs look up to know what it can do.
    pub(super) fn kind() -> String {
        std::env::var("TERM").unwrap_or_else(|_| "dumb".to_owned())
    }

    /// Its size now.
    pub(super) fn size() -> Size {
        match tcgetwinsize(stdout()) {
            Ok(size) => Size { columns: size.ws_col.into(), rows: size.ws_row.into() },
            Err(_) => Size { columns: 80, rows: 24 },
        }
    }

    /// Hands keys, size and output through until the command ends; gives its exit status.
    pub(super) async fn hand_through(&self, child: &mut Child, window: &Window) -> Result<u32> {
        let mut resized = signal(SignalKind::window_change())?;
        let mut out = tokio::io::stdout();
        let sizes = async {
            while resized.recv().await.is_some() {
                window.resize(Terminal::size()).await;
            }
        };
        let mut keys = tokio::io::stdin();
        let shown = tokio::select! {
            shown = copy(&mut child.stdout, &mut out) => shown,
            (_, Err(_)) = async { tokio::join!(sizes, copy(&mut keys, &mut child.stdin)) } => Ok(0),
        };
        shown.context("the terminal can't be written")?;
        out.flush().await?;
        Ok(child.wait().await?)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // nothing could be said of it that the terminal would show
        let _ = tcsetattr(stdin(), OptionalActions::Flush, &self.0);
    }
}

//! The app: answers with its version on every path, once it has taken its time to start; stops in order on SIGTERM.

use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

/// As long as the app of the other measurements takes.
const START: Duration = Duration::from_millis(1500);
const PORT: u16 = 3001;

/// Serves until SIGTERM.
pub(crate) fn serve(version: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate())?;
        tokio::time::sleep(START).await;
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        loop {
            tokio::select! {
                accepted = listener.accept() => { tokio::spawn(answer(accepted?.0, version.to_owned())); }
                _ = term.recv() => return Ok(()),
            }
        }
    })
}

async fn answer(mut stream: TcpStream, version: String) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}
    let body = format!("{{\"version\":\"{version}\"}}\n");
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Version: {version}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    write.write_all((head + &body).as_bytes()).await?;
    write.shutdown().await
}

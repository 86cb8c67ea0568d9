//! Sends zeros to a command of a host, for `scripts/bench`: `throughput USER@HOST:PORT KEY KNOWN_HOSTS MIB`.

use anyhow::{Context as _, Result, ensure};
use cutover::host::ssh::{Options, Session};
use tokio::io::AsyncWriteExt as _;

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [target, key, known_hosts, mib] = &words[..] else {
        anyhow::bail!("usage: throughput USER@HOST:PORT KEY KNOWN_HOSTS MIB")
    };
    let options = Options {
        known_hosts: Some(std::fs::read_to_string(known_hosts)?),
        key_files: vec![key.into()],
        ..Options::default()
    };
    let session = Session::connect(&target.parse()?, &options).await?;
    let mut child = session.spawn("cat >/dev/null").await?;
    let block = vec![0; 1 << 20];
    for _ in 0..mib.parse::<u32>().context("a number of MiB")? {
        child.stdin.write_all(&block).await?;
    }
    child.stdin.shutdown().await?;
    ensure!(child.wait().await? == 0, "the command failed");
    Ok(())
}

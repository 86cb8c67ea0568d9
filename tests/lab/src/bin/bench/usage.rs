//! What a program costs: wall time, processor time, memory.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Ticks of a second in /proc (`sysconf(_SC_CLK_TCK)` on every Linux that there is).
const TICKS: f64 = 100.0;

/// One run of a program.
#[derive(Debug)]
pub(crate) struct Usage {
    pub(crate) stdout: String,
    pub(crate) seconds: f64,
    /// Processor time, of its children too that it waited for.
    pub(crate) cpu: f64,
    /// Peak resident memory of the program itself.
    pub(crate) mib: f64,
}

/// Runs it to its end; failing is an error.
pub(crate) fn measured(command: &mut Command) -> Result<Usage> {
    let began = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut out = child.stdout.take().context("no stdout")?;
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let mut peak = 0.0;
    let (seconds, cpu) = loop {
        let proc = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap_or_default();
        let line = |status: String| {
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok())
        };
        peak = line(proc("status")).unwrap_or(peak);
        // after the name in brackets: the state is field 3, the times are 14 to 17 (proc_pid_stat(5))
        let stat = proc("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let cpu = fields.iter().skip(11).take(4).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS;
        if fields.first() == Some(&"Z") {
            break (began.elapsed().as_secs_f64(), cpu);
        }
        sleep(Duration::from_millis(2));
    };
    let status = child.wait()?;
    let stdout = reading.join().ok().context("the reader stopped")??;
    ensure!(status.success(), "{:?} {:?}: {status}\n{stdout}", command.get_program(), command.get_args());
    Ok(Usage { stdout, seconds, cpu, mib: peak / 1024.0 })
}

/// Processor time that this machine has spent so far, in seconds: all but idle and waiting (proc_stat(5)).
pub(crate) fn busy() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let fields = stat.lines().next().context("no line")?.split_whitespace().skip(1);
    let ticks: Vec<f64> = fields.filter_map(|ticks| ticks.parse().ok()).collect();
    let busy = ticks.iter().enumerate().filter(|(field, _)| ![3, 4].contains(field) && *field < 8);
    Ok(busy.map(|(_, ticks)| ticks).sum::<f64>() / TICKS)
}

//! wrk of Debian's package: a load generator that others wrote, for small calls.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use tokio::process::Command;

/// What wrk has measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WrkResult {
    /// Requests in a second.
    pub(crate) rate: f64,
    /// Half of the requests took at most this long.
    pub(crate) p50: Duration,
    /// 99 of 100 requests took at most this long.
    pub(crate) p99: Duration,
}

/// Whether it is installed.
pub(crate) fn is_installed() -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| is_in(&folder)))
}

fn is_in(folder: &Path) -> bool {
    folder.join("wrk").exists()
}

/// Sends `GET` on some connections for some seconds, from the core of this thread.
pub(crate) async fn run(url: &str, header: &str, connections: usize, seconds: u64) -> Result<WrkResult> {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "--latency"]).arg(format!("-c{connections}")).arg(format!("-d{seconds}s"));
    if !header.is_empty() {
        wrk.args(["-H", header.trim()]);
    }
    let output = wrk.arg(url).output().await?;
    ensure!(output.status.success(), "wrk: {}", String::from_utf8_lossy(&output.stderr));
    read(&String::from_utf8(output.stdout)?)
}

fn read(said: &str) -> Result<WrkResult> {
    ensure!(!said.contains("Non-2xx"), "not all calls were answered well: {said}");
    let value = |name: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(name));
        line.map(str::trim).with_context(|| format!("wrk said nothing of {name}: {said}"))
    };
    Ok(WrkResult { rate: value("Requests/sec:")?.parse()?, p50: time(value("50%")?)?, p99: time(value("99%")?)? })
}

/// `151.00us`, `1.52ms`, `1.05s`.
fn time(text: &str) -> Result<Duration> {
    for (unit, seconds) in [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Ok(Duration::from_secs_f64(number.parse::<f64>()? * seconds));
        }
    }
    bail!("not a time: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_wrk_is_read() -> Result<()> {
        let said = "  Latency Distribution\n     50%  151.00us\n     75%  162.00us\n     99%    1.52ms\n  10 requests\n\
             Requests/sec:  61000.50\n";
        let expected = WrkResult { rate: 61000.5, p50: Duration::from_micros(151), p99: Duration::from_micros(1520) };
        assert_eq!(read(said)?, expected);
        assert!(read(&format!("{said}  Non-2xx or 3xx responses: 3\n")).is_err());
        Ok(())
    }
}

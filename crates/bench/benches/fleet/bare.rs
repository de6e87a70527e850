//! What the machine can do: a bare loop that starts processes on two threads, with nothing around it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Time from the first start until the last of `count` processes was started, two threads starting them.
pub(crate) fn start_all(count: usize) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    let threads: Vec<_> = [count.div_ceil(2), count / 2]
        .into_iter()
        .map(|share| {
            std::thread::spawn(
                move || -> std::io::Result<(Duration, Vec<std::process::Child>)> {
                    let mut children = Vec::with_capacity(share);
                    for _ in 0..share {
                        let child = Command::new("/bin/true")
                            .stdin(Stdio::null())
                            .stdout(Stdio::null())
                            .stderr(Stdio::null())
                            .spawn()?;
                        children.push(child);
                    }
                    Ok((begin.elapsed(), children))
                },
            )
        })
        .collect();
    let mut last = Duration::ZERO;
    for thread in threads {
        let (elapsed, children) = thread
            .join()
            .map_err(|_| anyhow::anyhow!("a thread of the bare loop panicked"))??;
        last = last.max(elapsed);
        for mut child in children {
            child.wait()?;
        }
    }
    Ok(last)
}

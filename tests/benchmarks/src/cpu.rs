//! CPU time, which other programs affect less than wall-clock time.

use std::io;
use std::mem::MaybeUninit;
use std::process::{Command, Output};
use std::time::Duration;

/// What this thread has spent so far.
pub fn of_thread() -> Duration {
    let mut spent = MaybeUninit::uninit();
    // SAFETY: the clock exists on every system that these benchmarks run on, and writes `spent`.
    let spent = unsafe {
        assert_eq!(libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, spent.as_mut_ptr()), 0);
        spent.assume_init()
    };
    Duration::new(
        u64::try_from(spent.tv_sec).unwrap_or(0),
        u32::try_from(spent.tv_nsec).unwrap_or(0),
    )
}

/// What all processes that this one started and waited for have spent so far.
pub fn of_children() -> Duration {
    let mut usage = MaybeUninit::uninit();
    // SAFETY: `getrusage` writes `usage`.
    let usage = unsafe {
        assert_eq!(libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()), 0);
        usage.assume_init()
    };
    let part = |time: libc::timeval| {
        Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0))
            + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
    };
    part(usage.ru_utime) + part(usage.ru_stime)
}

/// What a command spends, its own children included.
pub fn of_command(command: &mut Command) -> io::Result<(Duration, Output)> {
    let before = of_children();
    let output = command.output()?;
    Ok((of_children().saturating_sub(before), output))
}

/// The instructions that a command executes, counted under callgrind; `None` without valgrind.
pub fn instructions(program: &std::path::Path, arguments: &[&str]) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(arguments)
        .output()
        .ok()?;
    collected(&String::from_utf8_lossy(&output.stderr))
}

/// What callgrind's log says that it counted.
pub fn collected(log: &str) -> Option<u64> {
    log.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

//! What a process has used, from `/proc`; zeros where there is none.

use std::time::SystemTime;

/// What this process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time of all threads, seconds, to 10 ms.
    pub cpu_s: f64,
    /// Memory resident now, bytes.
    pub memory_bytes: u64,
    /// Most memory resident at any time, bytes.
    pub most_memory_bytes: u64,
}

/// `USER_HZ`: Linux counts in this unit towards programs, whatever the kernel's own.
const TICKS_PER_S: f64 = 100.0;

/// What this process has used so far.
#[must_use]
pub fn now() -> Usage {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field, the program's name in brackets, may itself hold spaces. utime and stime are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |n: usize| fields.get(n - 3).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("");
        line.split_whitespace().next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
    };
    Usage {
        cpu_s: (ticks(14) + ticks(15)) / TICKS_PER_S,
        memory_bytes: kib("VmRSS:") * 1024,
        most_memory_bytes: kib("VmHWM:") * 1024,
    }
}

/// Wall time, microseconds since 1970, at which the clock `now_us` was zero. On one machine, two of these tell how two
/// clocks truly stand to each other.
#[must_use]
pub fn zero_unix_us(now_us: impl Fn() -> u64) -> u64 {
    let readings = (0..50).map(|_| {
        let before = now_us();
        let unix_us = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64);
        let after = now_us();
        // The thread may have been interrupted in between: the quickest reading is the right one.
        (after - before, unix_us.saturating_sub(before + (after - before) / 2))
    });
    readings.min().map_or(0, |(_, zero)| zero)
}

#[cfg(test)]
mod tests {
    #[test]
    fn work_and_memory_are_noticed() {
        let before = super::now();
        let mut sum = 0u64;
        // Until the kernel's clock has counted: bounded by the work, not by time.
        for n in 0..4_000_000_000u64 {
            sum = sum.wrapping_mul(31).wrapping_add(std::hint::black_box(n));
            if n % 10_000_000 == 0 && super::now().cpu_s >= before.cpu_s + 0.02 {
                break;
            }
        }
        std::hint::black_box(sum);
        let after = super::now();
        assert!(after.cpu_s > before.cpu_s);
        assert!(after.memory_bytes > 0 && after.most_memory_bytes >= after.memory_bytes);
    }
}

//! Prints how fast episodes are written: `cargo run --release -p recorder --example write_speed [FOLDER] [MEGABYTES]`.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let megabytes: u64 = arguments.next().map_or(Ok(200), |text| text.parse())?;
    for speed in recorder::bench::write_speed(&folder, megabytes * 1_000_000)? {
        println!(
            "{:20} {:8.1} MB/s {:10.0} messages/s, file {:.1} MB",
            speed.name,
            speed.megabytes_per_s(),
            speed.messages_per_s(),
            speed.file_bytes as f64 * 1e-6
        );
    }
    Ok(())
}

//! Prints the recorder's figures: `cargo run --release -p recorder --example figures [FOLDER]`.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    for figure in recorder::bench::run(&folder, 1)? {
        println!("{:40} {:10.3} {:5} {} {:.3}", figure.name, figure.value, figure.unit, figure.peer, figure.peer_value);
    }
    Ok(())
}

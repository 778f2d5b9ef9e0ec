//! `takeover embodiment`: what robots are made of.

use crate::output::{OutputError, print_text};
use clap::Subcommand;
use protocol::{Channel, Embodiment, Kinematics};
use std::path::PathBuf;

/// Lists, shows and checks embodiments: the files that say what a robot is made of.
///
/// An embodiment holds the body, the kinematics, the actuators, the sensors and the channels of a robot. `show` prints a
/// built-in one as the file that it is: redirect it into a file, change it, `check` it, and give it to `takeover bridge
/// --embodiment FILE`.
#[derive(Debug, Clone, clap::Args)]
pub struct EmbodimentArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Lists the built-in embodiments.
    List(ListArgs),
    /// Prints an embodiment's file.
    Show(ShowArgs),
    /// Checks a file; names file, line and value of the first mistake and ends with status 1 if there is any.
    Check(CheckArgs),
}

#[derive(Debug, Clone, clap::Args)]
struct ListArgs {
    /// Prints the list as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, clap::Args)]
struct ShowArgs {
    /// A built-in embodiment, or a file.
    #[arg(value_name = "NAME|FILE")]
    embodiment: String,
    /// Prints it as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, clap::Args)]
struct CheckArgs {
    /// A TOML file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Prints what was read as JSON.
    #[arg(long)]
    json: bool,
}

/// A robot on the command line: a built-in embodiment, or a file.
///
/// # Errors
/// A sentence that names what is wrong, with line and value where it is in a file.
pub fn named_or_file(text: &str) -> Result<Embodiment, String> {
    Embodiment::named_or_from_file(text).map_err(|error| error.to_string())
}

/// Runs the command.
///
/// # Errors
/// When there is no such embodiment, or it is not valid.
pub fn run(args: &EmbodimentArgs) -> anyhow::Result<()> {
    match &args.action {
        Action::List(args) => list(args.json),
        Action::Show(args) => {
            let embodiment = Embodiment::named_or_from_file(&args.embodiment)?;
            if args.json {
                say!("{}", serde_json::to_string_pretty(&embodiment)?)?;
            } else {
                print_text(embodiment.source())?;
            }
            Ok(())
        }
        Action::Check(args) => {
            let embodiment = Embodiment::from_file(&args.file)?;
            if args.json {
                say!("{}", serde_json::to_string_pretty(&embodiment)?)?;
            } else {
                say!("{} is valid", args.file.display())?;
                summarize(&embodiment)?;
            }
            Ok(())
        }
    }
}

fn list(json: bool) -> anyhow::Result<()> {
    let all = Embodiment::built_in();
    if json {
        say!("{}", serde_json::to_string_pretty(all)?)?;
        return Ok(());
    }
    for embodiment in all {
        say!("{:<16} {}", embodiment.name, embodiment.description)?;
    }
    Ok(())
}

fn summarize(embodiment: &Embodiment) -> Result<(), OutputError> {
    let body = &embodiment.body;
    let moves = match &embodiment.kinematics {
        Kinematics::Ackermann(car) => format!("wheelbase {} m", car.wheelbase_m),
        Kinematics::Differential(drive) => format!("track {} m", drive.track_m),
        Kinematics::Fixed => "does not drive".to_owned(),
    };
    say!("  name         {}", embodiment.name)?;
    say!(
        "  body         {:.2} x {} m, {} m high, {} kg",
        embodiment.length_m(),
        body.width_m,
        body.height_m,
        body.mass_kg
    )?;
    say!("  kinematics   {}, {moves}", embodiment.kinematics.label())?;
    say!("  stops with   {} m/s^2", embodiment.stop_decel_mps2)?;
    for (what, channels) in [("observation", &embodiment.observation), ("action", &embodiment.action)] {
        channels.iter().try_for_each(|channel| say!("  {what:<12} {}", range(channel)))?;
    }
    let names: Vec<&str> = embodiment.cameras.iter().map(|camera| camera.name.as_str()).collect();
    say!("  cameras      {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") })
}

fn range(channel: &Channel) -> String {
    let Channel { name, unit, min, max, rate_per_s } = channel;
    format!("{name}: {min} to {max} {unit}, at most {rate_per_s} a second")
}

//! The command line, and what a configuration file adds to it.

use super::file::{Setting, read};
use super::{ConfigError, ConfigFormat, Origins};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The option that names the file, and that one in whose presence nothing is driven.
const CONFIG: &str = "config";
const SOURCE: &str = "source";
const ROBOT: &str = "robot";

/// The command line with the keys of its `--config`; negative numbers are taken as the values that they are meant as, so that
/// errors name them. A mistake on the command line itself ends the program.
///
/// # Errors
/// [`ConfigError`] when the file cannot be used.
pub fn parse<T: clap::Parser>(format: &ConfigFormat) -> Result<(T, Origins), ConfigError> {
    let (matches, origins) = merged(&with_negative_values(T::command()), format, std::env::args_os().collect())?;
    let parsed = T::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Ok((parsed, origins))
}

/// The bridge's options as `file` alone gives them.
///
/// # Errors
/// [`ConfigError`] when it cannot be used.
pub fn load<A: clap::Args>(format: &ConfigFormat, file: &Path) -> Result<(A, Origins), ConfigError> {
    let command = with_negative_values(A::augment_args(Command::new(format.program)));
    let arguments = vec![format.program.into(), format!("--{CONFIG}").into(), file.into()];
    let (matches, origins) = merged(&command, &ConfigFormat { subcommand: None, ..*format }, arguments)?;
    let parsed = A::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Ok((parsed, origins))
}

fn with_negative_values(command: Command) -> Command {
    let allow = |arg: Arg| {
        let has_value = arg.get_action().takes_values();
        if has_value { arg.allow_negative_numbers(true) } else { arg }
    };
    command.mut_args(allow).mut_subcommands(with_negative_values)
}

/// What `command` makes of `arguments`, whose first is the program, and of the file that they name.
pub(super) fn merged(
    command: &Command,
    format: &ConfigFormat,
    mut arguments: Vec<OsString>,
) -> Result<(ArgMatches, Origins), ConfigError> {
    let matches = command.clone().try_get_matches_from(&arguments).unwrap_or_else(|error| error.exit());
    let bridge = match format.subcommand {
        Some(name) => matches.subcommand_matches(name),
        None => Some(&matches),
    };
    let file = bridge.and_then(|bridge| bridge.try_get_one::<PathBuf>(CONFIG).ok().flatten());
    let (Some(bridge), Some(file)) = (bridge, file) else { return Ok((matches, Origins::default())) };
    let settings = read(file, format)?;
    let options = Options { command, format, given: bridge };
    for setting in &settings {
        options.judge(setting)?;
    }
    let robot = options.robot(&settings);
    let added: Vec<Setting> = settings.into_iter().filter(|setting| options.counts(setting, &robot)).collect();
    arguments.extend(added.iter().flat_map(arguments_of));
    let matches = command.clone().try_get_matches_from(arguments).map_err(|error| options.conflict(&error, &added))?;
    let origins = added.into_iter().map(|setting| (setting.key.option, setting.origin)).collect();
    Ok((matches, Origins(origins)))
}

fn arguments_of(setting: &Setting) -> impl Iterator<Item = OsString> + '_ {
    setting.values.iter().map(|value| format!("--{}={value}", setting.key.option).into())
}

/// The bridge's options, and those that the command line gives.
struct Options<'a> {
    command: &'a Command,
    format: &'a ConfigFormat,
    given: &'a ArgMatches,
}

impl Options<'_> {
    fn bridge(&self) -> &Command {
        self.format.subcommand.and_then(|name| self.command.find_subcommand(name)).unwrap_or(self.command)
    }

    fn option(&self, name: &str) -> Option<&Arg> {
        self.bridge().get_arguments().find(|arg| arg.get_long() == Some(name))
    }

    /// Whether the command line, or a variable of the environment, gives this option.
    fn is_given(&self, name: &str) -> bool {
        let source = self.option(name).and_then(|arg| self.given.value_source(arg.get_id().as_str()));
        source.is_some_and(|source| source != ValueSource::DefaultValue)
    }

    /// Asks the option itself whether it takes the value.
    fn judge(&self, setting: &Setting) -> Result<(), ConfigError> {
        let program = [self.command.get_name().into()].into_iter();
        let alone = program.chain(self.format.subcommand.map(OsString::from)).chain(arguments_of(setting));
        match self.command.clone().try_get_matches_from(alone) {
            Ok(_) => Ok(()),
            Err(error) => Err(setting.error(reason(&error))),
        }
    }

    /// The robot that is driven, the command line's before the file's.
    fn robot(&self, settings: &[Setting]) -> String {
        let in_file = settings.iter().find(|setting| setting.key.option == ROBOT && !self.is_given(ROBOT));
        let id = self.option(ROBOT).map(|arg| arg.get_id().as_str());
        let given = || self.given.get_raw(id?)?.next()?.to_str().map(str::to_owned);
        in_file.and_then(|setting| setting.values.first().cloned()).or_else(given).unwrap_or_default()
    }

    /// Whether a setting of the file has any effect: the command line wins, a robot that is not driven has none, and a default
    /// stands in nobody's way.
    fn counts(&self, setting: &Setting, robot: &str) -> bool {
        let Some(arg) = self.option(setting.key.option) else { return false };
        let is_default = setting.values.iter().eq(arg.get_default_values().iter().filter_map(|value| value.to_str()));
        let conflicts = self.bridge().get_arg_conflicts_with(arg);
        let is_put_aside = self.is_given(SOURCE) && conflicts.iter().any(|other| other.get_long() == Some(SOURCE));
        let is_another_robots = !setting.key.table.is_empty() && setting.key.table != robot;
        !(is_default || is_put_aside || is_another_robots || self.is_given(setting.key.option))
    }

    /// What is wrong with settings that each are in order.
    fn conflict(&self, error: &clap::Error, added: &[Setting]) -> ConfigError {
        let named = |kind: ContextKind| -> Vec<String> {
            match error.get(kind) {
                Some(ContextValue::String(one)) => vec![one.clone()],
                Some(ContextValue::Strings(several)) => several.clone(),
                _ => Vec::new(),
            }
        };
        let option =
            |usage: &String| usage.split([' ', '=']).next().unwrap_or_default().trim_start_matches('-').to_owned();
        let options: Vec<String> = [ContextKind::InvalidArg, ContextKind::PriorArg]
            .into_iter()
            .flat_map(named)
            .map(|usage| option(&usage))
            .collect();
        let of = |option: &String| added.iter().find(|setting| setting.key.option == option);
        let Some(setting) = options.iter().find_map(of).or(added.first()) else {
            // Nothing of the file was added: the error is the command line's own, which was parsed without one before.
            error.exit()
        };
        let others: Vec<String> = options
            .iter()
            .filter(|option| *option != setting.key.option)
            .map(|option| match of(option) {
                Some(other) => format!("{} (line {})", other.origin.key, other.origin.line),
                None => format!("--{option}"),
            })
            .collect();
        match others.is_empty() {
            true => setting.error(reason(error)),
            false => setting.error(format!("it cannot be used with {}", others.join(" and "))),
        }
    }
}

/// What an option has against its value, without the option's name.
fn reason(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::InvalidValue
        && let Some(ContextValue::Strings(known)) = error.get(ContextKind::ValidValue)
    {
        return format!("known are {}", known.join(", "));
    }
    let source = error.source().map(ToString::to_string);
    let first = || error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    source.unwrap_or_else(first)
}

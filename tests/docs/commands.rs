//! What the command line says of itself: the page of commands, and whether an example is one.

use clap::error::ErrorKind;
use clap::{Arg, Command, CommandFactory as _};
use cutover::cli::Cli;
use std::collections::BTreeSet;
use std::fmt::Write as _;

const HEAD: &str = "\
<!-- scripts/command-docs writes this page -->
# Commands

`cutover COMMAND --help` says the same. What a command ends with: [exit codes](trouble.md#exit-codes).

";

pub(crate) fn verbs() -> BTreeSet<String> {
    Cli::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect()
}

/// The verb, if there is one. A mention needs no more than that: what else it would have to be given may be missing.
pub(crate) fn try_parse(words: &[String]) -> Result<Option<String>, String> {
    let verb = words.iter().find(|word| verbs().contains(*word)).cloned();
    match Cli::command().try_get_matches_from(words) {
        Ok(_) => Ok(verb),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::MissingRequiredArgument => Ok(verb),
            _ if words.get(1).is_some_and(|word| word == "COMMAND") => Ok(None),
            _ => Err(error.to_string().lines().next().unwrap_or_default().to_owned()),
        },
    }
}

pub(crate) fn page() -> String {
    let mut cli = Cli::command();
    cli.build();
    let mut page = HEAD.to_owned();
    page += "| command | what it does |\n| --- | --- |\n";
    for verb in cli.get_subcommands() {
        let _ = writeln!(page, "| [`{0}`](#{0}) | {1} |", verb.get_name(), about(verb));
    }
    page += "\n## Options of every command\n\n";
    page += &table(cli.get_arguments().filter(|arg| arg.is_global_set()));
    for verb in cli.get_subcommands() {
        let usage = verb.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").trim();
        let _ = write!(page, "\n## `{}`\n\n{}.\n\n    {usage}\n", verb.get_name(), about(verb));
        let own: Vec<&Arg> =
            verb.get_arguments().filter(|arg| !arg.is_global_set() && arg.get_id() != "help").collect();
        if !own.is_empty() {
            let _ = write!(page, "\n{}", table(own.into_iter()));
        }
    }
    page
}

fn about(verb: &Command) -> String {
    verb.get_about().map(ToString::to_string).unwrap_or_default()
}

fn table<'a>(args: impl Iterator<Item = &'a Arg>) -> String {
    let rows = args.map(|arg| format!("| {} | {} |\n", name(arg), said(arg)));
    format!("| option | what it does |\n| --- | --- |\n{}", rows.collect::<String>())
}

fn name(arg: &Arg) -> String {
    let takes_value = arg.get_action().takes_values();
    let value = arg.get_value_names().map(|names| names[0].to_string()).filter(|_| takes_value);
    if arg.is_positional() {
        return format!("`{}`", value.unwrap_or_default());
    }
    let short = arg.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    let long = arg.get_long().unwrap_or_default();
    format!("{short}`--{long}{}`", value.map(|value| format!(" {value}")).unwrap_or_default())
}

fn said(arg: &Arg) -> String {
    let mut said = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('|', "\\|");
    let values: Vec<String> = arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if arg.get_action().takes_values() && !values.is_empty() {
        let _ = write!(said, ": {}", values.join(", "));
    }
    if let Some(variable) = arg.get_env() {
        let _ = write!(said, ". Variable: `{}`", variable.to_string_lossy());
    }
    if let ([default], true) = (arg.get_default_values(), arg.get_action().takes_values()) {
        let _ = write!(said, ". Default: `{}`", default.to_string_lossy());
    }
    said
}

/// As `--help` names them.
pub(crate) fn exit_codes() -> Vec<String> {
    let help = Cli::command().get_after_help().map(ToString::to_string).unwrap_or_default();
    let rows = help.lines().filter_map(|line| line.strip_prefix("  ")?.split_once("  "));
    rows.map(|(code, _)| code.to_owned()).collect()
}

//! `generate`: the reference pages, from the types that the program itself reads.

use std::fmt::Write as _;

use appliance_first_boot::fields::{FIELDS, Kind};
use appliance_terminal::reference::{command_line, write_page};
use appliance_terminal::{Exit, Report, Said};
use clap::CommandFactory;

use crate::cli::{Cli, EXITS, Generate};

/// Writes the pages.
pub fn run(arguments: &Generate) -> anyhow::Result<Box<dyn Report>> {
    let folder = &arguments.folder;
    write_page(folder, "image-command-line.md", &command_line_page())?;
    write_page(folder, "appliance-toml.md", &settings_page())?;
    Ok(Said::done(format!("generated into {}", folder.display())))
}

fn command_line_page() -> String {
    format!(
        "# Command line of `immich-appliance-image`\n\n{}## Exit codes\n\n{}",
        command_line(Cli::command()),
        Exit::table(&EXITS)
    )
}

fn settings_page() -> String {
    let mut page = String::from(
        "# `appliance.toml`\n\nThe settings for the first start, on the card's FAT partition. \
         `immich-appliance-image` writes it; any text editor can, too. The box applies it at its \
         next start, overwrites and removes it, and lists in `appliance-applied.txt` what it did, \
         without secrets. If anything in it is wrong, the box changes nothing, and \
         `appliance-error.txt` gives every reason. All fields are optional.\n\n\
         | field | type | meaning | example |\n|---|---|---|---|\n",
    );
    for field in &FIELDS {
        let kind = match field.kind {
            Kind::Text => "text",
            Kind::Secret => "text, secret",
            Kind::Texts => "list of texts",
            Kind::Flag => "`true` or `false`",
        };
        // Writing to a String does not fail.
        let _ = writeln!(
            page,
            "| `{}` | {kind} | {} | `{}` |",
            field.name(),
            field.doc,
            field.example
        );
    }
    page
}

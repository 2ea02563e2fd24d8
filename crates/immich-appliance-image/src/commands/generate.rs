//! `generate`: the reference pages, from the types that the program itself reads.

use std::fmt::Write as _;

use anyhow::Context;
use appliance_first_boot::fields::{FIELDS, Kind};
use clap::CommandFactory;
use serde::Serialize;

use crate::cli::{Cli, Generate};
use crate::exit::Exit;
use crate::report::Report;

#[derive(Debug, Serialize)]
struct Written {
    folder: std::path::PathBuf,
}

/// Writes the pages.
pub fn run(arguments: &Generate) -> anyhow::Result<Box<dyn Report>> {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, page) in [
        ("image-command-line.md", command_line_page()),
        ("appliance-toml.md", settings_page()),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(Box::new(Written {
        folder: folder.clone(),
    }))
}

fn command_line_page() -> String {
    let mut page = String::from("# Command line of `immich-appliance-image`\n\n");
    let mut command = Cli::command();
    command.build();
    describe(&mut page, &command, "immich-appliance-image");
    page += "## Exit codes\n\n| code | meaning |\n|---|---|\n";
    for exit in Exit::ALL {
        // Writing to a String does not fail.
        let _ = writeln!(page, "| {} | {} |", exit.code(), exit.meaning());
    }
    page
}

/// One section a command: what its --help says.
fn describe(page: &mut String, command: &clap::Command, name: &str) {
    // The width must not depend on the terminal that generates the page.
    let mut shown = command.clone().term_width(100).bin_name(name);
    let help = shown.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(
        page,
        "## `{name}`\n\n```text\n{}\n```\n\n",
        lines.join("\n").trim_end()
    );
    for sub in command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
    {
        describe(page, sub, &format!("{name} {}", sub.get_name()));
    }
}

fn settings_page() -> String {
    let mut page = String::from(
        "# `appliance.toml`\n\nThe settings for the first start, on the card's FAT partition. \
         `immich-appliance-image` writes it; any text editor can, too. The box takes it over at \
         its next start, overwrites and removes it, and says in `appliance-applied.txt` what it \
         did, without what is secret. If anything in it is wrong the box changes nothing, and \
         `appliance-error.txt` says every reason. All fields may be left out.\n\n\
         | field | type | meaning | example |\n|---|---|---|---|\n",
    );
    for field in &FIELDS {
        let kind = match field.kind {
            Kind::Text => "text",
            Kind::Secret => "text, secret",
            Kind::Texts => "list of texts",
            Kind::Flag => "`true` or `false`",
        };
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

impl Report for Written {
    fn text(&self) -> String {
        format!("generated into {}", self.folder.display())
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

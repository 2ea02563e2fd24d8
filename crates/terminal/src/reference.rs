//! Reference pages for the docs, made from what the command itself reads.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

/// Columns that a page's help is wrapped to, whatever the terminal is that makes it.
const WIDTH: usize = 100;

/// One section for each command and subcommand that is not hidden: what its `--help` says.
pub fn command_line(mut command: clap::Command) -> String {
    command.build();
    let mut page = String::new();
    let name = command.get_name().to_owned();
    describe(&mut page, &command, &name);
    page
}

fn describe(page: &mut String, command: &clap::Command, name: &str) {
    let mut shown = command.clone().term_width(WIDTH).bin_name(name);
    let help = shown.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    // Writing to a String does not fail.
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

/// Writes a page into a folder, which is made if it is not there.
///
/// # Errors
/// If the folder or the page cannot be written.
pub fn write_page(folder: &Path, name: &str, page: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let path = folder.join(name);
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    #[test]
    fn a_page_has_a_section_for_each_command_that_is_not_hidden() {
        let command = Command::new("tool")
            .subcommand(
                Command::new("drive").subcommand(Command::new("list").arg(Arg::new("DEVICE"))),
            )
            .subcommand(Command::new("secret").hide(true));
        let page = command_line(command);
        let sections: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("## "))
            .collect();
        assert_eq!(
            sections,
            ["## `tool`", "## `tool drive`", "## `tool drive list`"]
        );
        assert!(page.contains("Usage: tool drive list [DEVICE]"));
        assert!(page.lines().all(|line| line == line.trim_end()));
    }
}

//! `generate`: man pages, completions and reference pages, all from the types that the
//! tool itself reads. Packagers and the docs call it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::cli::{Cli, Generate};
use crate::exit::Exit;
use crate::report::{Report, Said};

/// Writes everything that is generated.
pub fn run(arguments: &Generate) -> anyhow::Result<Box<dyn Report>> {
    man_pages(&arguments.folder.join("man"))?;
    completions(&arguments.folder.join("completions"))?;
    reference(&arguments.folder.join("reference"))?;
    Ok(Said::done(format!(
        "generated into {}",
        arguments.folder.display()
    )))
}

fn man_pages(folder: &Path) -> anyhow::Result<()> {
    create(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("cannot write man pages into {}", folder.display()))?;
    Ok(())
}

fn completions(folder: &Path) -> anyhow::Result<()> {
    create(folder)?;
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut Cli::command(), "immich-appliance", folder)
            .with_context(|| format!("cannot write the completions of {shell}"))?;
    }
    Ok(())
}

fn reference(folder: &Path) -> anyhow::Result<()> {
    create(folder)?;
    write(&folder.join("command-line.md"), &command_line_page())?;
    write(&folder.join("exit-codes.md"), &exit_codes_page())?;
    write(&folder.join("configuration.md"), &configuration_page())
}

fn command_line_page() -> String {
    let mut page = String::from("# Command line\n\n");
    let mut command = Cli::command();
    command.build();
    describe(&mut page, &command, "immich-appliance");
    page
}

/// One section a command: what its --help says.
fn describe(page: &mut String, command: &clap::Command, name: &str) {
    // The width must not depend on the terminal that generates the page.
    let mut shown = command.clone().term_width(100).bin_name(name);
    let help = shown.render_long_help().to_string();
    // Writing to a String does not fail.
    let _ = write!(page, "## `{name}`\n\n```text\n{}\n```\n\n", help.trim_end());
    for sub in command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
    {
        describe(page, sub, &format!("{name} {}", sub.get_name()));
    }
}

fn exit_codes_page() -> String {
    let mut page = String::from("# Exit codes\n\n| code | name | meaning |\n|---|---|---|\n");
    for exit in Exit::ALL {
        let _ = writeln!(
            page,
            "| {} | `{}` | {} |",
            exit.code(),
            exit.name(),
            exit.meaning()
        );
    }
    page
}

fn configuration_page() -> String {
    let mut page = String::from(
        "# Configuration\n\n`/etc/immich-appliance/config.toml`, then every `.toml` file in \
         `/etc/immich-appliance/config.d/` by name; a later file wins key by key. Every key \
         has a default, so an empty file, or none, is a valid configuration.\n\n\
         | key | type | default | meaning |\n|---|---|---|---|\n",
    );
    for option in appliance_config::Settings::reference() {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            option.key, option.kind, option.default, option.doc
        );
    }
    page
}

fn create(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

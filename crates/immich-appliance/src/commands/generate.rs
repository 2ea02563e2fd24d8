//! `generate`: man pages, completions and reference pages, all from the types that the
//! tool itself reads. Packagers and the docs call it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use appliance_terminal::reference::{command_line, write_page};
use appliance_terminal::{Exit, Report, Said};
use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::cli::{Cli, Generate};

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
    let commands = format!("# Command line\n\n{}", command_line(Cli::command()));
    let exits = format!("# Exit codes\n\n{}", Exit::table(&Exit::ALL));
    write_page(folder, "command-line.md", &commands)?;
    write_page(folder, "exit-codes.md", &exits)?;
    write_page(folder, "configuration.md", &configuration_page())
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

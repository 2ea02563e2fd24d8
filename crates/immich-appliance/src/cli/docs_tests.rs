//! What the docs tell people to type is what the command understands, and their links lead
//! somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::Cli;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn markdown_in(folder: &Path, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            markdown_in(&path, pages);
        } else if path.extension().is_some_and(|end| end == "md") {
            pages.push(path);
        }
    }
}

/// Every page for people, with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let mut pages: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md"]
        .map(|page| root().join(page))
        .into();
    markdown_in(&root().join("docs"), &mut pages);
    pages
        .into_iter()
        .map(|page| {
            let text = fs::read_to_string(&page).unwrap();
            (page, text)
        })
        .collect()
}

/// The arguments of a command in a page: without its comment and its redirections.
fn arguments(line: &str) -> Vec<String> {
    let line = line.split(" # ").next().unwrap();
    let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    if let Some(redirection) = words.iter().position(|word| word.ends_with('<')) {
        words.truncate(redirection);
    }
    words
}

#[test]
fn every_command_in_the_docs_is_understood() {
    let mut seen = 0;
    for (page, text) in pages() {
        // The reference shows usage lines, and is generated from the command itself.
        if page
            .components()
            .any(|part| part.as_os_str() == "reference")
        {
            continue;
        }
        let joined = text.replace("\\\n", " ");
        for line in joined.lines() {
            let typed = line.trim_start();
            let indented = line.len() - typed.len() >= 4 || typed.starts_with("$ ");
            let typed = typed.trim_start_matches("$ ").trim_start_matches("sudo ");
            if !indented || !typed.starts_with("immich-appliance ") {
                continue;
            }
            seen += 1;
            if let Err(error) = Cli::try_parse_from(arguments(typed)) {
                assert!(!error.use_stderr(), "{}: {typed}\n{error}", page.display());
            }
        }
    }
    assert!(seen > 20, "only {seen} commands were found in the docs");
}

#[test]
fn every_link_in_the_docs_leads_to_a_file() {
    let mut seen = 0;
    for (page, text) in pages() {
        for link in text.split("](").skip(1) {
            let link = link.split([')', ' ', '#']).next().unwrap();
            if link.is_empty() || link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            assert!(
                page.parent().unwrap().join(link).exists(),
                "{}: {link}",
                page.display()
            );
        }
    }
    assert!(seen > 20, "only {seen} links were found in the docs");
}

#[test]
fn every_source_file_named_in_the_docs_is_there() {
    const FOLDERS: [&str; 6] = [
        "crates/", "dist/", "images/", "nixos/", "scripts/", "tests/",
    ];
    // Put there by whoever owns the releases.
    const NOT_YET: &str = "nixos/release.pub";
    let mut seen = 0;
    for (page, text) in pages() {
        for code in text.split('`').skip(1).step_by(2) {
            // An option after the name belongs to a command; "…" and capitals stand for names.
            let path = code.split_whitespace().next().unwrap_or_default();
            let stands_for_a_name = path.contains(['…', '<', '*', '{']) || path.contains("NAME");
            let is_ours = FOLDERS.iter().any(|folder| path.starts_with(folder));
            if !is_ours || stands_for_a_name || path == NOT_YET {
                continue;
            }
            seen += 1;
            assert!(root().join(path).exists(), "{}: {path}", page.display());
        }
    }
    assert!(seen > 50, "only {seen} files were found in the docs");
}

#[test]
fn every_page_is_in_the_summary() {
    let docs = root().join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let mut pages = Vec::new();
    markdown_in(&docs, &mut pages);
    for page in pages {
        let name = page.strip_prefix(&docs).unwrap().display().to_string();
        assert!(
            name == "SUMMARY.md" || summary.contains(&format!("({name})")),
            "{name} is not in docs/SUMMARY.md"
        );
    }
}

//! What the documentation says can be done as it says: links lead somewhere, files are read, commands are there.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "docs/commands.rs"]
mod commands;
#[path = "docs/page.rs"]
mod page;

use cutover::config::Config;
use page::{Block, HERE, Page, root};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Pages whose length is that of a table, which a program writes.
const GENERATED: [&str; 2] = ["docs/commands.md", "docs/faults.md"];
/// Where `scripts/lint-actions` looks for pipelines.
const LINTED: [&str; 3] = ["docs/workflows/", "docs/other-ci/", "action.yml"];

/// All that is wrong, in one message.
fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_link_leads_to_a_file_and_every_anchor_to_a_heading() {
    let pages = Page::all();
    let by_path: BTreeMap<&str, &Page> = pages.iter().map(|page| (page.path.as_str(), page)).collect();
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in &pages {
        for link in page.links() {
            let Some((path, anchor)) = page.resolve(&link) else { continue };
            count += 1;
            // the site has nothing but docs/, and no page of the summary
            let on_site = link.starts_with("https:") || path.starts_with("docs/") && path != "docs/SUMMARY.md";
            if page.path.starts_with("docs/") && !on_site {
                wrong.push(format!("{}: {link}: not on the site; write {HERE}{path}", page.path));
            }
            if !root().join(&path).exists() {
                wrong.push(format!("{}: {link}: there is no {path}", page.path));
            } else if let (Some(anchor), Some(to)) = (anchor, by_path.get(path.as_str()))
                && !to.anchors().contains(&anchor)
            {
                wrong.push(format!("{}: {link}: {path} has no such heading", page.path));
            }
        }
    }
    assert!(count > 100, "{count} links");
    none(wrong);
}

#[test]
fn every_page_is_in_the_summary_once() {
    let pages = Page::all();
    let summary = pages.iter().find(|page| page.path == "docs/SUMMARY.md").unwrap();
    let listed: Vec<String> = summary.links().iter().filter_map(|link| Some(summary.resolve(link)?.0)).collect();
    let once: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
    assert_eq!(once.len(), listed.len(), "a page is in the summary twice: {listed:?}");
    let in_docs = pages.iter().map(|page| page.path.as_str());
    let wanted: BTreeSet<&str> =
        in_docs.filter(|path| path.starts_with("docs/") && *path != "docs/SUMMARY.md").collect();
    assert_eq!(once, wanted);
}

#[test]
fn no_page_is_too_long() {
    let long = Page::all().into_iter().filter(|page| !GENERATED.contains(&page.path.as_str())).filter_map(|page| {
        let (lines, most) = (page.text.lines().count(), if page.path == "README.md" { 120 } else { 200 });
        (lines > most).then(|| format!("{}: {lines} lines; at most {most}", page.path))
    });
    none(long.collect());
}

#[test]
fn every_configuration_in_the_docs_is_read() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in Page::all() {
        for block in page.blocks().iter().filter(|block| block.is_configuration()) {
            let text = block.whole();
            for environment in [None].into_iter().chain(block.environments().iter().map(|name| Some(name.as_str()))) {
                count += 1;
                if let Err(error) = Config::parse(&text, "cutover.yml", environment) {
                    wrong.push(format!("{}:{}: {environment:?}: {error}\n{text}", page.path, block.line));
                }
            }
        }
    }
    assert!(count > 30, "{count} configurations");
    none(wrong);
}

#[test]
fn every_pipeline_in_the_docs_is_a_file_that_is_linted() {
    let mut wrong = Vec::new();
    for page in Page::all() {
        for block in page.blocks().iter().filter(|block| block.language == "yaml" && !block.is_configuration()) {
            match &block.file {
                Some(file) if LINTED.iter().any(|known| page.beside(file).starts_with(known)) => {
                    let text = std::fs::read_to_string(root().join(page.beside(file))).unwrap_or_default();
                    if text != block.text {
                        wrong.push(format!(
                            "{}:{}: not {file} as it is: run scripts/action-docs",
                            page.path, block.line
                        ));
                    }
                }
                None if block.other.is_some() && !block.text.contains("runs-on:") => {}
                _ => wrong.push(format!("{}:{}: put it into a file of docs/workflows", page.path, block.line)),
            }
        }
    }
    none(wrong);
}

#[test]
fn every_command_in_the_docs_is_one_that_cutover_takes() {
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for page in Page::all() {
        for words in page.commands() {
            match commands::try_parse(&words) {
                Ok(verb) => seen.extend(verb),
                Err(error) => wrong.push(format!("{}: {}: {error}", page.path, words.join(" "))),
            }
        }
    }
    let verbs = commands::verbs();
    assert!(verbs.is_subset(&seen), "no example of {:?}", verbs.difference(&seen));
    none(wrong);
}

#[test]
fn the_page_of_commands_is_what_the_program_says_of_itself() {
    let path = root().join("docs/commands.md");
    if std::env::var_os("CUTOVER_DOCS_WRITE").is_some() {
        std::fs::write(&path, commands::page()).unwrap();
    }
    let now = std::fs::read_to_string(path).unwrap_or_default();
    assert!(now == commands::page(), "docs/commands.md is out of date: run scripts/command-docs");
}

#[test]
fn every_key_of_the_schema_has_a_section_with_an_example() {
    let schema: Value = serde_json::from_str(include_str!("../cutover.schema.json")).unwrap();
    let pages: Vec<Page> =
        Page::all().into_iter().filter(|page| page.path.starts_with("docs/configuration/")).collect();
    let overview = pages.iter().find(|page| page.path.ends_with("README.md")).unwrap();
    let mut wrong = Vec::new();
    for (key, property) in schema["properties"].as_object().unwrap() {
        let sections: Vec<String> = pages.iter().filter_map(|page| page.section(&format!("`{key}`"))).collect();
        let [section] = &sections[..] else {
            wrong.push(format!("{} sections of {key}", sections.len()));
            continue;
        };
        if !section.contains(&format!("\n{key}:")) {
            wrong.push(format!("{key}: no example"));
        }
        if !overview.text.contains(&format!("[`{key}`](")) {
            wrong.push(format!("{key}: not in the table of all keys"));
        }
        let mut inner = BTreeSet::new();
        if key != "environments" {
            keys_within(&schema, property, &mut inner);
        }
        let named = |name: &&String| section.contains(&format!("{name}:")) || section.contains(&format!("`{name}`"));
        wrong.extend(inner.iter().filter(|name| !named(name)).map(|name| format!("{key}: nothing of {name}")));
    }
    none(wrong);
}

/// The keys of every map that may stand here; those of a service's parts have sections of their own.
fn keys_within(schema: &Value, part: &Value, into: &mut BTreeSet<String>) {
    match part {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                into.extend(properties.keys().cloned());
                if !properties.contains_key("slots") {
                    properties.values().for_each(|inner| keys_within(schema, inner, into));
                }
            }
            if let Some(name) = map.get("$ref").and_then(Value::as_str) {
                keys_within(schema, schema.pointer(name.trim_start_matches('#')).unwrap(), into);
            }
            for inner in map.iter().filter(|(key, _)| *key != "properties").map(|(_, inner)| inner) {
                keys_within(schema, inner, into);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| keys_within(schema, inner, into)),
        _ => {}
    }
}

#[test]
fn thirty_questions_have_a_page_each() {
    let pages = Page::all();
    let questions = pages.iter().find(|page| page.path == "docs/questions.md").unwrap();
    let rows: Vec<&str> = questions.text.lines().filter(|line| line.starts_with("| ") && line.contains('?')).collect();
    assert!(rows.len() >= 30, "{} questions", rows.len());
    none(rows.iter().filter(|row| !row.contains("](")).map(|row| format!("no answer: {row}")).collect());
}

/// Blocks of a page and what they are; where it is easy to be wrong.
#[test]
fn a_block_is_known_for_what_it_is() {
    let page = Page {
        path: "docs/x.md".to_owned(),
        text: "# A `b` c\n```yaml\nkeep: 3\n```\n<!-- a.yml -->\n```yaml\non: push\n```\n\
               1. x\n   ```yaml\n   # docker-compose.yml\n   services: {}\n   ```\n\
               ```sh\ncutover -e 'a b' plan   # why\nsh -c x\n```\n[x](y.md#z) `cutover check | cat` [no](https://a.b)\n"
            .to_owned(),
    };
    let blocks: Vec<Block> = page.blocks();
    assert_eq!(blocks.iter().map(Block::is_configuration).collect::<Vec<_>>(), [true, false, false, false]);
    assert_eq!((blocks[1].file.as_deref(), blocks[2].other.as_deref()), (Some("a.yml"), Some("docker-compose.yml")));
    assert_eq!(page.commands(), [vec!["cutover", "-e", "a b", "plan"], vec!["cutover", "check"]]);
    assert_eq!(page.links(), ["y.md#z", "https://a.b"]);
    assert_eq!(page.resolve("y.md#z"), Some(("docs/y.md".to_owned(), Some("z".to_owned()))));
    assert!(page.anchors().contains("a-b-c"));
}

/// The words of a message stand in the program, but for names and numbers: `…`, and what is in brackets of its own.
#[test]
fn every_message_on_the_page_of_messages_is_said_by_the_program() {
    let said = page::program();
    let pages = Page::all();
    let messages = pages.iter().find(|page| page.path == "docs/messages.md").unwrap();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for row in messages.text.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.trim_start_matches("| ").split(" | ").next().unwrap_or_default();
        for code in page::codes(cell) {
            count += 1;
            let pieces = code.split('…').map(str::trim).filter(|piece| piece.len() > 3);
            wrong.extend(pieces.filter(|piece| !said.contains(piece)).map(|piece| format!("nothing says `{piece}`")));
        }
    }
    assert!(count > 30, "{count} messages");
    none(wrong);
}

#[test]
fn every_exit_code_has_its_row() {
    let pages = Page::all();
    let page = pages.iter().find(|page| page.path == "docs/trouble.md").unwrap();
    let codes = commands::exit_codes();
    assert!(codes.len() >= 8, "{codes:?}");
    none(codes.into_iter().filter(|code| !page.text.contains(&format!("\n| {code} | "))).collect());
}

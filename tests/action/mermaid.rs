//! Draws a summary, and its diagram, as GitHub does: in a browser.
#![allow(dead_code)]

use crate::common::root;
use std::path::Path;
use std::process::Command;

fn tool(name: &str) -> String {
    let output = Command::new(root().join("scripts/action-tools")).arg(name).output().expect("action-tools");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The text between the fences of a summary's diagram.
pub fn diagram(summary: &str) -> &str {
    let rest = summary.split_once("```mermaid\n").unwrap_or_else(|| panic!("no diagram in {summary}")).1;
    rest.split_once("```").expect("an end").0
}

/// The page after drawing, as the browser has it; a broken diagram is an error in it.
pub fn draw(diagram: &str, directory: &Path) -> String {
    let script = format!("{}/node_modules/mermaid/dist/mermaid.min.js", tool("node"));
    let text = diagram.replace('&', "&amp;").replace('<', "&lt;");
    let page = format!(
        "<!doctype html><meta charset=utf-8><pre id=source>{text}</pre><div id=drawn></div><script src='{script}'>\
         </script><script>mermaid.initialize({{startOnLoad: false}});\
         mermaid.render('graph', document.getElementById('source').textContent)\
         .then(({{svg}}) => {{ document.getElementById('drawn').innerHTML = svg; document.title = 'drawn'; }})\
         .catch(error => {{ document.title = 'broken: ' + error; }});</script>"
    );
    browser(&page, directory, &["--dump-dom"])
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub dark: bool,
    /// Of the column that GitHub gives the summary, in pixels.
    pub width: u32,
}

/// A summary as GitHub shows it: its style sheet, its Markdown, its diagrams. The title says "drawn", by how many pixels the page is too
/// wide, and by how many its first table.
pub fn page(summary: &str, look: Look) -> String {
    let node = tool("node");
    let theme = if look.dark { "dark" } else { "light" };
    let style = std::fs::read_to_string(format!("{node}/node_modules/github-markdown-css/github-markdown-{theme}.css"));
    let text = serde_json::Value::from(summary).to_string().replace("</", "<\\/");
    let (ground, drawing) = if look.dark { ("#0d1117", "dark") } else { ("#ffffff", "default") };
    format!(
        "<!doctype html><meta charset=utf-8><style>{style} body {{ margin: 0; background: {ground} }} \
         main {{ width: {width}px; padding: 16px; box-sizing: border-box }}</style><main class=markdown-body></main>\
         <script src='{node}/node_modules/marked/lib/marked.umd.js'></script>\
         <script src='{node}/node_modules/mermaid/dist/mermaid.min.js'></script><script>\
         const main = document.querySelector('main'); main.innerHTML = marked.parse({text}, {{gfm: true}});\
         mermaid.initialize({{startOnLoad: false, theme: '{drawing}'}});\
         (async () => {{ let number = 0; for (const code of main.querySelectorAll('code.language-mermaid')) {{\
         const {{svg}} = await mermaid.render('graph' + number++, code.textContent); code.parentElement.outerHTML = svg; }}\
         const wide = (part) => part ? part.scrollWidth - part.clientWidth : 0;\
         document.body.dataset.height = main.offsetHeight;\
         document.title = `drawn ${{wide(main)}} ${{wide(main.querySelector('table'))}}`;\
         }})().catch(error => {{ document.title = 'broken: ' + error; }});</script>",
        style = style.expect("github-markdown-css"),
        width = look.width,
    )
}

/// The page as the browser has it after drawing.
pub fn drawn(page: &str, directory: &Path) -> String {
    browser(page, directory, &["--dump-dom"])
}

/// A picture of the whole page.
pub fn picture(page: &str, directory: &Path, width: u32, to: &Path) {
    let seen = drawn(page, directory);
    let height = seen.split_once("data-height=\"").and_then(|(_, rest)| rest.split_once('"')).expect("a height").0;
    let (size, shot) = (format!("--window-size={width},{height}"), format!("--screenshot={}", to.display()));
    browser(page, directory, &["--hide-scrollbars", "--force-device-scale-factor=2", &size, &shot]);
}

fn browser(page: &str, directory: &Path, words: &[&str]) -> String {
    let file = directory.join("page.html");
    std::fs::write(&file, page).expect("a page");
    let output = Command::new(tool("chromium"))
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=20000"])
        .arg(format!("--user-data-dir={}/profile", directory.display()))
        .args(words)
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("chromium");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

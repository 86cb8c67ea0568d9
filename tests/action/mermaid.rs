//! Draws a summary's diagram as GitHub does: mermaid in a browser.

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
    let file = directory.join("page.html");
    std::fs::write(&file, page).expect("a page");
    let output = Command::new(tool("chromium"))
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=20000"])
        .arg(format!("--user-data-dir={}/profile", directory.display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("chromium");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

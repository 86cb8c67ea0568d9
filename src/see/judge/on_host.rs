//! nginx on the host: what its login may do there, and what it takes.

use super::findings::Findings;
use crate::host::Host;
use crate::host::script::Script;
use crate::report::text::one_line;
use crate::see::read::elsewhere::OnHost;
use crate::see::read::files::Look;
use crate::see::seen::ConfSeen;
use crate::swap::plan::How;
use anyhow::Result;

/// Whether nginx can be asked and reloaded as it was started. False where nothing else can be looked at.
pub(crate) fn of_nginx(nginx: &OnHost, user: &str, findings: &mut Findings) -> bool {
    if nginx.command.split(' ').any(|word| matches!(word, "-c" | "-p" | "-e")) {
        let what = format!("nginx on the host runs as `{}`, with files of its own", one_line(&nginx.command, 200));
        findings.refuse("nginx", what, "start it without `-c`, `-p` and `-e`, with its usual files");
        return false;
    }
    if nginx.said.is_none() {
        let what = format!("{user} may not test and reload nginx on the host");
        findings.refuse("nginx", what, rules(user, &nginx.program, &[]));
        return false;
    }
    true
}

/// The line of sudoers with all that is asked for, and the command that writes it.
fn rules(user: &str, program: &str, files: &[&str]) -> String {
    let tests = ["-t", "-T", "-s reload"].map(|words| format!("{program} {words}"));
    let writes = files.iter().map(|file| format!("/usr/bin/tee {file}"));
    let commands: Vec<String> = tests.into_iter().chain(writes).collect();
    format!("sudo visudo -f /etc/sudoers.d/cutover, with the line: {user} ALL=(root) NOPASSWD: {}", commands.join(", "))
}

/// Files that this user can't write as a whole: in place where they can be written at all, else by `sudo tee`.
pub(crate) async fn of_files(
    host: &Host,
    nginx: &OnHost,
    confs: &mut [ConfSeen],
    look: &Look,
    findings: &mut Findings,
) -> Result<()> {
    const MAY: &str =
        "for file in \"$@\"; do sudo -n -l tee \"$file\" >/dev/null 2>&1 && printf '%s\\n' \"$file\"; done; true";
    let can = |path: &str| look.writable.iter().any(|known| known == path);
    let directory = |path: &str| path.rsplit_once('/').map_or("/".to_owned(), |(directory, _)| directory.to_owned());
    for conf in confs.iter_mut().filter(|conf| conf.how == How::Rename && !can(&directory(&conf.path))) {
        conf.how = if can(&conf.path) { How::InPlace } else { How::Sudo };
    }
    let closed: Vec<String> = confs.iter().filter(|conf| conf.how == How::Sudo).map(|conf| conf.path.clone()).collect();
    if !closed.is_empty() {
        let script = Script::new("to see which files sudo may write", MAY).args(closed.iter());
        let may = String::from_utf8_lossy(&host.run(&script).await?).into_owned();
        let not: Vec<&str> =
            closed.iter().map(String::as_str).filter(|file| !may.lines().any(|line| line == *file)).collect();
        if !not.is_empty() {
            let user = host.session.user();
            let what = format!("{user} can't write {}", not.join(", "));
            let own = format!("sudo chown {user} {}; or ", not.join(" "));
            findings.refuse("conf", what, own + &rules(user, &nginx.program, &not));
        }
    }
    for link in confs.iter().filter(|conf| conf.how == How::Link && !can(&directory(&conf.path))) {
        let what = format!("{} is a link in a directory that only root can write", link.path);
        findings.refuse(
            "conf",
            what,
            format!("sudo chown the directory to the user that cutover logs in as: {}", directory(&link.path)),
        );
    }
    Ok(())
}

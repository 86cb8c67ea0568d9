//! nginx on the host: what its login may do there, and what it takes.

use super::findings::Findings;
use crate::host::ssh::quote;
use crate::report::text::one_line;
use crate::see::interpret::project::Slot;
use crate::see::interpret::published::doors;
use crate::see::read::elsewhere::{OnHost, Rights};
use crate::see::read::files::Look;
use crate::see::seen::ConfSeen;
use crate::swap::plan::How;

/// Whether nginx can be asked and reloaded as it was started, and reaches the slots. False where nothing else can be looked at.
pub(crate) fn of_nginx(nginx: &OnHost, slots: &[[Slot<'_>; 2]], findings: &mut Findings) -> bool {
    if nginx.command.split(' ').any(|word| matches!(word, "-c" | "-p" | "-e")) {
        let what = format!("nginx on the host runs as `{}`, with files of its own", one_line(&nginx.command, 200));
        findings.refuse("nginx", what, "start it without `-c`, `-p` and `-e`, with its usual files");
        return false;
    }
    let closed = slots.iter().find(|[one, two]| doors([&one.bindings, &two.bindings]).is_empty());
    if let Some([one, two]) = closed {
        let what = format!(
            "nginx is on the host, and reaches {} and {} by ports of the host alone; the compose file gives them none that \
             lead to the same port of either",
            one.service, two.service
        );
        let todo = "publish a port of each on 127.0.0.1, such as `ports: [\"127.0.0.1:8081:8080\"]` and `:8082:8080`";
        findings.refuse("nginx", what, todo);
        return false;
    }
    true
}

/// Files that the login can't write as a whole: in place where they can be written at all, else by `sudo tee`.
pub(crate) fn of_files(confs: &mut [ConfSeen], look: &Look, findings: &mut Findings) {
    let can = |path: &str| look.writable.iter().any(|known| known == path);
    let directory = |path: &str| path.rsplit_once('/').map_or("/".to_owned(), |(directory, _)| directory.to_owned());
    for conf in confs.iter_mut().filter(|conf| conf.how == How::Rename && !can(&directory(&conf.path))) {
        conf.how = if can(&conf.path) { How::InPlace } else { How::Sudo };
    }
    for link in confs.iter().filter(|conf| conf.how == How::Link && !can(&directory(&conf.path))) {
        let what = format!("{} is a link in a directory that only root can write", link.path);
        let todo = format!("sudo chown the directory to the user that cutover logs in as: {}", directory(&link.path));
        findings.refuse("conf", what, todo);
    }
}

/// What the login may not do of what a release takes: said at once, with one line of sudoers that has all of it and nothing else.
pub(crate) fn of_rights(nginx: &OnHost, user: &str, confs: &[ConfSeen], findings: &mut Findings) {
    let sudo = confs.iter().filter(|conf| conf.how == How::Sudo);
    let files: Vec<&str> = sudo.map(|conf| conf.path.as_str()).collect();
    let (what, todo) = match &nginx.rights {
        Rights::Own if files.is_empty() => return,
        Rights::Own => (
            format!("{user} runs nginx on the host, and can't write {}", files.join(", ")),
            format!("chown {user} {}", files.join(" ")),
        ),
        Rights::None => (
            format!("only root may reload nginx on the host, and there is no sudo by which {user} could"),
            format!("install sudo, and let it: {}", line(user, &commands(nginx, &files))),
        ),
        Rights::Sudo(sudo) => {
            let all = commands(nginx, &files);
            let missing: Vec<&str> =
                all.iter().map(|(command, _)| command.as_str()).filter(|command| !sudo.allows(command)).collect();
            if missing.is_empty() {
                return;
            }
            let what = format!("{user} may not run, as root and without a password: {}", missing.join(", "));
            (what, format!("let it: {}", line(user, &all)))
        }
    };
    findings.refuse("sudo", what, todo);
}

/// All that is done as root, each as it is and as sudoers wants it: there, what means something has a backslash before it.
fn commands(nginx: &OnHost, files: &[&str]) -> Vec<(String, String)> {
    let special = |c: char| matches!(c, ',' | ':' | '=' | '\\' | ' ' | '*' | '?' | '[' | ']');
    let escaped =
        |file: &str| file.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect::<String>();
    let nginxs = ["-t", "-T", "-s reload"].map(|words| format!("{} {words}", nginx.program));
    let nginxs = nginxs.into_iter().map(|command| (command.clone(), command));
    let writes = files.iter().map(|file| (format!("{} {file}", nginx.tee), format!("{} {}", nginx.tee, escaped(file))));
    nginxs.chain(writes).collect()
}

/// The command that lets it, by a line of sudoers.
fn line(user: &str, commands: &[(String, String)]) -> String {
    let all: Vec<&str> = commands.iter().map(|(_, escaped)| escaped.as_str()).collect();
    let rule = format!("{user} ALL=(root) NOPASSWD: {}", all.join(", "));
    let rule = quote(&rule).unwrap_or(rule);
    format!("echo {rule} | sudo install -m 440 /dev/stdin /etc/sudoers.d/cutover && sudo visudo -c")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::see::read::sudo::Sudo;

    fn refused(listed: &str) -> Option<String> {
        let nginx = OnHost {
            program: "/usr/sbin/nginx".to_owned(),
            tee: "/usr/bin/tee".to_owned(),
            rights: Rights::Sudo(Sudo::listed(listed)),
            ..OnHost::default()
        };
        let conf = |path: &str, how| ConfSeen { path: path.to_owned(), text: String::new(), how, changes: Vec::new() };
        let mut findings = Findings::default();
        of_rights(&nginx, "deploy", &[conf("/e/a, b", How::Sudo), conf("/e/c", How::Rename)], &mut findings);
        findings.0.pop().map(|found| found.what + "; " + &found.todo)
    }

    #[test]
    fn one_line_of_sudoers_has_all_that_is_asked_for_and_nothing_else() {
        let all = "/usr/sbin/nginx -t, /usr/sbin/nginx -T, /usr/sbin/nginx -s reload, /usr/bin/tee /e/a\\,\\ b";
        let listed = |rule: &str| format!("User deploy may run the following commands on web:\n    (root) {rule}\n");
        assert_eq!(refused(&listed(&format!("NOPASSWD: {all}"))), None);
        let some = refused(&listed("NOPASSWD: /usr/sbin/nginx")).expect("refused");
        assert!(
            some.starts_with("deploy may not run, as root and without a password: /usr/bin/tee /e/a, b; let it: "),
            "{some}"
        );
        for listed in ["", &listed(all)] {
            let none = refused(listed).expect("refused");
            let told = format!(
                "echo 'deploy ALL=(root) NOPASSWD: {all}' | sudo install -m 440 /dev/stdin /etc/sudoers.d/cutover"
            );
            assert!(none.contains("-s reload, /usr/bin/tee /e/a, b; ") && none.contains(&told), "{none}");
        }
    }
}

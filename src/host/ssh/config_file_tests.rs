//! ssh_config(5) as laptops have it.
#![allow(clippy::unwrap_used)]
use super::*;

const TEXT: &str = r#"
# work
Host prod !prod-old web?
    HostName 203.0.113.10
    User = deploy
    Port 2222
    IdentityFile ~/.ssh/prod
    IdentityFile "~/.ssh/with space"
    IdentitiesOnly yes
    ProxyJump jump@bastion:2200,second
Host prod*
    User late
    HostKeyAlias prod.alias
    UserKnownHostsFile ~/.ssh/kh1 %d/kh2
Match exec "rm -rf /"
    User match
Host *
    ProxyCommand nc %h %p
    IdentityFile %d/.ssh/%h-%r-%n-%%
"#;

fn config(host: &str) -> HostBlock {
    lookup(TEXT, host, Path::new("/home/me"))
}

#[test]
fn the_first_value_counts_and_identity_files_add_up() {
    let found = config("prod");
    assert_eq!(found.host_name.as_deref(), Some("203.0.113.10"));
    assert_eq!(found.user.as_deref(), Some("deploy"));
    assert_eq!(found.port, Some(2222));
    assert_eq!(found.host_key_alias.as_deref(), Some("prod.alias"));
    assert_eq!(found.proxy_jump.as_deref(), Some("jump@bastion:2200,second"));
    assert!(found.identities_only);
    let files = ["/home/me/.ssh/prod", "/home/me/.ssh/with space", "/home/me/.ssh/203.0.113.10-deploy-prod-%"];
    assert_eq!(found.identity_files, files.map(PathBuf::from));
    assert_eq!(found.known_hosts_files, ["/home/me/.ssh/kh1", "/home/me/kh2"].map(PathBuf::from));
    assert_eq!(found.not_followed, ["ProxyCommand"]);
}

#[test]
fn patterns_choose_the_host() {
    assert_eq!(config("web1").user.as_deref(), Some("deploy"));
    assert_eq!(config("web10").user, None);
    assert_eq!(config("prod-old").user.as_deref(), Some("late"));
    assert_eq!(config("other").host_name, None);
}

#[test]
fn includes_are_followed_and_do_not_run_in_circles() {
    let home = tempfile::tempdir().unwrap();
    let ssh = home.path().join(".ssh");
    std::fs::create_dir_all(ssh.join("config.d")).unwrap();
    std::fs::write(ssh.join("config.d/a.conf"), "Host x\n User from-a\n").unwrap();
    std::fs::write(ssh.join("config.d/b.txt"), "Host x\n Port 1\n").unwrap();
    std::fs::write(ssh.join("circle"), "Include circle\nHost x\n Port 7\n").unwrap();
    let found = lookup("Include config.d/*.conf\nInclude circle\nInclude missing\n", "x", home.path());
    assert_eq!((found.user.as_deref(), found.port), (Some("from-a"), Some(7)));
}

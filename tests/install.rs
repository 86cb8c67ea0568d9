//! How people get the binary: scripts/install.sh, the packages of a release, and how a release is published.
#![allow(missing_docs, dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

#[path = "install/mod.rs"]
mod fixture;
#[path = "install/packages.rs"]
mod packages;
#[path = "install/publish.rs"]
mod publish;

use fixture::{Home, Release, VERSION, binary, ok};
use std::process::Command;

#[test]
fn the_installer_needs_no_more_than_a_small_system_has() {
    let release = Release::new();
    let bash = ["/bin/bash", "--posix"];
    let ways: [(&[&str], &str); 4] =
        [(&["/bin/sh"], "curl"), (&["/bin/sh"], "wget"), (&bash, "curl"), (&["/bin/busybox", "sh"], "wget")];
    for (shell, fetcher) in ways {
        let home = Home::new(shell, &[fetcher]);
        let (good, said) = home.install(&release.url, &[]);
        let at = home.path(".local/bin/cutover");
        assert!(good && said.contains(&format!("cutover {VERSION} is at {}", at.display())), "{shell:?}: {said}");
        assert!(said.contains("Its SHA-256 is right; who built it was not checked"), "{said}");
        assert!(said.contains("is not in the PATH"), "{said}");
        assert_eq!(home.left(), ["./.local/bin/cutover"], "nothing else is left");
        assert!(ok(Command::new(at).arg("--version")).contains(VERSION));
        let asked = release.requests();
        let mine = |name: &str| asked.iter().filter(|path| path.ends_with(name) && path.contains("download")).count();
        assert_eq!((mine("SHA256SUMS"), mine(&format!("{}.tar.gz", binary()))), (2, 1), "one redirect: {asked:?}");
    }
}

#[test]
fn a_version_and_a_place_can_be_named_and_an_older_one_is_replaced() {
    let release = Release::new();
    let home = Home::usual();
    let to = home.path("bin");
    home.has("cutover", "#!/bin/sh\necho old\n");
    let version = format!("v{VERSION}");
    let (good, said) = home.install(&release.url, &["--version", &version, "--to", to.to_str().unwrap()]);
    assert!(good && !said.contains("PATH"), "{said}");
    assert!(ok(Command::new(to.join("cutover")).arg("--version")).contains(VERSION));
    assert!(!release.requests().iter().any(|path| path.contains("latest")));
    let (good, said) = home.install(&release.url, &["--version", VERSION]);
    assert!(good && said.contains("which comes first in the PATH"), "{said}");
}

/// Installs where it can't be, and holds that one line says so and the version that was there stays.
fn refuses(home: &Home, url: &str, words: &[&str], why: &str) {
    let own = home.path(".local/bin/cutover");
    std::fs::create_dir_all(own.parent().unwrap()).unwrap();
    std::fs::write(&own, "the one before").unwrap();
    let (good, said) = home.install(url, words);
    assert!(!good && said.contains(why), "{why}: {said}");
    assert!(said.starts_with("install cutover: ") && said.lines().count() == 1, "one line: {said}");
    assert_eq!(std::fs::read_to_string(&own).unwrap(), "the one before");
    let left: Vec<String> = home.left().into_iter().filter(|file| file != "./file").collect();
    assert_eq!(left, ["./.local/bin/cutover"]);
}

#[test]
fn each_failure_is_one_line_and_the_version_that_was_there_stays() {
    let release = Release::new();
    let home = Home::usual();
    std::fs::write(home.path("file"), "").unwrap();
    let below = home.path("file/bin");
    refuses(&home, &release.url, &["--version", "v9.9.9"], "v9.9.9/SHA256SUMS can't be fetched: curl: (22)");
    refuses(&home, "http://127.0.0.1:1", &[], "can't be fetched: curl: (7)");
    refuses(&home, &release.url, &["--to", below.to_str().unwrap()], "can't be made: mkdir");
    refuses(&home, &release.url, &["--version"], "--version wants a word");
    refuses(&home, &release.url, &["--version", "$(id)"], "is not a version");
    refuses(&home, &release.url, &["--prefix", "/"], "unknown: --prefix. There are --version");
    home.has("uname", "#!/bin/sh\n[ $1 = -s ] && echo MINGW64_NT-10.0 || echo x86_64\n");
    refuses(&home, &release.url, &[], "on Windows install it inside WSL");
    home.has("uname", "#!/bin/sh\necho riscv64\n");
    refuses(&home, &release.url, &[], "there is no binary for riscv64");
    refuses(&Home::new(&["/bin/sh"], &[]), &release.url, &[], "neither curl nor wget is here");
    let wget = Home::new(&["/bin/sh"], &["wget"]);
    refuses(&wget, &release.url, &["--version", "v9.9.9"], "SHA256SUMS can't be fetched: ");
}

#[test]
fn a_file_that_was_changed_on_the_way_or_does_not_run_is_not_installed() {
    let release = Release::new();
    let home = Home::usual();
    let archive = release.packed(&format!("{}.tar.gz", binary()));
    let whole = std::fs::read(&archive).unwrap();
    std::fs::write(&archive, [&whole[..], b"x"].concat()).unwrap();
    refuses(&home, &release.url, &[], "is not what the release says it is (SHA-256 differs); nothing was installed");
    std::fs::write(&archive, &whole[..whole.len() / 2]).unwrap();
    release.sum_up();
    refuses(&home, &release.url, &[], "can't be written: ");
    fixture::program(&release.dir.path().join("binaries").join(binary()), "#!/no/such/program\n");
    ok(Command::new("tar")
        .current_dir(release.dir.path().join("binaries"))
        .arg("-czf")
        .arg(&archive)
        .args([&format!("--transform=s|^|{0}/|;s|/{0}|/cutover|", binary()), &binary()]));
    release.sum_up();
    refuses(&home, &release.url, &[], "the binary does not run from ");
}

#[test]
fn where_gh_or_cosign_is_there_it_says_who_built_it_or_nothing_is_installed() {
    let release = Release::new();
    let home = Home::usual();
    std::fs::write(release.packed(&format!("cutover-{VERSION}.sigstore.json")), "{}").unwrap();
    let noting = |name: &str, code: u8| {
        format!("#!/bin/sh\necho \"{name} $*\" >>$HOME/bin/words\necho no such signature >&2\nexit {code}\n")
    };
    let old_gh = "#!/bin/sh\necho 'unknown command \"attestation\" for \"gh\"' >&2\nexit 1\n";

    home.has("gh", old_gh);
    home.has("cosign", &noting("cosign", 1));
    refuses(&home, &release.url, &[], "cosign does not confirm that");
    home.has("gh", "#!/bin/sh\n[ $3 = --help ] || { echo \"gh $*\" >>$HOME/bin/words; echo bad signature; exit 1; }\n");
    refuses(&home, &release.url, &[], ": bad signature. Nothing was installed; --no-provenance leaves this check out");
    std::fs::remove_file(home.path(".local/bin/cutover")).unwrap();
    let (good, said) = home.install(&release.url, &["--no-provenance"]);
    assert!(good, "{said}");
    home.has("gh", &noting("gh", 0));
    let (good, said) = home.install(&release.url, &[]);
    assert!(good && said.contains("Its SHA-256 is right, and gh confirms that "), "{said}");

    let words = std::fs::read_to_string(home.path("bin/words")).unwrap();
    let repository = fixture::repository();
    let gh = format!("--repo {repository} --signer-workflow {repository}/.github/workflows/release.yml");
    assert!(words.contains("gh attestation verify ") && words.contains(&gh), "{words}");
    let cosign =
        "--certificate-oidc-issuer https://token.actions.githubusercontent.com --certificate-identity-regexp ^https";
    assert!(
        words.contains("cosign verify-blob-attestation --new-bundle-format --bundle ") && words.contains(cosign),
        "{words}"
    );
    // without the proof's file there is no proof
    std::fs::remove_file(release.packed(&format!("cutover-{VERSION}.sigstore.json"))).unwrap();
    refuses(&home, &release.url, &[], "sigstore.json can't be fetched");
}

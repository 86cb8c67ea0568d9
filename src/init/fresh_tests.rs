#![allow(clippy::unwrap_used)]

use super::*;
use crate::host::compose::Project;
use crate::host::nginx::{parse, upstreams};
use crate::init::{ChosenService, look};

fn answers(image: &str) -> Choices {
    let service = ChosenService {
        name: "shop".to_owned(),
        image: image.to_owned(),
        context: None,
        slots: ["blue".to_owned(), "green".to_owned()],
        upstream: None,
    };
    Choices {
        host: "deploy@203.0.113.10:2222".to_owned(),
        directory: "/home/deploy/it's".to_owned(),
        registry: image.contains('/'),
        compose_files: Vec::new(),
        services: vec![service],
        health: None,
        branch: "main".to_owned(),
        action: "a/b@v1".to_owned(),
    }
}

fn fresh(domain: Option<&str>) -> Fresh {
    Fresh {
        port: 3000,
        domain: domain.map(str::to_owned),
        key: "~/.ssh/cutover-shop".to_owned(),
        public_key: "ssh-ed25519 AAAA cutover\n".to_owned(),
    }
}

#[test]
fn what_is_written_is_a_project_that_init_finds() {
    for domain in [None, Some("shop.example.com")] {
        let dir = tempfile::tempdir().unwrap();
        let files = fresh(domain).files(&answers("shop"), &["node_modules"]);
        std::fs::create_dir(dir.path().join("nginx")).unwrap();
        for (name, text) in &files {
            assert!(!text.contains(['{', '}']) || !text.contains("{name}"), "{name}: {text}");
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let found = look(dir.path());
        assert_eq!((found.remarks.len(), found.pairs.len()), (0, 1), "{found:?}");
        assert_eq!((&*found.pairs[0].image, found.pairs[0].upstream.as_deref()), ("shop", Some("shop")));
        let compose = &files.iter().find(|(name, _)| *name == "docker-compose.yml").unwrap().1;
        let project = Project::parse(compose).unwrap();
        assert_eq!(project.services["green"].ports, [3000], "{compose}");
        let ports = if domain.is_some() { vec![80, 443] } else { vec![80] };
        assert_eq!(project.services["nginx"].published, ports);
        for (_, conf) in files.iter().filter(|(name, _)| name.starts_with("nginx/")) {
            parse(conf).unwrap();
            assert!(upstreams(conf).unwrap().len() <= 1);
        }
        assert_eq!(files.iter().any(|(name, _)| *name == "nginx/https.conf.off"), domain.is_some());
    }
}

#[test]
fn the_script_for_the_server_has_its_values_as_a_shell_reads_them() {
    let text = fresh(None).server(&answers("shop")).unwrap();
    assert!(text.contains("\nuser=deploy\ndirectory='/home/deploy/it'\\''s'\nkey='restrict,port-forwarding ssh-ed25519 AAAA cutover'\n"), "{text}");
    assert!(text.contains("ssh -p 2222 root@203.0.113.10 sh -s"), "{text}");
    assert!(fresh(None).server(&Choices { directory: "\0".to_owned(), ..answers("shop") }).is_err());
}

#[test]
fn the_steps_name_what_there_is() {
    let plain = fresh(None).how_to_go_on(&answers("shop"));
    assert!(
        plain.contains("scp -P 2222 -r docker-compose.yml nginx deploy@203.0.113.10:/home/deploy/it's/"),
        "{plain}"
    );
    assert!(plain.contains("ssh-keygen -F '[203.0.113.10]:2222'") && plain.contains("\n4. Each push"), "{plain}");
    assert!(!plain.contains('{') && !plain.contains("certbot") && !plain.contains("REGISTRY"), "{plain}");
    let all = fresh(Some("shop.example.com")).how_to_go_on(&answers("ghcr.io/acme/shop"));
    assert!(
        all.contains("\n4. HTTPS") && all.contains("-d shop.example.com") && all.contains("\n5. Each push"),
        "{all}"
    );
    assert!(all.contains("REGISTRY_PASSWORD") && all.contains("of ghcr.io"), "{all}");
}

//! Finding the slots and nginx in a project that says nothing of them. Pure functions.

use crate::config::{Config, ImageName, ServiceSettings as Wanted, SlotSettings};
use crate::host::compose::Project;

/// Compose leaves services out whose profile is not active.
const PROFILES: &str =
    " (one with `profiles` in a file elsewhere is seen where COMPOSE_PROFILES in .env names one of them)";

/// The two compose services that are the slots of a service, or why they can't be told.
///
/// Stated ones must exist. Else they are the services that run the image: two of them, or the one pair among them whose
/// names differ only in "blue" and "green". Where no service has the image, such a pair of which each is built, or has an image
/// of its own, that differs in the same.
pub fn slots(project: &Project, wanted: &Wanted) -> Result<[String; 2], String> {
    if let Some([one, two]) = &wanted.slots {
        return Ok([slot(project, wanted, one, 0)?, slot(project, wanted, two, 1)?]);
    }
    let runs = running(project, &wanted.image);
    if let [one, two] = runs.as_slice() {
        return Ok([(*one).to_owned(), (*two).to_owned()]);
    }
    let pairs: Vec<_> = runs.iter().filter_map(|blue| pair(&runs, blue)).collect();
    match pairs.as_slice() {
        [pair] => Ok(pair.clone()),
        _ if runs.is_empty() && own_pairs(project).len() == 1 => Ok(own_pairs(project).remove(0)),
        _ if runs.is_empty() => Err(format!(
            "no compose service has the image {}; the project has {}{PROFILES}",
            wanted.image,
            names(project)
        )),
        _ if runs.len() == 1 => Err(format!(
            "one compose service has the image {}, {}, and a release needs two of it; `cutover init` writes the second one",
            wanted.image, runs[0]
        )),
        _ => Err(format!("which two are the slots can't be told: {} has the image {}", runs.join(", "), wanted.image)),
    }
}

/// The compose service of one stated slot in its project: the stated one, else the one that has the image. Of a pair it is the one of
/// the colour that the slot's project or files have, else the first for the first.
pub fn slot(project: &Project, wanted: &Wanted, stated: &SlotSettings, number: usize) -> Result<String, String> {
    if let Some(name) = &stated.service {
        return match project.services.contains_key(name.as_str()) {
            true => Ok(name.to_string()),
            false => Err(format!("the compose project has no service {name}; it has {}{PROFILES}", names(project))),
        };
    }
    if let Some(only) = only(project, wanted) {
        return Ok(only);
    }
    let pair = slots(project, &Wanted { slots: None, ..wanted.clone() })?;
    let words = format!("{} {}", stated.project.as_ref().map_or("", |name| name.as_str()), stated.files.join(" "));
    let number = colour(&words).unwrap_or(number);
    Ok(pair.into_iter().nth(number).unwrap_or_default())
}

/// The only service that has the image, else the only one that is built and has none.
pub fn only(project: &Project, wanted: &Wanted) -> Option<String> {
    let runs = running(project, &wanted.image);
    let built = project.services.iter().filter(|(_, service)| service.image.is_none() && service.builds);
    let built: Vec<&str> = built.map(|(name, _)| name.as_str()).collect();
    match (runs.as_slice(), built.as_slice()) {
        ([one], _) | ([], [one]) => Some((*one).to_owned()),
        _ => None,
    }
}

/// 0 for blue and 1 for green, where one of them is a word of the text.
pub fn colour(text: &str) -> Option<usize> {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.find_map(|word| ["blue", "green"].iter().position(|colour| *colour == word))
}

/// A name that has one of them as a word, and the one that has the other in its place: blue first.
pub fn of_both_colours(name: &str) -> Option<[String; 2]> {
    let number = colour(name)?;
    let [from, to] = if number == 0 { ["blue", "green"] } else { ["green", "blue"] };
    let pieces: Vec<&str> = name.split_inclusive(|c: char| !c.is_ascii_alphanumeric()).collect();
    let swap = |piece: &&str| match piece.strip_prefix(from) {
        Some(rest) if rest.chars().all(|c| !c.is_ascii_alphanumeric()) => format!("{to}{rest}"),
        _ => (*piece).to_owned(),
    };
    let other: String = pieces.iter().map(swap).collect();
    Some(if number == 0 { [name.to_owned(), other] } else { [other, name.to_owned()] })
}

/// The slots of all services, as far as they can be told.
pub fn all_slots(project: &Project, config: &Config) -> Vec<String> {
    config.services.iter().filter_map(|service| slots(project, service).ok()).flatten().collect()
}

fn running<'a>(project: &'a Project, image: &ImageName) -> Vec<&'a str> {
    let runs = project
        .services
        .iter()
        .filter(|(_, service)| service.image.as_deref().is_some_and(|reference| image.same_repository(reference)));
    runs.map(|(name, _)| name.as_str()).collect()
}

/// Pairs by name whose images are each slot's own: made by `build` under compose's own name for it, or called alike.
fn own_pairs(project: &Project) -> Vec<[String; 2]> {
    let names: Vec<&str> = project.services.keys().map(String::as_str).collect();
    let own = |[blue, green]: &[String; 2]| {
        let [blue, green] = [blue, green].map(|name| &project.services[name]);
        match (&blue.image, &green.image) {
            (Some(one), Some(two)) => one != two && one.replace("blue", "green") == *two,
            (None, None) => blue.builds && green.builds,
            _ => false,
        }
    };
    names.iter().filter_map(|blue| pair(&names, blue)).filter(own).collect()
}

fn pair(runs: &[&str], blue: &str) -> Option<[String; 2]> {
    let green = blue.replace("blue", "green");
    (green != blue && runs.contains(&green.as_str())).then(|| [blue.to_owned(), green])
}

fn names(project: &Project) -> String {
    let names: Vec<&str> = project.services.keys().map(String::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// nginx's compose service: the stated one, else the one with something mounted under `/etc/nginx`, else the one whose
/// image is called nginx.
pub fn nginx(project: &Project, stated: Option<&str>) -> Result<String, String> {
    if let Some(stated) = stated {
        let known = project.services.contains_key(stated);
        return known
            .then(|| stated.to_owned())
            .ok_or_else(|| format!("the compose project has no service {stated}; it has {}", names(project)));
    }
    let which = |test: &dyn Fn(&crate::host::compose::Service) -> bool| -> Vec<&str> {
        project.services.iter().filter(|(_, service)| test(service)).map(|(name, _)| name.as_str()).collect()
    };
    let mounted = which(&|service| service.binds.iter().any(|(_, to)| to.starts_with("/etc/nginx")));
    let called = which(&|service| service.image.as_deref().is_some_and(is_nginx));
    match (mounted.as_slice(), called.as_slice()) {
        ([one], _) | ([], [one]) => Ok((*one).to_owned()),
        ([], []) => Err(format!("no service of the compose project is nginx; it has {}", names(project))),
        (several, _) => Err(format!("several services could be nginx: {}", several.join(", "))),
    }
}

fn is_nginx(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or_default();
    name.split([':', '@']).next().is_some_and(|name| name.contains("nginx"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(services: &[(&str, &str)]) -> Project {
        let services: Vec<String> =
            services.iter().map(|(name, image)| format!("  {name}: {{image: '{image}'}}\n")).collect();
        Project::parse(&format!("services:\n{}", services.concat())).expect("a project")
    }

    fn wanted(more: &str) -> Wanted {
        let text = format!("image: devrank/backend-api\nhost: a@b.example\ndirectory: /srv/app\n{more}");
        Config::parse(&text, "cutover.yml", None).expect("a configuration").services.remove(0)
    }

    #[test]
    fn the_reference_project_needs_no_words() {
        let project = project(&[
            ("nginx", "nginx"),
            ("blue", "devrank/backend-api:latest"),
            ("green", "devrank/backend-api:latest"),
            ("redis", "redis:6.2.5"),
        ]);
        assert_eq!(slots(&project, &wanted("")), Ok(["blue".to_owned(), "green".to_owned()]));
        assert_eq!(nginx(&project, None), Ok("nginx".to_owned()));
    }

    #[test]
    fn a_worker_on_the_same_image_is_no_slot() {
        let image = "devrank/backend-api:latest";
        let mut services = vec![("api-blue", image), ("api-green", image), ("evergreen-worker", image)];
        assert_eq!(slots(&project(&services), &wanted("")), Ok(["api-blue".to_owned(), "api-green".to_owned()]));
        services.extend([("web-blue", image), ("web-green", image)]);
        assert!(slots(&project(&services), &wanted("")).expect_err("two pairs").contains("can't be told"));
        let one = project(&[("app", image), ("db", "postgres")]);
        assert!(
            slots(&one, &wanted("")).expect_err("one").contains("app, and a release needs two of it; `cutover init`")
        );
        assert_eq!(
            slots(&project(&services), &wanted("slots: [web-green, web-blue]\n")),
            Ok(["web-green".to_owned(), "web-blue".to_owned()])
        );
    }

    #[test]
    fn a_colour_is_a_word_of_a_name() {
        let both = |name: &str| of_both_colours(name).map(|[blue, green]| format!("{blue} {green}"));
        assert_eq!(both("shop-blue").as_deref(), Some("shop-blue shop-green"));
        assert_eq!(
            both("docker-compose.green.yml").as_deref(),
            Some("docker-compose.blue.yml docker-compose.green.yml")
        );
        assert_eq!((both("bluebird"), both("evergreen"), both("shop")), (None, None, None));
    }

    #[test]
    fn slots_with_images_of_their_own_are_found_by_the_names_of_the_pair() {
        let parse = |text: &str| Project::parse(&format!("services:\n  db: {{image: x}}\n{text}")).expect("a project");
        let found = |text: &str| slots(&parse(text), &wanted(""));
        let pair = Ok(["app-blue".to_owned(), "app-green".to_owned()]);
        let built = "  app-blue: {build: .}\n  app-green: {build: .}\n";
        assert_eq!(found(built), pair);
        assert_eq!(found("  app-blue: {image: blue-image}\n  app-green: {image: green-image, build: .}\n"), pair);
        // somebody else's image is none of this service's
        assert!(found("  app-blue: {image: a/web}\n  app-green: {image: a/web}\n").is_err());
        assert!(found(&format!("{built}  web-blue: {{build: .}}\n  web-green: {{build: .}}\n")).is_err());
        assert!(found("  app-blue: {build: .}\n  app-green: {image: devrank/other}\n").is_err());
    }

    #[test]
    fn what_is_missing_is_said_with_what_is_there() {
        let project = project(&[("one", "x/y")]);
        assert_eq!(
            slots(&project, &wanted("")),
            Err(format!("no compose service has the image devrank/backend-api; the project has one{PROFILES}"))
        );
        assert_eq!(nginx(&project, Some("n")), Err("the compose project has no service n; it has one".to_owned()));
    }
}

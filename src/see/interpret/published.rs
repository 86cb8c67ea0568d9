//! What nginx on the host itself calls slots: by the ports of the host that lead to them.

use crate::host::compose::Binding;
use crate::router::words::{Called, Named, Words};

/// As what nginx knows the host that it runs on.
const HERE: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// A port of each slot that the host has too; both lead to the same of either slot.
pub(crate) type Doors = [Binding; 2];

/// The doors of two slots: those to the same port of their containers, or the only ones that there are.
pub(crate) fn doors(slots: [&[Binding]; 2]) -> Vec<Doors> {
    if let [[one], [other]] = slots {
        return vec![[*one, *other]];
    }
    let beside = |one: &Binding| slots[1].iter().find(|other| other.target == one.target).map(|other| [*one, *other]);
    slots[0].iter().filter_map(beside).collect()
}

/// What nginx calls two slots with these doors.
pub(crate) fn called(doors: &[Doors]) -> [Vec<Called>; 2] {
    let of = |slot: usize| {
        let by =
            move |door: &Doors| HERE.map(|host| Called { host: host.to_owned(), port: Some(door[slot].published) });
        doors.iter().flat_map(by).collect()
    };
    [of(0), of(1)]
}

/// The doors that nginx's words name, where they name any.
pub(crate) fn named(doors: &[Doors], words: &Words) -> Option<Doors> {
    let kind = words.moving.iter().chain(&words.fixed).find_map(|word| match word.names {
        Named::Host(kind) => Some(kind),
        Named::Upstream(_) => None,
    });
    doors.get(kind.unwrap_or(0) / HERE.len()).copied()
}

/// What nginx calls a slot behind its door, for people.
pub(crate) fn shown(door: Binding) -> String {
    format!("{}:{}", HERE[0], door.published)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::nginx::Routes;
    use crate::router::words::Pair;

    fn bindings(all: &[(u16, u16)]) -> Vec<Binding> {
        all.iter().map(|(published, target)| Binding { published: *published, target: *target, local: true }).collect()
    }

    #[test]
    fn doors_lead_to_the_same_port_of_both_slots() {
        let of = |one: &[(u16, u16)], other: &[(u16, u16)]| {
            let all = doors([&bindings(one), &bindings(other)]);
            all.iter().map(|both| both.map(|door| door.published)).collect::<Vec<_>>()
        };
        assert_eq!(of(&[(8081, 3001)], &[(8082, 3002)]), [[8081, 8082]]);
        assert_eq!(of(&[(9229, 9229), (8081, 80)], &[(8082, 80), (9230, 9229)]), [[9229, 9230], [8081, 8082]]);
        assert!(of(&[(8081, 80), (1, 1)], &[(8082, 81)]).is_empty() && of(&[], &[(1, 1)]).is_empty());
    }

    #[test]
    fn words_name_a_slot_by_its_door() {
        let doors = doors([&bindings(&[(9229, 9229), (8081, 80)]), &bindings(&[(9230, 9229), (8082, 80)])]);
        let pair = Pair::new(called(&doors), ["blue", "green"]);
        let conf = "upstream a { server localhost:8081; } server { set $port 8081; location / { proxy_pass http://a; } \
                    location /ws { proxy_pass http://127.0.0.1:$port; } location /else { proxy_pass http://127.0.0.1:80; } }";
        let words = Words::of(&Routes::of(&[("/etc/nginx/nginx.conf".to_owned(), conf.to_owned())]), &pair);
        assert_eq!(named(&doors, &words).map(|both| both.map(|door| door.target)), Some([80, 80]));
        let told: Vec<_> = words
            .moving
            .iter()
            .map(|word| {
                let span = word.span.as_ref().expect("a span");
                (word.slot, &conf[span.start..span.end], pair.text(1, word, 0))
            })
            .collect();
        assert_eq!(told, [(0, "localhost:8081", "localhost:8082".to_owned()), (0, "8081", "8082".to_owned())]);
    }
}

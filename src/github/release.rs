//! The release of a version: made, or made right, as often as it is asked for.

use super::client::{Call, GitHub};
use super::error::{Purpose, Trouble};
use crate::release::Version;
use reqwest::Method;
use serde_json::{Value, json};

/// The release that should be there.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Its tag and name.
    pub version: &'a Version,
}

/// The release that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its id.
    pub id: u64,
    /// Its page.
    pub url: String,
    /// Something a person should know, such as a tag at another commit.
    pub remark: Option<String>,
}

const NEEDS: &str = "contents: write";

impl GitHub {
    /// Makes the tag and the release with generated notes. A release that is there keeps its name and text.
    pub async fn release(&self, wanted: &Wanted<'_>) -> Result<Published, Trouble> {
        let tag = wanted.version.to_string();
        let remark = self.tag_elsewhere(wanted.version).await?;
        let release = match self.find_release(&tag).await? {
            Some(release) => self.correct(wanted, release).await?,
            None => self.create(wanted, &tag).await?,
        };
        let url = release["html_url"].as_str().unwrap_or_default().to_owned();
        Ok(Published { id: release["id"].as_u64().unwrap_or_default(), url, remark })
    }

    /// What to say where the tag of a version is at another commit than this run.
    pub async fn tag_elsewhere(&self, version: &Version) -> Result<Option<String>, Trouble> {
        let tag = version.to_string();
        let at = self.tagged_commit(&tag).await?.filter(|at| *at != self.place.commit);
        Ok(at.map(|at| tag_remark(&tag, &at, &self.place.commit)))
    }

    /// The commit that the tag names; `None`: no such tag.
    async fn tagged_commit(&self, tag: &str) -> Result<Option<String>, Trouble> {
        let purpose = Purpose { what: format!("look for the tag {tag}"), needs: "contents: read" };
        let reference = format!("tags/{tag}");
        let path = ["git", "ref", &reference];
        let ask = Call { purpose, method: Method::GET, path: &path, query: &[], body: None };
        let answer = self.ask(&ask).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let object = answer.expect(&ask.purpose, &[200])?["object"].take();
        let sha = object["sha"].as_str().unwrap_or_default().to_owned();
        if object["type"] != "tag" {
            return Ok(Some(sha));
        }
        // an annotated tag is an object of its own
        let path = ["git", "tags", &sha];
        let answer = self.ask(&Call { path: &path, ..ask }).await?;
        Ok(answer.body["object"]["sha"].as_str().map(str::to_owned))
    }

    async fn find_release(&self, tag: &str) -> Result<Option<Value>, Trouble> {
        let purpose = Purpose { what: format!("look for the release {tag}"), needs: "contents: read" };
        let path = ["releases", "tags", tag];
        let ask = Call { purpose, method: Method::GET, path: &path, query: &[], body: None };
        let answer = self.ask(&ask).await?;
        if answer.status == 404 { Ok(None) } else { answer.expect(&ask.purpose, &[200]).map(Some) }
    }

    async fn create(&self, wanted: &Wanted<'_>, tag: &str) -> Result<Value, Trouble> {
        let body = json!({
            "tag_name": tag,
            "target_commitish": self.place.commit,
            "name": tag,
            "generate_release_notes": true,
            "prerelease": wanted.version.is_prerelease(),
            "make_latest": latest(wanted),
        });
        let purpose = Purpose { what: format!("create the release {tag}"), needs: NEEDS };
        let ask = Call { purpose, method: Method::POST, path: &["releases"], query: &[], body: Some(body) };
        let answer = self.ask(&ask).await?;
        if answer.status == 422 {
            // made meanwhile, or by a try whose answer was lost
            if let Some(release) = self.find_release(tag).await? {
                return self.correct(wanted, release).await;
            }
        }
        answer.expect(&ask.purpose, &[201])
    }

    /// Brings draft and pre-release flags in line, where they are not.
    async fn correct(&self, wanted: &Wanted<'_>, release: Value) -> Result<Value, Trouble> {
        let prerelease = wanted.version.is_prerelease();
        if release["draft"] != true && release["prerelease"] == prerelease {
            return Ok(release);
        }
        let id = release["id"].to_string();
        let purpose = Purpose { what: format!("update the release {}", wanted.version), needs: NEEDS };
        let body = Some(json!({ "draft": false, "prerelease": prerelease, "make_latest": latest(wanted) }));
        let ask = Call { purpose, method: Method::PATCH, path: &["releases", &id], query: &[], body };
        self.ask(&ask).await?.expect(&ask.purpose, &[200])
    }
}

/// `legacy`: the highest version is the latest, so that a fix of an old line does not become it.
fn latest(wanted: &Wanted<'_>) -> &'static str {
    if wanted.version.is_prerelease() { "false" } else { "legacy" }
}

/// A tag at another commit than the run's, for people.
pub fn tag_remark(tag: &str, at: &str, here: &str) -> String {
    let (at, here) = (short(at), short(here));
    format!("the tag {tag} was there already, at commit {at}; this run is at {here}, and the tag is left alone")
}

fn short(sha: &str) -> &str {
    sha.get(..7).unwrap_or(sha)
}

//! What went wrong on a host: the host, why something ran there and what came of it stand apart, so that each is said once.

use super::lock::Overtaken;
use super::ssh::ExecError;
use std::fmt;
use std::time::Duration;

/// A script that had no good end on a host.
#[derive(Debug, thiserror::Error)]
#[error("on {host}, {why}: {cause}")]
pub(crate) struct OnHost {
    host: String,
    why: &'static str,
    cause: Cause,
}

/// What came of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    /// There is no result.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// It ended with an exit status other than 0.
    #[error("{said} (exit status {status})")]
    Ended {
        /// Its last words, made inert.
        said: String,
        /// The status.
        status: u32,
    },
    /// It did not end in time.
    #[error("no end after {} s", .0.as_secs())]
    Late(Duration),
    /// Something on this side.
    #[error("{0:#}")]
    Other(anyhow::Error),
}

/// What an error comes to, whatever it passed through on its way: exit codes follow from this.
#[derive(Debug)]
pub(crate) enum Kind<'a> {
    /// The connection is gone.
    Lost,
    /// Another run took the lock of this one.
    Overtaken(&'a Overtaken),
    /// Anything else.
    Other,
}

impl OnHost {
    pub(crate) fn new(host: &str, why: &'static str, cause: impl Into<Cause>) -> OnHost {
        OnHost { host: host.to_owned(), why, cause: cause.into() }
    }
}

impl From<anyhow::Error> for Cause {
    fn from(error: anyhow::Error) -> Cause {
        error.downcast::<ExecError>().map_or_else(Cause::Other, Cause::Exec)
    }
}

/// An error of something that ran on a host. One that says so already stays as it is, and so does that of another run.
pub(crate) fn on_host(host: &str, why: &'static str, error: impl Into<anyhow::Error>) -> anyhow::Error {
    let error = error.into();
    match error.is::<OnHost>() || error.is::<Overtaken>() {
        true => error,
        false => OnHost::new(host, why, error).into(),
    }
}

/// The kind of an error.
pub(crate) fn kind(error: &anyhow::Error) -> Kind<'_> {
    for cause in error.chain() {
        let exec = cause.downcast_ref::<OnHost>().and_then(|on| match &on.cause {
            Cause::Exec(exec) => Some(exec),
            _ => None,
        });
        if let Some(ExecError::Disconnected) = exec.or_else(|| cause.downcast_ref()) {
            return Kind::Lost;
        }
    }
    error.downcast_ref().map_or(Kind::Other, Kind::Overtaken)
}

/// The exit status that a script ended with, where that is the error.
pub(crate) fn status(error: &anyhow::Error) -> Option<u32> {
    match error.downcast_ref::<OnHost>()?.cause {
        Cause::Ended { status, .. } => Some(status),
        _ => None,
    }
}

/// What an error says where its host is named already.
pub(crate) struct Unnamed<'a>(pub(crate) &'a anyhow::Error);

impl fmt::Display for Unnamed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, cause) in self.0.chain().enumerate() {
            if number > 0 {
                f.write_str(": ")?;
            }
            match cause.downcast_ref::<OnHost>() {
                Some(on) => write!(f, "{}: {}", on.why, on.cause)?,
                None => write!(f, "{cause}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    const WHY: &str = "to run the release's own command";

    #[test]
    fn a_host_and_a_reason_are_named_once_however_far_an_error_has_come() {
        let ended = Cause::Ended { said: "no such table".to_owned(), status: 3 };
        let error = on_host("web-1", WHY, OnHost::new("web-1", WHY, ended));
        assert_eq!(format!("{error:#}"), "on web-1, to run the release's own command: no such table (exit status 3)");
        let error = error.context("the new version was not started");
        let expected =
            "the new version was not started: to run the release's own command: no such table (exit status 3)";
        assert_eq!(Unnamed(&error).to_string(), expected);
        let other = on_host("web-1", WHY, anyhow!("broken pipe").context("nothing was read"));
        assert_eq!(Unnamed(&other).to_string(), "to run the release's own command: nothing was read: broken pipe");
    }

    #[test]
    fn the_kind_of_an_error_is_known_however_far_it_has_come() {
        let lost = on_host("web-1", WHY, ExecError::Disconnected).context("nothing was read");
        assert!(matches!(kind(&lost), Kind::Lost));
        let overtaken = Overtaken { host: "web-1".to_owned(), by: String::new() };
        let overtaken = on_host("web-1", WHY, overtaken).context("nothing was read");
        assert!(matches!(kind(&overtaken), Kind::Overtaken(_)));
        assert!(matches!(kind(&anyhow!("no")), Kind::Other));
    }
}

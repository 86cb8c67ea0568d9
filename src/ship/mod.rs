//! An image goes to a host over the SSH connection: only the layers that the host lacks, and no registry anywhere.
//!
//! [`local`] takes an image out of the Docker daemon here, [`read`] out of archives; [`Image`] is what comes of it. [`send`] asks
//! the host what it has, chooses a way, and names the image there. The ways, best first: `docker pull` from a registry
//! that runs inside this process and that the host reaches through a forwarded port of its loopback; `docker load` of an
//! archive without the layers that the host has; `docker load` of the whole image.

mod bytes;
mod cache;
mod encode;
mod has;
mod image;
mod intake;
mod load;
pub mod local;
mod meter;
mod oci;
mod pull;
pub mod read;
pub mod registry;
pub mod send;

pub use cache::Cache;
pub use has::Has;
pub use image::{Blob, Encoding, Fetch, Image, Layer};

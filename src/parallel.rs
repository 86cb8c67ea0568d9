//! Hosts at the same time, with a limit.

use futures_util::StreamExt as _;
use futures_util::stream;
use std::future::Future;

/// Runs all of them, at most so many at a time (`None`: all), and gives the results in their order.
pub async fn all<T>(limit: Option<usize>, each: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    stream::iter(each).buffered(limit.unwrap_or(usize::MAX)).collect().await
}
